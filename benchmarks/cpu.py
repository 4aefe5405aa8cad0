"""How much processor time processes take, their children and those that have ended included."""

import os
from contextlib import suppress
from pathlib import Path

TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")


def cpu_seconds(*parents: int) -> float:
    """The processor time of some processes, of their children, and of the children that they have seen end."""
    alive, ticks = set(parents), 0
    for parent in parents:
        ticks += _ticks(parent)[1]
        alive |= {int(pid) for pid in Path(f"/proc/{parent}/task/{parent}/children").read_text().split()}
    for pid in alive:
        with suppress(OSError):
            ticks += _ticks(pid)[0]
    return ticks / TICKS_PER_SECOND


def _ticks(pid: int) -> tuple[int, int]:
    """Clock ticks of a process, and of its children that have ended (proc(5): fields 14 to 17 of stat)."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    user, system, children_user, children_system = (int(ticks) for ticks in fields[11:15])
    return user + system, children_user + children_system
