"""The whole story of a district: brought in by a command, set up from its kit, and taken out again.

Its data manager has what the kit says, a password, and OpenSSH's own client; nothing of ours.
"""

import re
import shlex
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
from helpers.post import Post

from simulator.spoil import truncate
from tests import openssh
from tests.e2e.conftest import NIGHT_1, NIGHT_2, Export
from tests.e2e.operator_at_work import Desk
from tests.e2e.test_page import page_of, token_in

CONTACT = "it@walnut.example"
ENTRY = re.compile(r'<th scope="row">([^<]+)</th><td>([^<]*)')


@dataclass(frozen=True)
class DataManager:
    """Who enters in the district's system what the kit says.

    Attributes:
        kit: The page.
        link: What lies behind the link to the password.
        work: A folder of their own.
    """

    kit: Path
    link: Path
    work: Path

    def sends(self, files: Sequence[Path], *, password: str | None = None) -> bool:
        """Whether an upload is done; with the password that lies behind the link, if no other one is given."""
        entered = {field: value.strip() for field, value in ENTRY.findall(self.kit.read_text())}
        assert entered["SFTP Directory"] == "leave it blank"
        client = openssh.command(
            entered["SFTP Server"], int(entered["SFTP Port"]), entered["Username"], self.work / "known_hosts"
        )
        told = "".join(f"put {path}\n" for path in files)
        environment = openssh.answering(self.work, password or self.link.read_text())
        done = subprocess.run(client, input=told, env=environment, capture_output=True, text=True, check=False)
        return done.returncode == 0

    def recognizes_the_server(self) -> bool:
        """Whether the server that was met is the one of which the kit tells the fingerprint."""
        known = subprocess.run(
            ["ssh-keygen", "-l", "-f", str(self.work / "known_hosts")], capture_output=True, text=True, check=True
        )
        return known.stdout.split()[1] in self.kit.read_text()


def test_from_the_command_that_adds_a_district_to_the_one_that_removes_it(
    desk: Desk, districts_dir: Path, tmp_path: Path, post: Post
) -> None:
    link = tmp_path / "link"
    keep = (
        f"import pathlib, sys; pathlib.Path({str(link)!r}).write_text(sys.stdin.read()); print('https://link.example')"
    )
    hand_over = ("--secret-command", shlex.join([sys.executable, "-c", keep]))

    def districts(*arguments: str) -> str:
        done = desk.rollcall("districts", *arguments)
        assert done.returncode == 0, done.stderr
        return done.stdout

    said = districts(
        "add", "walnut", "--name", "Walnut", "--sis", "Aeries", "--contact", "it@walnut.example", *hand_over
    )
    manager = DataManager(desk.state.state_dir / "kits" / "walnut.html", link, tmp_path)
    assert link.read_text() not in said + manager.kit.read_text()
    assert "https://link.example" in manager.kit.read_text()
    desk.until("the DAG of walnut", lambda: desk.api("GET", "/api/v2/dags/roster__walnut"))
    with (districts_dir / "walnut.yaml").open("a") as file:
        file.write("tell_contacts: each_night\n")

    sis = Export("walnut", tmp_path)
    first = sis.write(1)
    assert manager.sends(first.files)
    assert manager.recognizes_the_server()
    run = desk.start("walnut", NIGHT_1)
    assert "students: 60" in _decide(desk, run, "approved")
    assert desk.ended("walnut", run) == "success"
    assert desk.roster_rows("walnut") == first.expected.roster_rows
    _assert_told(post, NIGHT_1.isoformat(), {"On hold": "students: 60", "Published": "records are in the roster"})

    bad = sis.write(2)
    truncate(bad.folder)
    assert manager.sends(bad.files)
    run = desk.start("walnut", NIGHT_2)
    assert "enrollments" in _decide(desk, run, "discarded")
    assert desk.ended("walnut", run) == "success"
    assert desk.roster_rows("walnut") == first.expected.roster_rows
    _assert_told(post, NIGHT_2.isoformat(), {"On hold": "enrollments", "Discarded": "enrollments"})

    old = link.read_text()
    districts("rotate", "walnut", *hand_over)
    assert not manager.sends(first.files, password=old)
    assert manager.sends(first.files)
    assert "stays for readers" in districts("remove", "walnut", "--yes")
    assert not manager.sends(first.files)
    with pytest.raises(httpx.HTTPStatusError, match="404"):
        desk.api("GET", "/api/v2/connections/sftp_walnut")
    assert desk.api("GET", "/api/v2/connections/sftp_alder")["login"] == "alder--rollcall"
    assert desk.roster_rows("walnut") == first.expected.roster_rows
    (districts_dir / "walnut.yaml.removed").unlink()


def _decide(desk: Desk, run: str, choice: str) -> str:
    """Press a button of the district's page; the reasons that stood there."""
    desk.until_task("walnut", run, "hold", "awaiting_input")
    with page_of(desk, desk.state.airflow_user, desk.state.airflow_password) as browser:
        page = browser.get("/dags/roster__walnut").text
        (action,) = set(re.findall(r'action="[^"]*?(/dags/roster__walnut/deliveries/\d+/decision)"', page))
        pressed = browser.post(action, data={"choice": choice, "why": "as they said", "token": token_in(page)})
        assert pressed.status_code == 200
    return page.partition("Why it is on hold")[2].partition("<form")[0]


def _assert_told(post: Post, night: str, told: dict[str, str]) -> None:
    """The contacts had these messages of a night, in this order, each with a receipt that holds these words."""
    mails = [mail for recipients, mail in post.mails if recipients == [CONTACT] and night in mail["subject"]]
    assert [str(mail["subject"]).split(": ")[2] for mail in mails] == list(told)
    for mail, words in zip(mails, told.values(), strict=True):
        (receipt,) = mail.iter_attachments()
        assert words.encode() in receipt.get_content()
