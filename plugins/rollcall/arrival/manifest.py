"""manifest.csv: which files a delivery says it holds, and in which mode.

Source: 1EdTech, OneRoster 1.1 CSV Tables, section on the manifest file.
"""

import codecs
import csv
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace

from rollcall.findings import Finding
from rollcall.ledger import DeliveryFile
from rollcall.names import named
from rollcall.oneroster import FILE_NAMES, LANDED_FILE_NAMES, MANIFEST, MODES, OTHER_FILES

MOST_BYTES = 1024 * 1024
KNOWN_VERSION = re.compile(r"1\.[012](\.\d+)*")
VERSION = "oneroster.version"
OTHERS_OF_1_1 = ("categories", "classResources", "courseResources", "lineItems", "resources", "results")
REQUIRED = ("manifest.version", VERSION, *(f"file.{name}" for name in (*FILE_NAMES, *OTHERS_OF_1_1)))
"""Properties that every manifest of 1.1 has."""


@dataclass(frozen=True)
class Manifest:
    """What a manifest says.

    Attributes:
        modes: The standard's file name to ``bulk``, ``delta`` or ``absent``; without those on which it is not clear.
        findings: What is wrong with it, looked at alone.
        is_readable: Whether anything in it was understood.
    """

    modes: Mapping[str, str]
    findings: tuple[Finding, ...]
    is_readable: bool

    @property
    def announces_nothing(self) -> bool:
        """Whether it can be read and names no file of the roster as bulk or delta."""
        return self.is_readable and not any(self.modes.get(name, "absent") != "absent" for name in LANDED_FILE_NAMES)


def read_manifest(content: bytes) -> Manifest:
    """Read a manifest, leniently: a byte order mark, any case, blanks around cells do not matter.

    Args:
        content: The manifest's bytes; what lies past the first mebibyte is not read.
    """
    values = _properties(content)
    if not values:
        return Manifest({}, (Finding("manifest_unreadable", MANIFEST),), is_readable=False)
    by_name = {name.lower(): name for name in (*LANDED_FILE_NAMES, *OTHER_FILES)}
    modes: dict[str, str] = {}
    findings: list[Finding] = []
    for key, found in values.items():
        file = by_name.get(key.removeprefix("file.")) if key.startswith("file.") else None
        if file is None:
            continue
        if len(found) > 1:
            findings.append(Finding("manifest_property_twice", file))
        elif found <= set(MODES):
            modes[file] = next(iter(found))
        else:
            findings.append(Finding("manifest_mode_unknown", file))
    missing = [name for name in REQUIRED if name.lower() not in values]
    if missing:
        findings.append(Finding("manifest_property_missing", MANIFEST, f"Missing: {', '.join(missing)}."))
    if any(not KNOWN_VERSION.fullmatch(version) for version in values.get(VERSION, ())):
        findings.append(Finding("manifest_version", MANIFEST))
    return Manifest(modes, tuple(findings), is_readable=True)


def with_modes(files: Sequence[DeliveryFile], manifest: Manifest | None) -> list[DeliveryFile]:
    """The files with the manifest's modes; without a manifest, all are ``bulk``.

    A file that is there although the manifest says ``absent``, or does not clearly list it, is read as ``delta``: its
    rows count, but what it does not name is not removed. Never lenient where it could delete.
    """
    if manifest is None:
        return list(files)
    return [
        replace(file, mode="delta" if manifest.modes.get(file.file) != "bulk" else "bulk")
        if file.file in LANDED_FILE_NAMES
        else file
        for file in files
    ]


def disagreements(files: Sequence[DeliveryFile], manifest: Manifest) -> Iterator[Finding]:
    """Where the manifest and the files that are there say different things; the files win."""
    present = {file.file for file in files}
    unclear = {finding.file for finding in manifest.findings}
    for name in LANDED_FILE_NAMES:
        mode = manifest.modes.get(name, "absent")
        if name in present and mode == "absent" and name not in unclear and manifest.is_readable:
            yield Finding("manifest_file_not_listed", name)
        if name not in present and mode != "absent":
            yield Finding("manifest_file_missing", name)
    others = [
        name
        for name in OTHER_FILES
        if manifest.modes.get(name, "absent") != "absent" and f"{name}.csv".lower() not in map(str.lower, present)
    ]
    if others:
        yield Finding("manifest_file_missing", MANIFEST, f"Missing: {named(others)}.")


def _properties(content: bytes) -> dict[str, set[str]]:
    """The properties by name, in lower case, with every value that each is given; blank ones are none."""
    text = content[:MOST_BYTES].decode(_encoding(content), errors="replace").replace("\0", "")
    values: dict[str, set[str]] = {}
    for cells in _lines(text):
        key, value = ([cell.strip().lower() for cell in cells] + ["", ""])[:2]
        if value and key.startswith(("file.", "manifest.", "oneroster.", "source.")):
            values.setdefault(key, set()).add(value)
    return values


def _lines(text: str) -> Iterator[list[str]]:
    """The manifest's lines as cells, up to one that no CSV reader takes."""
    with suppress(csv.Error):
        yield from csv.reader(text.splitlines())


def _encoding(content: bytes) -> str:
    if content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return "utf-16"
    return "utf-8-sig"
