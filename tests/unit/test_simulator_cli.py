"""The command ``rollcall simulate``."""

import json
from pathlib import Path
from zipfile import ZipFile

import pytest
import typer
from typer.testing import CliRunner

import simulator.cli
from simulator.cli import simulate
from simulator.night import write_night
from simulator.profile import Profile, Rates
from simulator.upload import Account, UploadError

app = typer.Typer()
app.command()(simulate)
run = CliRunner().invoke


def test_it_writes_the_night_it_is_asked_for(tmp_path: Path) -> None:
    rates = Rates(0.1, 0.1, 0.1, 0.1, 0.1, 0.1)
    profile = Profile("fir", "Fir District", 300, 9, levels="elementary", manifest=True, rates=rates)
    given = ["--night", "2", "--district", "fir", "--name", "Fir District", "--students", "300", "--seed", "9"]
    given += ["--levels", "elementary", "--manifest"]
    for rate in ("joiners", "leavers", "school-movers", "class-changes", "renames", "new-sections"):
        given += [f"--{rate}", "0.1"]
    result = run(app, [str(tmp_path / "cli"), *given, "--json"])
    assert result.exit_code == 0, result.output
    delivery = write_night(profile, 2, tmp_path / "api")
    said = json.loads(result.stdout)
    assert said["expected"]["rows"] == delivery.expected.rows
    assert said["expected"]["removed"] == delivery.expected.removed
    assert said["service_date"] == "2026-11-17"
    assert said["files"] == [path.name for path in delivery.files]
    for path in delivery.files:
        assert (tmp_path / "cli" / path.name).read_bytes() == path.read_bytes()


def test_the_table_shows_rows_and_changes(tmp_path: Path) -> None:
    result = run(app, [str(tmp_path), "--students", "1300", "--night", "2"])
    expected = write_night(Profile("demo", "Demo Unified School District", 1300, 1), 2, tmp_path).expected
    line = next(line for line in result.stdout.splitlines() if line.startswith("enrollments"))
    counts = [expected.rows, expected.added, expected.changed, expected.removed]
    assert line.replace(",", "").split()[1:] == [str(count["enrollments"]) for count in counts]
    assert f"{expected.roster_rows:,} active places" in result.stdout


def test_a_night_is_spoiled_before_it_is_packed(tmp_path: Path) -> None:
    given = ["--students", "60", "--packaging", "zip", "--spoil", "remove:orgs", "--spoil", "header_only:users"]
    result = run(app, [str(tmp_path), *given])
    assert result.exit_code == 0, result.output
    with ZipFile(tmp_path / "oneroster.zip") as archive:
        assert "orgs.csv" not in archive.namelist()
        assert archive.read("users.csv").count(b"\n") == 1


def test_it_uploads_what_it_wrote(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    calls = []
    monkeypatch.setattr(simulator.cli, "upload", lambda *args, **kwargs: calls.append((args, kwargs)))
    monkeypatch.setenv("FIR_PASSWORD", "s3cret")
    given = ["--students", "60", "--host", "sftp.example", "--port", "2222", "--username", "fir"]
    given += ["--password-env", "FIR_PASSWORD", "--temporary-names", "--stop-after-bytes", "70", "--directory", "in"]
    result = run(app, [str(tmp_path), *given])
    assert result.exit_code == 0, result.output
    ((account, files), how) = calls[0]
    assert account == Account("sftp.example", 2222, "fir", "s3cret")
    assert sorted(files) == sorted(tmp_path.iterdir())
    assert how == {"directory": "in", "temporary_names": True, "stop_after_bytes": 70}


def test_an_upload_that_fails_exits_1_and_says_why(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **__: object) -> None:
        raise UploadError("The server is closed on Mondays.")

    monkeypatch.setattr(simulator.cli, "upload", fail)
    monkeypatch.setenv("ROLLCALL_SIMULATE_PASSWORD", "s3cret")
    result = run(app, [str(tmp_path), "--students", "60", "--host", "h", "--username", "u"])
    assert result.exit_code == 1
    assert "closed on Mondays" in result.stderr
    assert "s3cret" not in result.output


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (["--joiners", "3"], "joiners must lie between 0 and 1"),
        (["--night", "400"], "outside the school year"),
        (["--spoil", "burn"], "no way to spoil"),
        (["--host", "h"], "--username"),
        (["--host", "h", "--username", "u", "--password-env", "NO_SUCH_VARIABLE"], "NO_SUCH_VARIABLE"),
        (["--levels", "high"], "k12"),
    ],
)
def test_wrong_use_exits_2_and_says_why(tmp_path: Path, given: list[str], message: str) -> None:
    result = run(app, [str(tmp_path), "--students", "60", *given])
    assert result.exit_code == 2
    assert message in " ".join(result.stderr.replace("│", " ").split())


def test_help_names_every_way_to_spoil() -> None:
    result = run(app, ["--help"], env={"COLUMNS": "200"})
    assert result.exit_code == 0
    for way in ("truncate", "drop_line_end", "remove", "header_only", "drop_school", "rekey_users"):
        assert way in result.stdout
