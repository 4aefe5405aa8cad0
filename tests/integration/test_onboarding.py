"""Bringing districts in on a running SFTP server: file, account, password or key, kit; killed anywhere, run again."""

import io
import json
import os
import pty
import shlex
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from contextvars import copy_context
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from threading import Thread

import asyncssh
import paramiko
import pytest
import yaml
from typer.testing import CliRunner, Result

from rollcall import stack
from rollcall.cli import app
from rollcall.districts import load_district, removed_districts
from rollcall.migrations import migrate
from rollcall.onboarding import district_file
from rollcall.onboarding.acts import Act, on_record
from rollcall.onboarding.add import HandOver, add
from rollcall.onboarding.district_file import OnboardingError
from rollcall.onboarding.secret import link_from
from rollcall.settings import PROJECT_ROOT, working_on
from rollcall.stack import Account, StackState
from rollcall.stack.accounts import LocalAccounts
from rollcall.stack.airflow import plan
from rollcall.ui import pressing
from rollcall.warehouse import WarehouseError, connect, value
from rollcall.who import Person

LINK = "https://share.example.org/once"
NAMED = ("--name", "Maple Unified", "--sis", "Aeries", "--time-zone", "Pacific", "--contact", "it@maple.example")

ENVIRONMENT = {"AIRFLOW__METRICS__OTEL_ON": "True", "AIRFLOW__CORE__PARALLELISM": "99"}


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StackState]:
    root = tmp_path_factory.mktemp("onboarding")
    folder = root / "districts"
    folder.mkdir()
    (folder / "_defaults.yaml").write_bytes((PROJECT_ROOT / "dags" / "districts" / "_defaults.yaml").read_bytes())
    with working_on(state_dir=root / "state", districts_dir=folder):
        yield stack.up(
            root / "state",
            districts_dir=folder,
            environment=ENVIRONMENT,
            with_airflow=False,
            after_postgres=with_a_ledger,
        )
        stack.down(root / "state")


def with_a_ledger(state: StackState) -> None:
    """Make the ledger's tables."""
    with working_on(warehouse=state.warehouse_url):
        migrate()


@pytest.fixture(autouse=True)
def here(running: StackState) -> Iterator[None]:
    """The stack's context, in each test."""
    with working_on(state_dir=running.state_dir, districts_dir=running.districts_dir):
        yield


def run(*arguments: str) -> Result:
    return CliRunner().invoke(app, ["districts", *arguments])


def logs_in(state: StackState, username: str, password: str = "", key: asyncssh.SSHKey | None = None) -> bool:
    transport = paramiko.Transport(socket.create_connection((state.sftp_host, state.sftp_port)))
    private = paramiko.Ed25519Key.from_private_key(_file(key)) if key else None
    try:
        transport.connect(username=username, password=password, pkey=private)
    except paramiko.AuthenticationException:
        return False
    finally:
        transport.close()
    return True


def _file(key: asyncssh.SSHKey) -> io.StringIO:
    return io.StringIO(key.export_private_key().decode())


def account_of(district: str) -> Account:
    account = LocalAccounts().of(district)
    assert account is not None
    return account


def secret_command(folder: Path, *, code: int = 0, says: str = LINK) -> str:
    """A command that keeps what it reads, as a password manager does, and prints a link."""
    script = folder / "share.py"
    script.write_text(
        "import pathlib, sys\n"
        f"pathlib.Path({str(folder / 'kept')!r}).write_text(sys.stdin.read())\n"
        f"print({says!r})\nsys.exit({code})\n"
    )
    return shlex.join([sys.executable, str(script)])


def test_a_stack_is_told_where_airflow_reports_to_and_nothing_else_of_it(running: StackState) -> None:
    assert running.options == {"AIRFLOW__METRICS__OTEL_ON": "True"}


def test_a_district_is_brought_in_by_one_command_and_again_without_harm(running: StackState, tmp_path: Path) -> None:
    command = ("add", "maple", *NAMED, "--secret-command", secret_command(tmp_path))
    first = run(*command)
    assert first.exit_code == 0, first.output
    account = account_of("maple")
    kit = running.state_dir / "kits" / "maple.html"
    assert logs_in(running, "maple", (tmp_path / "kept").read_text())
    assert LINK in kit.read_text()
    for text in (first.output, kit.read_text(), (running.districts_dir / "maple.yaml").read_text()):
        assert account.password not in text
    assert yaml.safe_load((running.districts_dir / "maple.yaml").read_text()) == {
        "name": "Maple Unified",
        "student_information_system": "Aeries",
        "local_timezone": "America/Los_Angeles",
        "contacts": ["it@maple.example"],
    }
    assert load_district(running.districts_dir / "maple.yaml").first_delivery == "hold"

    (tmp_path / "kept").unlink()
    again = run(*command)
    assert (again.exit_code, again.output) == (0, first.output)
    assert account_of("maple") == account
    assert not (tmp_path / "kept").exists(), "handed over once"


def test_the_same_id_for_another_district_is_refused(running: StackState) -> None:
    assert run("add", "oak", "--name", "Oak").exit_code == 0
    before = (running.districts_dir / "oak.yaml").read_text()
    with pytest.raises(OnboardingError, match="says something else of name"):
        add(LocalAccounts(), "oak", {"name": "Another Oak"}, HandOver(lambda _: True), print)
    assert (running.districts_dir / "oak.yaml").read_text() == before


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (("add", "Elm", "--name", "Elm"), "lower-case"),
        (("add", "elm", "--name", "Elm", "--time-zone", "Middle Earth"), "time zone"),
        (("add", "elm", "--name", "Elm", "--contact", "nobody"), "e-mail address"),
        (("add", "elm", "--name", "Elm", "--deadline", "late"), "deadline"),
    ],
)
def test_what_makes_no_district_writes_nothing(running: StackState, arguments: tuple[str, ...], named: str) -> None:
    said = run(*arguments)
    assert said.exit_code != 0
    assert named in str(said.exception)
    assert not list(running.districts_dir.glob("[Ee]lm.yaml"))
    assert LocalAccounts().of("elm") is None


def test_without_a_terminal_no_password_is_printed_and_it_can_still_be_handed_over(tmp_path: Path) -> None:
    said = run("add", "pine", "--name", "Pine")
    assert said.exit_code == 0
    assert "still to be handed over" in said.output
    assert account_of("pine").password not in said.output
    later = run("add", "pine", "--name", "Pine", "--secret-command", secret_command(tmp_path))
    assert "link to the password" in later.output
    assert (tmp_path / "kept").read_text() == account_of("pine").password


def in_a_terminal(state: StackState, answers: str, *arguments: str) -> str:
    """What a person sees who answers the command's questions."""
    ours, theirs = pty.openpty()
    places = {"ROLLCALL_STATE_DIR": str(state.state_dir), "ROLLCALL_DISTRICTS_DIR": str(state.districts_dir)}
    command = [str(Path(sys.executable).with_name("rollcall")), "districts", *arguments]
    child = subprocess.Popen(command, env=os.environ | places, stdin=theirs, stdout=theirs, stderr=theirs)
    os.close(theirs)
    os.write(ours, answers.encode())
    seen = b""
    with suppress(OSError):  # Linux says so where the other end of a terminal is closed
        while block := os.read(ours, 4096):
            seen += block
    os.close(ours)
    assert child.wait() == 0, seen.decode()
    return seen.decode()


def test_in_a_terminal_it_asks_and_shows_the_password_once(running: StackState) -> None:
    answers = "Elder Unified\n\n\npacific\ndata@elder.example\n\n"  # name, id, system, zone, contacts, deadline
    seen = in_a_terminal(running, answers, "add")
    password = account_of("elder-unified").password
    assert seen.count(password) == 1
    assert logs_in(running, "elder-unified", password)
    written = load_district(running.districts_dir / "elder-unified.yaml")
    assert (written.name, written.student_information_system) == ("Elder Unified", "Aeries")
    assert (written.local_timezone, written.contacts) == ("America/Los_Angeles", ("data@elder.example",))
    assert password not in in_a_terminal(running, answers, "add")


def test_an_ssh_key_logs_in_in_the_place_of_a_password(running: StackState, tmp_path: Path) -> None:
    mine, other = asyncssh.generate_private_key("ssh-ed25519"), asyncssh.generate_private_key("ssh-ed25519")
    (tmp_path / "id.pub").write_bytes(mine.export_public_key())
    said = run("add", "cedar", "--name", "Cedar", "--public-key", str(tmp_path / "id.pub"))
    assert said.exit_code == 0, said.output
    assert logs_in(running, "cedar", key=mine)
    assert not logs_in(running, "cedar", key=other)
    assert not logs_in(running, "oak", key=mine), "nobody else's account"
    assert mine.get_fingerprint() in (running.state_dir / "kits" / "cedar.html").read_text()


@pytest.mark.parametrize(
    ("code", "says", "told"),
    [(1, LINK, "ended with 1"), (0, "the password is {}", "no link|begin"), (0, "http://plain.example", "https")],
)
def test_a_command_that_makes_no_link_hands_nothing_over(tmp_path: Path, code: int, says: str, told: str) -> None:
    with pytest.raises(OnboardingError, match=told):
        link_from(secret_command(tmp_path, code=code, says=says), "secret")


def test_a_command_that_prints_the_password_is_refused_without_quoting_it() -> None:
    with pytest.raises(OnboardingError, match="printed the password itself") as caught:
        link_from(shlex.join([sys.executable, "-c", "print('https://x/' + input())"]), "secret")
    assert "secret" not in str(caught.value)


def add_and_die(district: str, share: str, after: int) -> int:
    """Bring a district in, in a process that is killed after a step; the signal that ended it."""
    child = os.fork()
    if child == 0:
        told: list[str] = []

        def tell(sentence: str) -> None:
            told.append(sentence)
            if len(told) == after:
                os.kill(os.getpid(), signal.SIGKILL)

        add(LocalAccounts(), district, {"name": "Fir"}, HandOver(lambda _: False, share), tell)
        os._exit(0)
    return os.WTERMSIG(os.waitpid(child, 0)[1])


@pytest.mark.parametrize("step", [1, 2, 3, 4])
def test_law_4_killed_after_any_step_the_same_command_finishes_it(
    running: StackState, tmp_path: Path, step: int
) -> None:
    district, share = f"fir-{step}", secret_command(tmp_path)
    assert add_and_die(district, share, step) == signal.SIGKILL
    finished = run("add", district, "--name", "Fir", "--secret-command", share)
    assert finished.exit_code == 0, finished.output
    assert logs_in(running, district, (tmp_path / "kept").read_text())
    assert LINK in (running.state_dir / "kits" / f"{district}.html").read_text()


def test_a_rotated_password_is_the_only_one_that_logs_in_and_a_key_can_take_its_place(
    running: StackState, tmp_path: Path
) -> None:
    run("add", "ash", "--name", "Ash", "--secret-command", secret_command(tmp_path))
    old = (tmp_path / "kept").read_text()
    said = run("rotate", "ash", "--secret-command", secret_command(tmp_path, says="https://share.example.org/second"))
    new = (tmp_path / "kept").read_text()
    assert said.exit_code == 0, said.output
    assert (logs_in(running, "ash", old), logs_in(running, "ash", new)) == (False, True)
    assert "https://share.example.org/second" in (running.state_dir / "kits" / "ash.html").read_text()
    assert {old, new} & set(said.output.split()) == set()

    key = asyncssh.generate_private_key("ssh-ed25519")
    (tmp_path / "id.pub").write_bytes(key.export_public_key())
    assert run("rotate", "ash", "--public-key", str(tmp_path / "id.pub")).exit_code == 0
    assert (logs_in(running, "ash", new), logs_in(running, "ash", key=key)) == (False, True)
    assert json.loads(run("show", "ash", "--json").output)["logs_in_with"] == "its SSH key"


def test_show_tells_what_is_set_up_and_no_password(running: StackState, tmp_path: Path) -> None:
    run("add", "beech", *NAMED[:-2], "--contact", "[b]data[/b]@beech.example", "--deadline", "05:30")
    said = run("show", "beech")
    for words in ("10:30 PM Pacific time, every day", "waits until 05:30", "[b]data[/b]@beech.example", "handed over"):
        assert words in said.output
    assert account_of("beech").password not in said.output + run("show", "beech", "--json").output


def test_a_pause_is_written_once_beside_a_persons_comments_and_ends_by_itself(running: StackState) -> None:
    run("add", "lime", "--name", "Lime")
    file = running.districts_dir / "lime.yaml"
    file.write_text(file.read_text() + "# A person wrote this.\nlimits: {removed: {percent: 15}}  # and this\n")
    tonight = load_district(file).service_date(datetime.now(UTC))
    until = tonight + timedelta(days=30)
    for _ in range(2):
        assert run("pause", "lime", "--until", str(until), "--why", "summer").exit_code == 0
    (pause,) = load_district(file).pauses
    assert (pause.first_night, pause.last_night, pause.reason) == (tonight, until, "summer")
    assert load_district(file).paused_because(until + timedelta(days=1)) is None
    assert "# A person wrote this." in file.read_text()
    assert "{percent: 15}}  # and this" in file.read_text()

    assert run("resume", "lime").exit_code == 0
    assert load_district(file).pauses == ()
    assert "pauses" not in file.read_text()


def test_resuming_keeps_the_nights_that_were_paused(running: StackState) -> None:
    run("add", "teak", "--name", "Teak")
    file = running.districts_dir / "teak.yaml"
    tonight = load_district(file).service_date(datetime.now(UTC))
    past, last_year = tonight - timedelta(days=9), tonight - timedelta(days=365)
    for first, last in ((last_year, last_year), (past, tonight + timedelta(days=9))):
        run("pause", "teak", "--from", str(first), "--until", str(last))
    run("resume", "teak")
    kept = [(pause.first_night, pause.last_night) for pause in load_district(file).pauses]
    assert kept == [(last_year, last_year), (past, tonight - timedelta(days=1))]


@pytest.mark.parametrize(
    "arguments",
    [("pause", "yew", "--until", "2027-01-01"), ("resume", "yew"), ("show", "yew"), ("kit", "yew"), ("rotate", "yew")],
)
def test_what_there_is_not_is_said(arguments: tuple[str, ...]) -> None:
    said = run(*arguments)
    assert said.exit_code != 0
    assert "There is no district 'yew'" in str(said.exception)


@pytest.mark.parametrize(
    "command", [("add", "--name", "X"), ("show",), ("remove", "--yes"), ("pause", "--until", "2027-01-01")]
)
def test_an_id_leads_nowhere_but_into_the_folder(running: StackState, command: tuple[str, ...]) -> None:
    outside = running.districts_dir.parent / "outside.yaml"
    outside.write_text("name: Outside\n")
    said = run(*command, "../outside")
    assert "cannot be a district's id" in str(said.exception)
    assert outside.read_text() == "name: Outside\n"


def test_a_pause_that_ends_before_it_begins_writes_nothing(running: StackState) -> None:
    run("add", "gum", "--name", "Gum")
    before = (running.districts_dir / "gum.yaml").read_text()
    said = run("pause", "gum", "--until", "2020-01-01")
    assert "last_night lies before first_night" in str(said.exception)
    assert (running.districts_dir / "gum.yaml").read_text() == before


def test_a_removed_district_cannot_log_in_and_comes_back_with_another_password(
    running: StackState, tmp_path: Path
) -> None:
    add_it = ("add", "holly", "--name", "Holly", "--secret-command", secret_command(tmp_path))
    run(*add_it)
    old = (tmp_path / "kept").read_text()
    (running.sftp_root / "holly" / "inbox" / "users.csv").write_text("sourcedId\n1\n")
    for _ in range(2):
        said = run("remove", "holly", "--yes")
        assert said.exit_code == 0, said.output
    assert "stays for readers" in said.output
    assert not logs_in(running, "holly", old)
    assert removed_districts(running.districts_dir) == {"holly"}
    assert "holly" not in {entry.conn_id.removeprefix("sftp_") for entry in plan(state_now(running)).connections}
    assert (running.sftp_root / "holly" / "inbox" / "users.csv").exists()

    run(*add_it)
    assert removed_districts(running.districts_dir) == set()
    assert not logs_in(running, "holly", old)
    assert logs_in(running, "holly", (tmp_path / "kept").read_text())


def test_law_8_who_did_what_to_a_district_and_why_is_on_record_once(
    running: StackState, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "getuid", lambda: 424242)
    tonight = datetime.now(UTC).date()
    first, last = str(tonight + timedelta(days=30)), str(tonight + timedelta(days=60))
    signed = ("--by", "Ada", "--why")
    for _ in range(2):
        run("add", "rowan", "--name", "Rowan", *signed, "signed in June", "--secret-command", secret_command(tmp_path))
        run("pause", "rowan", "--from", first, "--until", last, *signed, "summer")
    for _ in range(2):
        run("rotate", "rowan", *signed, "he left")
    refused = run("rotate", "rowan", "--secret-command", secret_command(tmp_path, code=1), *signed, "no link")
    run("resume", "rowan")
    run("remove", "rowan", "--yes", *signed, "[b]left the county[/b]")
    assert refused.exit_code != 0

    told = CliRunner().invoke(app, ["history", "rowan", "--json"])
    acts = json.loads(told.output)["acts"]
    assert told.exit_code == 0
    assert [(act["action"], act["done_by"], act["why"]) for act in reversed(acts)] == [
        ("added", "Ada", "signed in June"),
        ("paused", "Ada", "summer"),
        ("rotated", "Ada", "he left"),
        ("rotated", "Ada", "he left"),
        ("rotated", "Ada", "no link"),
        ("resumed", "424242", ""),
        ("removed", "Ada", "[b]left the county[/b]"),
    ]
    assert (acts[5]["first_night"], acts[5]["last_night"]) == (first, last)
    shown = CliRunner().invoke(app, ["history", "rowan"]).output
    assert f"{first} to {last}" in shown
    assert "[b]left the county[/b]" in shown


def test_two_who_pause_a_district_at_once_take_turns_and_both_pauses_stay(running: StackState) -> None:
    run("add", "ginkgo", "--name", "Ginkgo")
    first, last = date(2027, 6, 1), date(2027, 8, 1)
    page = Thread(
        target=copy_context().run, args=(pressing.pause, "ginkgo", date(2027, 12, 20), date(2027, 12, 31), "Ida", "")
    )
    with on_record(Act("ginkgo", "paused", "summer", first, last), Person("Ada", "ada")):
        page.start()
        while not (waits := somebody_waits()) and page.is_alive():
            pass
        assert waits, "the second one did not wait for the first"
        district_file.pause("ginkgo", first, last, "summer")
    page.join()
    pauses = load_district(running.districts_dir / "ginkgo.yaml").pauses
    assert [each.first_night for each in pauses] == [first, date(2027, 12, 20)]


def somebody_waits() -> bool:
    with connect() as connection:
        return bool(
            value(connection, "select exists (select from pg_locks where locktype = 'advisory' and not granted)")
        )


def test_law_8_without_a_ledger_nothing_is_done_to_a_district(running: StackState) -> None:
    run("add", "sumac", "--name", "Sumac")
    before = account_of("sumac")
    with working_on(warehouse="postgresql://nobody@127.0.0.1:1/nowhere"):
        for command in (("add", "thuja", "--name", "Thuja"), ("rotate", "sumac"), ("remove", "sumac", "--yes")):
            assert isinstance(run(*command).exception, WarehouseError)
    assert account_of("sumac") == before
    assert not (running.districts_dir / "thuja.yaml").exists()


def state_now(running: StackState) -> StackState:
    found = StackState.load(running.state_dir)
    assert found is not None
    return found


CONNECTIONS = """
from airflow import settings
from airflow.models import Connection
from airflow.utils.session import create_session
from rollcall.stack.airflow_init import apply_connections
from rollcall.stack.airflow_plan import SftpConnection

def wanted(district, password):
    login = f"{district}--rollcall"
    return SftpConnection(conn_id=f"sftp_{district}", host="h", port=22, login=login, password=password, host_key="k")

Connection.metadata.create_all(settings.engine)
with create_session() as session:
    session.add(Connection(conn_id="sftp_own", conn_type="sftp", login="somebody"))
    session.add(Connection(conn_id="smtp_default", conn_type="smtp"))
apply_connections([wanted("alder", "first"), wanted("birch", "first")])
apply_connections([wanted("alder", "second")])
with create_session() as session:
    print(sorted((each.conn_id, each.password) for each in session.query(Connection)))
"""


def test_a_connection_goes_with_its_district_and_no_other_does(tmp_path: Path) -> None:
    """In a metadata database of its own, which Airflow wants to know of before it is imported."""
    places = {
        "AIRFLOW_HOME": str(tmp_path),
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{tmp_path}/airflow.db",
        "AIRFLOW__LOGGING__LOGGING_LEVEL": "ERROR",
    }
    command = [sys.executable, "-c", CONNECTIONS]
    done = subprocess.run(command, env=os.environ | places, capture_output=True, text=True, check=True)
    kept = [("sftp_alder", "second"), ("sftp_own", None), ("smtp_default", None)]
    assert done.stdout.splitlines()[-1] == str(kept)
