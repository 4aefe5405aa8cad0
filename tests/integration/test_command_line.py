"""The command line as a whole: every command explains itself, answers a program, and never ends in a traceback."""

import json
import os
import pty
import shlex
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import date
from pathlib import Path

import pytest
import typer
from helpers.inbox import district
from typer.core import TyperCommand, TyperGroup
from typer.testing import CliRunner

from rollcall import ledger
from rollcall.cli import app, main
from rollcall.settings import PROJECT_ROOT, working_on
from rollcall.warehouse import connect

DEFAULTS = PROJECT_ROOT / "dags" / "districts" / "_defaults.yaml"
NIGHT = date(2026, 11, 20)
ROLLCALL = Path(sys.executable).with_name("rollcall")


def leaves(command: object, *path: str) -> Iterator[tuple[str, TyperCommand]]:
    """Every command that does something, by what is typed."""
    if isinstance(command, TyperGroup):
        for name, inner in command.commands.items():
            yield from leaves(inner, *path, name)
    elif isinstance(command, TyperCommand):
        yield " ".join(path), command


COMMANDS = dict(leaves(typer.main.get_command(app)))
CONTRACT = """
    demo / up / down / deploy / status / check / history / inject / approve / discard / rollback / correct-night
    / export / backup / restore / verify / rebuild / upkeep / doctor / simulate / districts list / districts add
    / districts show / districts check / districts kit / districts rotate / districts pause / districts resume
    / districts remove / readers list / readers add / readers grant / readers revoke / readers remove
"""
ANSWERS = (
    "upkeep --dry-run",
    "status",
    "verify",
    "doctor",
    "history maple",
    "districts list",
    "districts check",
    "readers list",
    "simulate night --students 50",
)
"""What answers a program here; with what the others need beside it, their own tests ask them."""
ASKED_ELSEWHERE = {
    "backup",
    "check",
    "inject",
    "approve",
    "discard",
    "rebuild",
    "rekey",
    "restore",
    "rollback",
    "correct-night",
    "export",
    "forget",
    "districts show",
}
NOTHING_OF_IT = [
    ("history nobody", 1, "The ledger knows nothing of nobody."),
    ("inject nobody .", 2, "nobody.yaml: there is no such file; `rollcall districts list` names the districts"),
    ("inject maple nowhere", 2, "nowhere"),
    ("approve 999 --why x", 2, "There is no delivery 999 in the ledger; `rollcall status` lists them."),
    ("discard 999 --why x", 2, "There is no delivery 999 in the ledger; `rollcall status` lists them."),
    ("approve twelve --why x", 2, "Input should be a valid integer"),
    ("rollback nobody --why x", 2, "The ledger knows no district 'nobody'; `rollcall status` lists them."),
    ("correct-night nobody --to 2026-11-20 --why x", 2, "nobody.yaml: there is no such file"),
    ("export nobody", 2, "nobody"),
    ("verify nobody", 2, "The ledger knows no district 'nobody'; `rollcall status` lists them."),
    ("rebuild nobody", 2, "The archive tells no decision about nobody."),
    ("rebuild", 2, "Say which district, or --all."),
    ("restore .", 2, "is no backup: it has no manifest.json"),
    ("backup .", 2, "is not empty"),
    ("check nowhere", 2, "There is no file and no folder nowhere."),
    ("check . --district nobody", 2, "nobody.yaml: there is no such file"),
    ("districts show nobody", 2, "There is no district 'nobody'. `rollcall districts list` names those there are."),
    ("districts check nobody", 2, "nobody.yaml: there is no such file"),
    ("districts pause nobody --until 2026-12-24", 2, "There is no district 'nobody'."),
    ("districts resume ../nobody", 2, "cannot be a district's id"),
    ("districts kit nobody", 1, "Start it with `rollcall up`."),
    ("readers grant nobody --district maple", 2, "nobody"),
    ("readers remove nobody", 2, "nobody"),
]


@pytest.fixture
def world(warehouse_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A warehouse that knows one district, which has a file."""
    (tmp_path / DEFAULTS.name).write_bytes(DEFAULTS.read_bytes())
    (tmp_path / "maple.yaml").write_text("name: Maple")
    monkeypatch.chdir(tmp_path)
    with working_on(districts_dir=tmp_path, state_dir=tmp_path / "state"):
        with connect() as connection:
            ledger.record_district(connection, district())
            ledger.record_night(connection, "maple", NIGHT, "published")
        yield


@pytest.fixture
def typed(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Callable[[str], tuple[int, str]]:
    """Types a command; its exit code, and what it said on standard error."""

    def act(line: str) -> tuple[int, str]:
        monkeypatch.setattr(sys, "argv", ["rollcall", *shlex.split(line)])
        with pytest.raises(SystemExit) as end:
            main()
        return int(end.value.code or 0), " ".join(capsys.readouterr().err.split())

    return act


def test_every_command_of_the_contract_is_there() -> None:
    assert {" ".join(command.split()) for command in CONTRACT.split("/")} - set(COMMANDS) == set()


@pytest.mark.parametrize("name", COMMANDS)
def test_help_has_an_example_that_can_be_typed(name: str) -> None:
    command = COMMANDS[name]
    told, _, examples = (command.help or "").partition("For example:")
    assert told.strip()
    lines = [line.strip() for line in examples.splitlines() if line.strip()]
    assert lines
    known = {option for parameter in command.params for option in parameter.opts}
    for line in lines:
        words = shlex.split(line[line.index("rollcall ") :])
        assert words[1:][: len(name.split())] == name.split(), line
        assert {word for word in words if word.startswith("--")} <= known, line


@pytest.mark.usefixtures("world")
def test_what_prints_facts_prints_them_as_json() -> None:
    for line in ANSWERS:
        told = CliRunner().invoke(app, [*shlex.split(line), "--json"])
        assert isinstance(json.loads(told.stdout), (dict, list)), line
    tried = {max((name for name in COMMANDS if line.startswith(name)), key=len) for line in ANSWERS}
    assert {name for name, command in COMMANDS.items() if any("--json" in each.opts for each in command.params)} == (
        tried | ASKED_ELSEWHERE
    )


@pytest.mark.usefixtures("world")
def test_what_is_not_there_is_said_with_what_to_do(typed: Callable[[str], tuple[int, str]]) -> None:
    for line, code, words in NOTHING_OF_IT:
        ended, said = typed(line)
        assert (ended, words in said) == (code, True), f"{line}: {said}"
        assert "Traceback" not in said
        assert "should not happen" not in said, f"{line}: {said}"


def test_a_setting_that_does_not_fit_is_named(tmp_path: Path) -> None:
    wrong = {"ROLLCALL_ARCHIVE_KEPT_DAYS": "9", "ROLLCALL_STATE_DIR": str(tmp_path)}
    command = [str(ROLLCALL), "upkeep", "--dry-run"]
    told = subprocess.run(command, env=os.environ | wrong, check=False, capture_output=True, text=True)
    assert (told.returncode, told.stdout) == (2, "")
    assert told.stderr == "Settings: ROLLCALL_ARCHIVE_KEPT_DAYS: must be 0, for good, or at least 90\n"


def test_a_shell_completes_districts_once_it_was_told(tmp_path: Path) -> None:
    (tmp_path / "maple.yaml").touch()
    here = {**os.environ, "HOME": str(tmp_path), "ROLLCALL_DISTRICTS_DIR": str(tmp_path)}
    subprocess.run(["bash", "-c", f"{ROLLCALL} --install-completion; true"], env=here, check=True, capture_output=True)
    assert "rollcall" in (tmp_path / ".bashrc").read_text()
    asked = {"_ROLLCALL_COMPLETE": "complete_bash", "COMP_WORDS": "rollcall rollback m", "COMP_CWORD": "2"}
    told = subprocess.run([str(ROLLCALL)], env=here | asked, check=False, capture_output=True, text=True)
    assert told.stdout.split() == ["maple"]


def test_long_work_shows_a_bar_to_a_terminal_and_to_nobody_else(tmp_path: Path) -> None:
    command = [str(ROLLCALL), "simulate", str(tmp_path / "night"), "--students", "50", "--night", "3", "--json"]
    ours, theirs = pty.openpty()
    watched = subprocess.run(command, stdout=subprocess.PIPE, stderr=theirs, check=True)
    assert b"writing its files" in os.read(ours, 4096)
    assert json.loads(watched.stdout)
    for end in (ours, theirs):
        os.close(end)
    assert subprocess.run(command, capture_output=True, check=True).stderr == b""
