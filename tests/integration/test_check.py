"""``rollcall check``: a delivery judged without a running stack."""

import csv
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import zipfile
from collections.abc import Callable, Iterator
from contextlib import suppress
from hashlib import sha256
from pathlib import Path
from typing import Any

import psutil
import pytest
from helpers.deliveries import accept, execute, query
from typer.testing import CliRunner

from rollcall.archive.content import content_hash
from rollcall.archive.store import Archive
from rollcall.check.published_state import EarlierDelivery
from rollcall.cli import app
from rollcall.codes import catalog
from rollcall.conform import conform
from rollcall.districts import load_district
from rollcall.ledger import DeliveryFile
from rollcall.oneroster import FILE_NAMES, FILES
from rollcall.settings import PROJECT_ROOT, working_on
from simulator.night import Delivery, write_night
from simulator.profile import Profile
from simulator.spoil import header_only, remove, truncate

COMMAND = [sys.executable, "-c", "from rollcall.cli import main; main()"]

pytestmark = pytest.mark.filterwarnings("ignore")


@pytest.fixture(scope="module")
def night(tmp_path_factory: pytest.TempPathFactory) -> Delivery:
    return write_night(Profile("maple", "Maple", students=150, seed=7), 1, tmp_path_factory.mktemp("night"))


@pytest.fixture
def folder(night: Delivery, tmp_path: Path) -> Path:
    """A copy of a good night, to spoil."""
    return Path(shutil.copytree(night.folder, tmp_path / "night"))


@pytest.fixture(autouse=True)
def nothing_is_left_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Whatever a check makes is gone after it: files, processes, and what it said in the environment."""
    own = Path(tempfile.mkdtemp(prefix="rollcall-check-"))
    own.chmod(0o755)  # as root, PostgreSQL runs as a user of its own, which has to get there
    monkeypatch.setattr(tempfile, "tempdir", str(own))
    before = environment(), servers()
    yield
    assert [path.name for path in own.iterdir() if path.name != ".lockfile"] == []  # PostgreSQL's wheel keeps one
    assert (environment(), servers()) == before
    shutil.rmtree(own)


def environment() -> dict[str, str]:
    """But for what pytest says there, and Great Expectations when it is imported."""
    return {name: value for name, value in os.environ.items() if name not in ("PYTEST_CURRENT_TEST", "SF_PARTNER")}


def servers(of: int | None = None) -> set[int]:
    """The processes beside a process (this one) that keep a PostgreSQL, and that PostgreSQL's."""
    found: set[int] = set()
    for child in psutil.Process(of).children():
        with suppress(psutil.Error):  # it may end meanwhile
            if any("keeper.py" in word for word in child.cmdline()):
                found |= {child.pid, *(process.pid for process in child.children(recursive=True))}
    return found


def is_running(pid: int) -> bool:
    """Whether a process still does something; an ended one may lie about until somebody asks after it."""
    with suppress(psutil.NoSuchProcess):
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    return False


def check(path: Path, *options: str) -> tuple[int, dict[str, Any]]:
    result = CliRunner().invoke(app, ["check", str(path), "--json", *options])
    assert isinstance(result.exception, SystemExit | None), result.exception
    return result.exit_code, json.loads(result.stdout)


def codes(verdict: dict[str, Any], severity: str = "critical") -> dict[str, str]:
    """File by code, of findings of a severity."""
    return {found["code"]: found["file"] for found in verdict["findings"] if found["severity"] == severity}


def test_a_good_folder_is_accepted_in_the_contracts_shape(night: Delivery) -> None:
    code, verdict = check(night.folder)
    assert code == 0
    assert set(verdict) == {"verdict", "format", "files", "findings"}
    assert verdict["verdict"] == "accept"
    assert verdict["format"] == "OneRoster 1.1, loose files"
    assert verdict["files"] == {
        name: {"rows": night.expected.rows[name], "rejected": 0, "verdict": "accept"} for name in FILE_NAMES
    }
    assert codes(verdict) == {}
    for found in verdict["findings"]:
        assert set(found) == {"file", "row", "sourced_id", "column", "severity", "code", "message"}
        assert found["message"]


def test_a_good_zip_is_accepted(folder: Path, tmp_path: Path) -> None:
    package = tmp_path / "night.zip"
    with zipfile.ZipFile(package, "w") as target:
        for file in folder.iterdir():
            target.write(file, f"export/{file.name}")
    code, verdict = check(package)
    assert (code, verdict["verdict"], verdict["format"]) == (0, "accept", "OneRoster 1.1, zip")
    assert set(verdict["files"]) == set(FILE_NAMES)


def test_demographics_may_be_missing_and_nothing_else(folder: Path) -> None:
    remove(folder, "demographics")
    assert check(folder)[1]["verdict"] == "accept"
    remove(folder, "courses")
    code, verdict = check(folder)
    assert (code, verdict["verdict"]) == (1, "reject")
    assert codes(verdict)["file_missing"] == "courses"


def test_truncated_enrollments_keep_the_whole_lines_and_tell_the_torn_one(folder: Path, night: Delivery) -> None:
    truncate(folder, "enrollments", 0.5)
    with (folder / "enrollments.csv").open("rb") as source:
        lines = sum(1 for _ in source)
    code, verdict = check(folder)
    assert verdict["files"]["enrollments"]["rows"] == lines - 1
    assert verdict["files"]["enrollments"]["rejected"] == 1
    ragged = [found for found in verdict["findings"] if found["code"] == "row_ragged"]
    assert [(found["file"], found["row"], found["severity"]) for found in ragged] == [
        ("enrollments", lines, "critical")
    ]
    assert (code == 0) == (verdict["verdict"] == "accept")


def test_a_header_alone_is_no_failure(folder: Path) -> None:
    header_only(folder, "demographics")
    code, verdict = check(folder)
    assert (code, verdict["files"]["demographics"]) == (0, {"rows": 0, "rejected": 0, "verdict": "accept"})


def test_files_with_other_headers_are_rejected(tmp_path: Path) -> None:
    folder = tmp_path / "other"
    folder.mkdir()
    for name in FILE_NAMES:
        (folder / f"{name}.csv").write_text("Student,Born\nAnn Alder,2012-02-29\n")
    code, verdict = check(folder)
    assert (code, verdict["verdict"]) == (1, "reject")
    assert {file["verdict"] for file in verdict["files"].values()} == {"reject"}
    assert "file_unreadable" in codes(verdict)
    assert "Alder" not in json.dumps(verdict)


def test_a_zip_or_a_folder_of_files_may_lie_in_a_folder(folder: Path, tmp_path: Path) -> None:
    outer = tmp_path / "outer"
    shutil.copytree(folder, outer / "export")
    (outer / ".DS_Store").write_bytes(b"")
    assert check(outer)[1]["verdict"] == "accept"
    shutil.make_archive(str(outer / "night"), "zip", outer / "export")
    code, verdict = check(outer)
    assert (code, verdict["format"]) == (0, "OneRoster 1.1, zip")


def test_the_path_is_only_read(night: Delivery) -> None:
    def seen() -> list[tuple[str, int, int]]:
        return sorted((path.name, path.stat().st_mtime_ns, path.stat().st_size) for path in night.folder.iterdir())

    before = seen(), night.folder.stat().st_mtime_ns
    check(night.folder)
    assert (seen(), night.folder.stat().st_mtime_ns) == before


def test_findings_come_in_the_order_in_which_they_are_best_mended(folder: Path) -> None:
    spoil_column(folder / "enrollments.csv", "role", "wizard", rows=3)
    spoil_column(folder / "users.csv", "role", "wizard", rows=2)
    spoil_column(folder / "orgs.csv", "type", "castle", rows=1)
    remove(folder, "courses")
    found = [finding["file"] for finding in check(folder)[1]["findings"] if finding["severity"] == "critical"]
    assert list(dict.fromkeys(found)) == ["courses", "orgs", "users", "enrollments"]


def test_people_see_each_code_once_with_its_first_rows(folder: Path) -> None:
    spoil_column(folder / "enrollments.csv", "role", "wizard", rows=300)
    result = CliRunner().invoke(app, ["check", str(folder)])
    assert result.exit_code == 1
    assert "and 290 more" in result.stdout
    assert result.stdout.count("enrollments_role_invalid") == 1
    assert max(map(len, result.stdout.splitlines())) <= 100


def spoil_column(path: Path, column: str, value: str, rows: int) -> None:
    """Write a value into the first rows of a file."""
    header, *lines = list(csv.reader(path.read_text().splitlines()))
    for line in lines[:rows]:
        line[header.index(column)] = value
    with path.open("w", newline="") as target:
        csv.writer(target).writerows([header, *lines])


def test_against_an_earlier_delivery_what_is_gone_is_seen(folder: Path, night: Delivery, tmp_path: Path) -> None:
    assert check(folder, "--against", str(night.folder))[1]["verdict"] == "accept"
    truncate(folder, "enrollments", 0.5)
    code, verdict = check(folder, "--against", str(night.folder))
    assert (code, verdict["verdict"]) == (1, "hold")
    assert codes(verdict)["hold_removed"] == "enrollments"


def test_against_what_a_warehouse_publishes_which_is_only_read(
    folder: Path, night: Delivery, warehouse_url: str, districts: Path
) -> None:
    publish(warehouse_url, "maple", night.folder)
    before = warehouse_counts(warehouse_url)
    assert check(folder, "--against", "maple")[1]["verdict"] == "accept"
    truncate(folder, "enrollments", 0.5)
    code, verdict = check(folder, "--against", "maple")
    assert (code, verdict["verdict"]) == (1, "hold")
    assert codes(verdict)["hold_removed"] == "enrollments"
    assert warehouse_counts(warehouse_url) == before

    take_back(warehouse_url, "maple", night.folder)
    code, verdict = check(night.folder, "--against", "maple")
    assert (code, "hold_rolled_back" in codes(verdict)) == (1, True)


def test_law_5_a_cut_between_two_records_is_seen_where_the_earlier_files_can_be_read(
    folder: Path, night: Delivery, warehouse_url: str, districts: Path, tmp_path: Path
) -> None:
    def told(against: str) -> str:
        verdict = check(folder, "--against", against)[1]
        (finding,) = [each for each in verdict["findings"] if each["severity"] == "critical"]
        assert (verdict["verdict"], finding["code"], finding["file"]) == ("hold", "hold_tail_missing", "enrollments")
        return str(finding["message"])

    lines = (folder / "enrollments.csv").read_bytes().splitlines(keepends=True)
    (folder / "enrollments.csv").write_bytes(b"".join(lines[:-15]))
    with working_on(archive_url=(tmp_path / "archive").as_uri()):
        maple = load_district(districts / "maple.yaml").model_copy(update={"first_delivery": "accept"})
        EarlierDelivery(night.folder).publish(maple, Archive.of("maple"), night.service_date)
        assert "15 records" in told(str(night.folder))
        assert "15 records" in told("maple")
    with working_on(archive_url=(tmp_path / "elsewhere").as_uri()):
        assert "the archive does not hold that file" in told("maple")


def publish(url: str, district_id: str, folder: Path) -> None:
    """Make a night's files what a warehouse publishes of a district."""
    files = {}
    for file in FILES:
        with (folder / file.file_name).open(newline="") as source:
            columns = {column.name: column.column_name for column in file.landed_columns}
            files[file.name] = [
                {columns[name]: value or None for name, value in row.items() if name in columns}
                for row in csv.DictReader(source)
            ]
    accept(url, district_id, 1, files)
    conform(reland=lambda _: None)


def take_back(url: str, district_id: str, folder: Path) -> None:
    """Have the ledger say that a folder's content was published again and that a person went back from it."""
    sent = [DeliveryFile(0, path.stem, path.name, "", sha256(path.read_bytes()).hexdigest(), 0)
            for path in folder.glob("*.csv")]  # fmt: skip
    execute(
        url,
        """
        with ledger as (
            insert into rollcall.delivery (district_id, service_date, run_id, state, content_hash, accepted_sequence)
            values (%s, '2026-10-01', 'wrong', 'published', %s, 2), (%s, '2026-10-01', 'back', 'published', 'right', 3)
            returning delivery_id, accepted_sequence
        )
        insert into rollcall.rollback
            (district_id, delivery_id, sequence, from_sequence, to_sequence, rolled_back_by, why)
        select %s, delivery_id, 3, 2, 1, 'Jo', 'so' from ledger where accepted_sequence = 3
        """,
        district_id,
        content_hash(sent),
        district_id,
        district_id,
    )


def warehouse_counts(url: str) -> list[object]:
    tables = ("rollcall.delivery", "rollcall.district", "rollcall.check_result", "history.hist_enrollments")
    return [query(url, f"select count(*) from {table}")[0][0] for table in tables]


@pytest.fixture
def districts(tmp_path: Path) -> Iterator[Path]:
    """A folder of district files, with one for maple."""
    folder = Path(shutil.copytree(PROJECT_ROOT / "dags" / "districts", tmp_path / "districts"))
    (folder / "maple.yaml").write_text("name: Maple\nfirst_delivery: hold\n")
    with working_on(districts_dir=folder):
        yield folder


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--against", "no/such/place"), "There is no folder, no zip and no district called no/such/place."),
        (
            ("--against", "nowhere-usd"),
            "nowhere-usd.yaml: there is no such file; `rollcall districts list` names the districts",
        ),
        (
            ("--district", "nowhere-usd"),
            "nowhere-usd.yaml: there is no such file; `rollcall districts list` names the districts",
        ),
    ],
)
def test_wrong_options_are_told_in_a_sentence(folder: Path, options: tuple[str, ...], said: str) -> None:
    done = run("check", str(folder), "--json", *options)
    assert (done.returncode, done.stderr) == (2, "")
    assert json.loads(done.stdout)["error"]["message"] == said


def run(*arguments: str) -> "subprocess.CompletedProcess[str]":
    """The command in a process of its own."""
    return subprocess.run([*COMMAND, *arguments], capture_output=True, text=True, check=False, timeout=120)


def test_a_check_that_is_killed_leaves_no_server_and_no_folder(night: Delivery) -> None:
    environment = os.environ | {"TMPDIR": str(tempfile.gettempdir())}
    killed = subprocess.Popen([*COMMAND, "check", str(night.folder)], env=environment, stdout=subprocess.DEVNULL)
    wait_for(lambda: len(servers(killed.pid)) > 2)
    running = servers(killed.pid)
    assert any(path.name.startswith("rollcall-") for path in Path(tempfile.gettempdir()).iterdir())
    killed.send_signal(signal.SIGKILL)
    killed.wait()
    wait_for(lambda: not any(map(is_running, running)))
    wait_for(lambda: not [path for path in Path(tempfile.gettempdir()).iterdir() if path.name.startswith("rollcall-")])


def wait_for(condition: Callable[[], bool]) -> None:
    """Look again and again; whoever waits in vain is ended by the test's own time limit."""
    while not condition():
        time.sleep(0.02)


@pytest.mark.parametrize("files", [{}, {"students.csv": "a,b\n1,2\n"}, {"readme.txt": "x"}])
def test_files_with_other_names_are_rejected(tmp_path: Path, files: dict[str, str]) -> None:
    folder = tmp_path / "other"
    folder.mkdir()
    for name, content in files.items():
        (folder / name).write_text(content)
    code, verdict = check(folder)
    assert (code, verdict["verdict"], verdict["files"]) == (1, "reject", {})
    assert verdict["format"].startswith("not OneRoster")
    assert codes(verdict)["no_roster_files"] == "delivery"
    assert set(codes(verdict)) <= set(catalog())


def test_a_broken_zip_is_rejected_with_the_reason(tmp_path: Path) -> None:
    (tmp_path / "night.zip").write_bytes(b"PK\x03\x04 and no more")
    code, verdict = check(tmp_path / "night.zip")
    assert (code, verdict["verdict"], verdict["files"]) == (1, "reject", {})
    assert codes(verdict) == {"zip_broken": "delivery"}
    assert "The zip cannot be unpacked" in verdict["findings"][0]["message"]


def test_a_district_is_judged_by_its_own_file(folder: Path, districts: Path) -> None:
    remove(folder, "demographics")
    assert codes(check(folder, "--district", "maple")[1])["file_missing"] == "demographics"


def test_a_command_of_its_own_prints_the_verdict_and_nothing_else(night: Delivery) -> None:
    done = run("check", str(night.folder), "--json")
    assert (done.returncode, done.stderr) == (0, "")
    assert json.loads(done.stdout)["verdict"] == "accept"


def test_without_json_it_prints_tables(tmp_path: Path) -> None:
    (tmp_path / "night.zip").write_bytes(b"PK\x03\x04 and no more")
    result = CliRunner().invoke(app, ["check", str(tmp_path / "night.zip")])
    assert result.exit_code == 1
    assert result.stdout.startswith("Reject: ")


WATCHED = """
import sys, threading
class Watch:
    def find_spec(self, name, path=None, target=None):
        if threading.current_thread() is not threading.main_thread():
            print("imported beside the main thread:", name, file=sys.stderr)
sys.meta_path.insert(0, Watch())
from rollcall.cli import main
main()
"""


def test_no_two_threads_import_at_once(night: Delivery) -> None:
    """One of them would see a module half made, now and then: on a loaded machine about once in twelve checks."""
    done = subprocess.run(
        [sys.executable, "-c", WATCHED, "check", str(night.folder), "--json"],
        capture_output=True, text=True, check=False, timeout=120,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("when", ["made", "ready"])
def test_a_server_that_does_not_start_or_is_killed_is_started_again(night: Delivery, when: str) -> None:
    """The first by its keeper's next attempt, the second by the check's."""
    environment = os.environ | {"TMPDIR": str(tempfile.gettempdir())}
    checking = subprocess.Popen(
        [*COMMAND, "check", str(night.folder), "--json"], env=environment, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip
    kill = {"made": kill_initdb_of, "ready": kill_ready_server_of}[when]
    killed = False
    while not killed and checking.poll() is None:
        killed = kill(checking.pid)
        time.sleep(0.01)
    out, told = checking.communicate(timeout=120)
    assert (killed, checking.returncode, told) == (True, 0, "")
    assert json.loads(out)["verdict"] == "accept"


def kill_initdb_of(pid: int) -> bool:
    """Kill what makes the cluster of a check's server; whether there was one."""
    with suppress(psutil.Error):
        for process in psutil.Process(pid).children(recursive=True):
            if process.name() == "initdb":
                process.kill()
                return True
    return False


def kill_ready_server_of(pid: int) -> bool:
    """Kill a check's server once its keeper has said that it is ready; whether there was one."""
    with suppress(psutil.Error, OSError):
        for process in psutil.Process(pid).children(recursive=True):
            words = process.cmdline()
            if process.name() == "postgres" and any("unix_socket_directories" in word for word in words):
                status = Path(words[words.index("-D") + 1], "postmaster.pid").read_text().splitlines()
                if status[7:8] and status[7].strip() == "ready":
                    time.sleep(0.3)  # the keeper looks every hundredth of a second
                    process.kill()
                    return True
    return False


def test_a_server_that_never_starts_is_no_verdict(night: Delivery, tmp_path: Path) -> None:
    """Exit 1 is a verdict's: whatever is none exits 2, with a word on it where a program looks for one."""
    too_long = tmp_path / ("long" * 25)
    too_long.mkdir()
    command = [*COMMAND, "check", str(night.folder)]
    environment = os.environ | {"TMPDIR": str(too_long)}
    for_programs = subprocess.run([*command, "--json"], env=environment, capture_output=True, text=True, check=False)
    assert (for_programs.returncode, for_programs.stderr) == (2, "")
    error = json.loads(for_programs.stdout)["error"]
    assert (set(error), error["kind"]) == ({"kind", "message"}, "stack")
    assert "set TMPDIR to a shorter one" in error["message"]

    for_people = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert (for_people.returncode, for_people.stdout) == (2, "")
    assert "set TMPDIR to a shorter one" in for_people.stderr


def test_law_7_an_error_of_no_known_kind_is_told_without_its_words(night: Delivery) -> None:
    """Its message may quote a cell, and a traceback helps nobody who has only this command."""
    broken = "import rollcall.check.from_disk as sent; sent.assess = lambda *_: {}['Ann Alder']; "
    command = [sys.executable, "-c", broken + COMMAND[2], "check", str(night.folder)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
    assert (done.returncode, done.stdout) == (2, "")
    assert "KeyError" in done.stderr
    assert "from_disk.py:" in done.stderr
    assert "Alder" not in done.stderr
    assert "Traceback" not in done.stderr


def test_what_a_library_prints_does_not_get_into_the_verdict(night: Delivery) -> None:
    talkative = "import rollcall.check.check as check; check.check_all = talk(check.check_all); "
    talk = "talk = lambda work: lambda *given, **named: (print('landing ...'), work(*given, **named)); "
    command = [sys.executable, "-c", talk + talkative + COMMAND[2], "check", str(night.folder), "--json"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
    assert (done.returncode, done.stderr) == (0, "landing ...\n")
    assert json.loads(done.stdout)["verdict"] == "accept"


def test_a_path_that_is_not_there_is_used_wrongly(tmp_path: Path) -> None:
    code, told = check(tmp_path / "nowhere")
    assert (code, told["error"]["kind"]) == (2, "not_readable")
    assert "nowhere" in told["error"]["message"]
