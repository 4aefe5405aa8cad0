"""``python -m tests.compose``: play the stories and print their tables."""

import argparse
import importlib.metadata
import shutil
import subprocess
import sys
import tempfile
import time
import traceback
from collections.abc import Sequence
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

from rollcall.settings import PROJECT_ROOT
from tests.compose import accounts, celery, confinement, escapes, nights, outages, recovery, rotation
from tests.compose.stack import SERVICES, Kind, NoDockerError, Stack
from tests.compose.step import Step, Story

ONE_MACHINE = Kind("rollcalltest", dict.fromkeys((*SERVICES, "proxy"), 1), {"COMPOSE_PROFILES": "proxy"})
STORIES = tuple(
    Story(kind, {part.__name__.rpartition(".")[2]: part.STEPS for part in parts})
    for kind, parts in (
        (ONE_MACHINE, (nights, confinement, escapes, accounts, rotation, outages, recovery)),
        (celery.KIND, (celery,)),
    )
)
HEADING = "| What was tried | How it ended | Seconds |\n|---|---|---:|"
BEGIN, END = "<!-- made by `make test-compose`: {} -->", "<!-- end -->"
LOG = PROJECT_ROOT / ".rollcall" / "test-compose.log"


def main() -> int:
    """Play the stories until a step does not end well; 1 then."""
    options = _options()
    options.log.parent.mkdir(parents=True, exist_ok=True)
    try:
        is_well = all(_is_well(story, options) for story in STORIES)
    except NoDockerError as missing:
        print(missing)
        return 1
    return 0 if is_well else 1


def _is_well(story: Story, options: argparse.Namespace) -> bool:
    """Play what was asked for of a story; whether it ended well."""
    told = [part for part in story.parts if part in (options.part or story.parts)]
    if not told:
        return True
    work = Path(tempfile.mkdtemp(prefix="rollcall-compose-"))
    stack = Stack(story.kind, work, options.log)
    lines = [HEADING]
    print(HEADING, flush=True)
    try:
        stack.prepare()
        is_well = all(_is_played(stack, step, lines) for part in told for step in story.parts[part])
        if options.write and is_well and told == list(story.parts):
            _write(options.write, story.kind.project, [_about(stack), "", *lines])
    finally:
        if not options.keep:
            with suppress(AssertionError):
                stack.compose("down", "--volumes", "--timeout", "5")
            shutil.rmtree(work, ignore_errors=True)
    return is_well


def _options() -> argparse.Namespace:
    names = [part for story in STORIES for part in story.parts]
    parser = argparse.ArgumentParser(prog="python -m tests.compose", description=__doc__)
    parser.add_argument("--write", type=Path, metavar="FILE", help="put each whole story's table into this page")
    parser.add_argument("--part", action="append", choices=names, help="play this part alone; it needs those before it")
    parser.add_argument("--log", type=Path, metavar="FILE", default=LOG, help="where the output of Compose goes")
    parser.add_argument("--keep", action="store_true", help="leave the stack running for a look")
    return parser.parse_args()


def _is_played(stack: Stack, step: Step, lines: list[str]) -> bool:
    """Play a step and print its line; whether it ended well."""
    started = time.monotonic()
    try:
        ended = step.play(stack)
    except Exception as error:  # noqa: BLE001 -- whatever it is, it is the step's end
        traceback.print_exc(limit=4)
        with suppress(AssertionError):
            stack.keep_logs()
        ended = ""
        trouble = f"**not well**: {error}"
    lines.append(f"| {step.told} | {ended or trouble} | {time.monotonic() - started:.0f} |")
    print(lines[-1], flush=True)
    return bool(ended)


def _about(stack: Stack) -> str:
    """When this was, and with which versions."""
    commit = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"], cwd=PROJECT_ROOT, capture_output=True, text=True, check=False
    ).stdout.strip()
    versions = {
        "commit": commit or "no commit",
        "Docker": _said("docker", "version", "--format", "{{.Server.Version}}"),
        "Compose": stack.compose("version", "--short").decode(),
        "PostgreSQL": stack.sql("show server_version"),
        "Python": stack.inside("scheduler", "python", "-c", "import platform; print(platform.python_version())"),
        "OpenSSH": stack.inside("sftp", "sh", "-c", "ssh -V 2>&1").partition(",")[0].removeprefix("OpenSSH_"),
        "Airflow": importlib.metadata.version("apache-airflow"),
    }
    if "redis" in stack.kind.services:
        versions["Redis"] = stack.inside("redis", "redis-server", "--version").partition("v=")[2].split()[0]
    told = ", ".join(f"{name} {version.strip()}" for name, version in versions.items())
    return f"{datetime.now(UTC):%B %-d, %Y}: {told}."


def _said(*command: str) -> str:
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def _write(page: Path, project: str, lines: Sequence[str]) -> None:
    """Put lines between the page's marks for a stack."""
    begin = BEGIN.format(project)
    before, _, rest = page.read_text().partition(begin)
    _, _, after = rest.partition(END)
    page.write_text("\n".join([f"{before}{begin}", *lines, f"{END}{after}"]))


if __name__ == "__main__":
    sys.exit(main())
