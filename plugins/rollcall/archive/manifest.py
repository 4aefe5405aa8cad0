"""manifest.csv: which files a delivery says it holds, and in which mode.

Source: 1EdTech, OneRoster 1.1 CSV Tables, section on the manifest file.
"""

import csv
import io
from collections.abc import Mapping
from dataclasses import replace

from rollcall.ledger import DeliveryFile
from rollcall.oneroster import FILE_NAMES, MODES

MOST_BYTES = 1024 * 1024


def read_modes(content: bytes) -> Mapping[str, str]:
    """The ``file.*`` properties of a manifest: the standard's file name to ``bulk``, ``delta`` or ``absent``.

    Lenient: a byte order mark, any case, blanks around cells; a property with another value is left out.

    Args:
        content: The manifest's bytes; what lies past the first mebibyte is not read.
    """
    text = content[:MOST_BYTES].decode("utf-8-sig", errors="replace")
    modes: dict[str, str] = {}
    for cells in csv.reader(io.StringIO(text)):
        if len(cells) >= 2 and cells[0].strip().lower().startswith("file."):
            modes[cells[0].strip()[len("file.") :].lower()] = cells[1].strip().lower()
    return {name: modes[name.lower()] for name in FILE_NAMES if modes.get(name.lower()) in MODES}


def with_modes(files: list[DeliveryFile], modes: Mapping[str, str]) -> list[DeliveryFile]:
    """The files with the manifest's modes.

    A file that is there although the manifest says ``absent``, or does not list it, is read as ``delta``: its rows
    count, but what it does not name is not removed. Never lenient where it could delete.
    """
    return [
        replace(file, mode="delta" if modes.get(file.file, "absent") == "absent" else modes[file.file])
        if file.file in FILE_NAMES
        else file
        for file in files
    ]
