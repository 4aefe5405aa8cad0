"""``python -m tests.compose``: play the story and print the table."""

import argparse
import importlib.metadata
import shutil
import subprocess
import sys
import tempfile
import time
import traceback
from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

from rollcall.settings import PROJECT_ROOT
from tests.compose import accounts, confinement, escapes, nights, outages, recovery, rotation
from tests.compose.stack import NoDockerError, Stack
from tests.compose.step import Step

STORY: Mapping[str, Sequence[Step]] = {
    part.__name__.rpartition(".")[2]: part.STEPS
    for part in (nights, confinement, escapes, accounts, rotation, outages, recovery)
}
HEADING = "| What was tried | How it ended | Seconds |\n|---|---|---:|"
BEGIN, END = "<!-- made by `make test-compose` -->", "<!-- end -->"


def main() -> int:
    """Play the steps until one does not end well; 1 then."""
    options = _options()
    work = Path(tempfile.mkdtemp(prefix="rollcall-compose-"))
    log = options.log or work / "compose.log"
    try:
        stack = Stack(work, log)
    except NoDockerError as missing:
        print(missing)
        return 1
    lines = [HEADING]
    print(HEADING, flush=True)
    try:
        stack.prepare()
        told = [step for part, steps in STORY.items() if part in (options.part or STORY) for step in steps]
        is_well = all(_is_played(stack, step, lines) for step in told)
        if options.write and is_well:
            _write(options.write, [_about(stack), "", *lines])
    finally:
        if not options.keep:
            with suppress(AssertionError):
                stack.compose("down", "--volumes", "--timeout", "5")
            shutil.rmtree(work, ignore_errors=True)
    return 0 if is_well else 1


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.compose", description=__doc__)
    parser.add_argument("--write", type=Path, metavar="FILE", help="put the table in place of the one in this page")
    parser.add_argument("--part", action="append", choices=STORY, help="play this part alone; the first is nights")
    parser.add_argument("--log", type=Path, metavar="FILE", help="where the output of Compose goes")
    parser.add_argument("--keep", action="store_true", help="leave the stack running for a look")
    return parser.parse_args()


def _is_played(stack: Stack, step: Step, lines: list[str]) -> bool:
    """Play a step and print its line; whether it ended well."""
    started = time.monotonic()
    try:
        ended = step.play(stack)
    except Exception as error:  # noqa: BLE001 -- whatever it is, it is the step's end
        traceback.print_exc(limit=4)
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
        "PostgreSQL": stack.sql("show server_version"),
        "Python": stack.inside("scheduler", "python", "-c", "import platform; print(platform.python_version())"),
        "OpenSSH": stack.inside("sftp", "sh", "-c", "ssh -V 2>&1").partition(",")[0].removeprefix("OpenSSH_"),
        "Airflow": importlib.metadata.version("apache-airflow"),
    }
    told = ", ".join(f"{name} {version.strip()}" for name, version in versions.items())
    return f"{datetime.now(UTC):%B %-d, %Y}: {told}."


def _said(*command: str) -> str:
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def _write(page: Path, lines: Sequence[str]) -> None:
    """Put lines between the page's marks."""
    before, _, rest = page.read_text().partition(BEGIN)
    _, _, after = rest.partition(END)
    page.write_text("\n".join([f"{before}{BEGIN}", *lines, f"{END}{after}"]))


if __name__ == "__main__":
    sys.exit(main())
