"""``rollcall check``: a delivery judged without a running stack."""

import json
import os
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
from typer.testing import CliRunner

from rollcall.cli import app
from rollcall.oneroster import FILE_NAMES
from simulator.night import Delivery, write_night
from simulator.profile import Profile
from simulator.spoil import header_only, remove, truncate

pytestmark = pytest.mark.filterwarnings("ignore")


@pytest.fixture(scope="module")
def night(tmp_path_factory: pytest.TempPathFactory) -> Delivery:
    return write_night(Profile("maple", "Maple", students=150, seed=7), 1, tmp_path_factory.mktemp("night"))


@pytest.fixture
def folder(night: Delivery, tmp_path: Path) -> Path:
    """A copy of a good night, to spoil."""
    return Path(shutil.copytree(night.folder, tmp_path / "night"))


@pytest.fixture(autouse=True)
def nothing_is_left_behind(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
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
    return {name: value for name, value in os.environ.items() if name != "PYTEST_CURRENT_TEST"}


def servers() -> set[int]:
    """PostgreSQL's main processes that this process started."""
    return {child.pid for child in psutil.Process().children() if "postgres" in child.name()}


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
    torn = [found for found in verdict["findings"] if found["code"] == "row_ragged"]
    assert [(found["file"], found["row"], found["severity"]) for found in torn] == [("enrollments", lines, "critical")]
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


@pytest.mark.parametrize("files", [{}, {"students.csv": "a,b\n1,2\n"}, {"readme.txt": "x"}])
def test_files_with_other_names_are_rejected(tmp_path: Path, files: dict[str, str]) -> None:
    folder = tmp_path / "other"
    folder.mkdir()
    for name, content in files.items():
        (folder / name).write_text(content)
    code, verdict = check(folder)
    assert (code, verdict["verdict"], verdict["files"]) == (1, "reject", {})
    assert verdict["format"].startswith("not OneRoster 1.1")
    assert codes(verdict)["no_roster_files"] == "delivery"


def test_a_broken_zip_is_rejected_with_the_reason(tmp_path: Path) -> None:
    (tmp_path / "night.zip").write_bytes(b"PK\x03\x04 and no more")
    code, verdict = check(tmp_path / "night.zip")
    assert (code, verdict["verdict"], verdict["files"]) == (1, "reject", {})
    assert codes(verdict) == {"zip_broken": "delivery"}
    assert "The zip cannot be unpacked" in verdict["findings"][0]["message"]


def test_a_district_is_judged_by_its_own_file(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from rollcall.settings import PROJECT_ROOT, settings

    districts = Path(shutil.copytree(PROJECT_ROOT / "dags" / "districts", tmp_path / "districts"))
    (districts / "maple.yaml").write_text("name: Maple\nfirst_delivery: hold\n")
    monkeypatch.setenv("ROLLCALL_DISTRICTS_DIR", str(districts))
    settings.cache_clear()
    try:
        remove(folder, "demographics")
        assert codes(check(folder, "--district", "maple")[1])["file_missing"] == "demographics"
    finally:
        monkeypatch.undo()
        settings.cache_clear()


def test_a_command_of_its_own_prints_the_verdict_and_nothing_else(night: Delivery) -> None:
    command = [sys.executable, "-c", "from rollcall.cli import main; main()", "check", str(night.folder), "--json"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["verdict"] == "accept"


def test_without_json_it_prints_tables(tmp_path: Path) -> None:
    (tmp_path / "night.zip").write_bytes(b"PK\x03\x04 and no more")
    result = CliRunner().invoke(app, ["check", str(tmp_path / "night.zip")])
    assert result.exit_code == 1
    assert "Verdict: reject" in result.stdout


def test_a_path_that_is_not_there_is_used_wrongly(tmp_path: Path) -> None:
    assert CliRunner().invoke(app, ["check", str(tmp_path / "nowhere")]).exit_code == 2
