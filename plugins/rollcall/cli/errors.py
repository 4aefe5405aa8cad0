"""What the command line says of an error, and how it ends: a sentence without values, never a traceback (law 7)."""

import re
import traceback
from pathlib import Path

from rich.console import Console
from rich.text import Text

from rollcall.settings import PROJECT_ROOT

BAD_NEWS, USED_WRONGLY = 1, 2


def exit_code(error: Exception) -> int:
    """How a command ends that this error ended: 1 where a part of Rollcall needs somebody, else 2."""
    from rollcall.airflow_api import AirflowUnreachableError
    from rollcall.archive.store import ArchiveError
    from rollcall.export.export import NothingPublishedError
    from rollcall.gate import GateError
    from rollcall.local import LocalStateError
    from rollcall.stack import StackError
    from rollcall.warehouse import WarehouseError

    needs_somebody = (
        AirflowUnreachableError, ArchiveError, GateError, LocalStateError, NothingPublishedError, StackError,
        WarehouseError,
    )  # fmt: skip
    return BAD_NEWS if isinstance(error, needs_somebody) else USED_WRONGLY


def say(error: Exception) -> None:
    """Tell a person, on standard error."""
    Console(stderr=True).print(f"[red]{_name(error)}:[/]", Text(sentence(error)), highlight=False, soft_wrap=True)


def kind(error: Exception) -> str:
    """What to call the error: its class, ``NotReadableError``, as ``not_readable``."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", _name(error)).lower()


def sentence(error: Exception) -> str:
    """What happened, and what to do; of an error that is not one of Rollcall's, no word that might quote a cell."""
    if type(error).__module__.startswith(("rollcall.", "simulator.")):
        return str(error)
    if isinstance(error, OSError) and error.strerror:
        return f"{error.strerror}{f': {error.filename}' if error.filename else ''} ({_place(error)})."
    return (
        f"This should not happen: {type(error).__name__} ({_place(error)}). Try again; if it comes back, report it "
        "with this line."
    )


def _name(error: Exception) -> str:
    return type(error).__name__.removesuffix("Error")


def _place(error: Exception) -> str:
    """Where in Rollcall it happened: the last of its own lines on the way, and the line that raised it."""
    frames = [(Path(frame.filename), frame.lineno) for frame in traceback.extract_tb(error.__traceback__)]
    own = [frame for frame in frames if PROJECT_ROOT in frame[0].parents and ".venv" not in frame[0].parts]
    return " from ".join(dict.fromkeys(f"{path.name}:{line}" for path, line in [*frames[-1:], *own[-1:]]))
