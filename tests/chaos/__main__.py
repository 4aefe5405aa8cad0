"""``python -m tests.chaos``: play the faults and print the table."""

import argparse
import os
import shutil
import signal
import sys
import tempfile
import time
import traceback
from collections.abc import Sequence
from pathlib import Path

from tests.chaos import decisions, disks, hostile, kills, services, upkeep
from tests.chaos.fault import Fault, Outcome
from tests.chaos.ground import Ground, ground

FAULTS: Sequence[Fault] = (
    *kills.FAULTS,
    *upkeep.FAULTS,
    *services.FAULTS,
    *disks.FAULTS,
    *decisions.FAULTS,
    *hostile.FAULTS,
)


def main() -> int:
    """Play the chosen faults; 1 when one does not end well."""
    options = _options()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # the stack is stopped then, too
    chosen = [fault for fault in FAULTS if not options.names or any(name in fault.name for name in options.names)]
    if options.list:
        print("\n".join(f"{fault.name:32} {fault.told}" for fault in chosen))
        return 0
    work = Path(tempfile.mkdtemp(prefix="rollcall-chaos-"))
    work.chmod(0o755)  # as root, PostgreSQL runs as a user of its own, which has to get there
    lines: list[tuple[Fault, Outcome | str]] = []
    try:
        with ground(work, [f.district_id for f in chosen], small_disks=os.geteuid() == 0) as there:
            for fault in chosen:
                lines.append((fault, _played(there, fault)))
                print(_line(*lines[-1]), flush=True)
    finally:
        if options.keep:
            print(f"What the stack left lies in {work}.")
        else:
            shutil.rmtree(work, ignore_errors=True)
    table = "\n".join([HEADING, *(_line(*line) for line in lines)])
    print(f"\n{table}")
    if options.write:
        _write(options.write, table)
    return int(any(isinstance(outcome, str) for _, outcome in lines))


HEADING = "| Fault | How it ended | Seconds until well | A person had to |\n|---|---|---:|---|"


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description=__doc__)
    parser.add_argument("names", nargs="*", help="parts of the names of faults; all when not given")
    parser.add_argument("--list", action="store_true", help="say which faults there are")
    parser.add_argument("--write", type=Path, metavar="FILE", help="put the table in place of the one in this page")
    parser.add_argument("--keep", action="store_true", help="leave the stack's files for a look")
    return parser.parse_args()


def _played(there: Ground, fault: Fault) -> Outcome | str:
    """How a fault ended, or what is wrong with how it ended."""
    if fault.needs_root and not there.small_disks:
        return Outcome("not tried: only root can mount a small disk", 0)
    started = time.monotonic()
    try:
        return fault.play(there, fault.district_id)
    except Exception as error:  # noqa: BLE001 -- whatever a fault brings to light, the others are played too
        traceback.print_exc(limit=4)
        there.up()
        return f"{type(error).__name__}: {error} (after {time.monotonic() - started:.0f} s)"


def _line(fault: Fault, outcome: Outcome | str) -> str:
    if isinstance(outcome, str):
        return f"| {fault.told} | **not well**: {outcome} | | |"
    return f"| {fault.told} | {outcome.told} | {outcome.seconds:.0f} | {outcome.person} |"


def _write(page: Path, table: str) -> None:
    """Put the table between its marks."""
    before, _, rest = page.read_text().partition(BEGIN)
    _, _, after = rest.partition(END)
    page.write_text(f"{before}{BEGIN}\n{table}\n{END}{after}")


BEGIN, END = "<!-- made by `make chaos` -->", "<!-- end -->"

if __name__ == "__main__":
    sys.exit(main())
