"""What a zip holds, looked at before anything is unpacked: by its directory alone it is taken or refused."""

import re
import stat
import struct
import zipfile
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import IO

from rollcall.arrival.limits import told
from rollcall.arrival.listing import canonical_name, is_finished, is_standard
from rollcall.arrival.unusable import UnusableDeliveryError
from rollcall.districts import UploadLimits
from rollcall.findings import Finding
from rollcall.names import named, shown
from rollcall.signatures import LONGEST, Kind, kind_of

BLOCK_BYTES = 1024 * 1024
HIGHEST_RATIO = 200
MOST_DIRECTORY_BYTES = 4 * 1024 * 1024
BROKEN = (
    zipfile.BadZipFile,
    zlib.error,
    struct.error,
    EOFError,
    NotImplementedError,
    OverflowError,
    ValueError,
)
"""What Python's reader raises on damaged bytes."""

PACKED = frozenset({".zip", ".gz", ".tgz", ".tar", ".7z", ".rar", ".bz2", ".xz", ".zst"})
WORKBOOKS = frozenset({".xlsx", ".xlsm", ".xlsb", ".xls", ".ods"})
ZIPS = (Kind.ZIP, Kind.EMPTY_ZIP)
DRIVE = re.compile(r"^[A-Za-z]:")
END_OF_DIRECTORY = b"PK\x05\x06"
ZIP64_END = b"PK\x06\x06"
ZIP64_LOCATOR = b"PK\x06\x07"
LONGEST_END = 22 + 65535


@dataclass(frozen=True)
class Contents:
    """What is to be unpacked, and what is to be noted."""

    members: tuple[zipfile.ZipInfo, ...]
    findings: tuple[Finding, ...]


def open_zip(source: IO[bytes]) -> zipfile.ZipFile:
    """A zip, opened without reading more of it than a roster's directory can need.

    Raises:
        UnusableDeliveryError: it is not a zip, or its directory is unreasonable.
    """
    if _directory_bytes(source) > MOST_DIRECTORY_BYTES:
        raise UnusableDeliveryError("zip_too_many")
    try:
        return zipfile.ZipFile(source)
    except BROKEN:
        source.seek(0)
        start = source.read(LONGEST)
        kind = "a web page or XML" if start.startswith(b"<") else kind_of(start)
        raise UnusableDeliveryError(
            "zip_broken", f"It looks like {kind}." if kind and kind not in ZIPS else None
        ) from None


def look_into(package: zipfile.ZipFile, packed_bytes: int, upload: UploadLimits) -> Contents:
    """Choose what to unpack.

    Args:
        package: The opened zip.
        packed_bytes: Its size.
        upload: How much the district may send at once.

    Raises:
        UnusableDeliveryError: it is to be refused as a whole.
    """
    members = [info for info in package.infolist() if "__MACOSX" not in _path(info).parts]
    if len(members) > upload.files:
        raise UnusableDeliveryError("zip_too_many", f"Found: {len(members):,}; at most {upload.files:,} are taken.")
    _refuse_workbooks(members)
    for info in members:
        _refuse_hostile(info)
    files = [info for info in members if not info.is_dir() and is_finished(_path(info).name)]
    folder = _folder_of_the_set(files)
    wanted = [info for info in files if _is_csv(info) and _path(info).parent in (folder, PurePosixPath())]
    _refuse_unreasonable(wanted, packed_bytes, upload)
    findings = [Finding("zip_in_folder")] if folder.parts else []
    left = [member_name(info) for info in files if info not in wanted]
    if left:
        findings.append(Finding("file_unknown", detail=f"Left in the zip: {named(left)}."))
    return Contents(tuple(wanted), tuple(findings))


def member_name(info: zipfile.ZipInfo) -> str:
    """A member's name; some Windows programs write backslashes."""
    return info.filename.replace("\\", "/")


def _path(info: zipfile.ZipInfo) -> PurePosixPath:
    return PurePosixPath(member_name(info))


def _is_csv(info: zipfile.ZipInfo) -> bool:
    return _path(info).suffix.lower() == ".csv"


def _refuse_workbooks(members: Sequence[zipfile.ZipInfo]) -> None:
    """A workbook is itself a zip; and one that lies in a zip is no CSV file either."""
    names = [member_name(info) for info in members]
    is_one = "[Content_Types].xml" in names and any(name.startswith("xl/") for name in names)
    books = [name for name in names if PurePosixPath(name).suffix.lower() in WORKBOOKS]
    if is_one or (books and not any(_is_csv(info) for info in members)):
        raise UnusableDeliveryError("zip_workbook", f"Found: {named(books)}." if books else None)


def _refuse_hostile(info: zipfile.ZipInfo) -> None:
    """Nothing that an honest export makes."""
    path, name = _path(info), member_name(info)
    if path.is_absolute() or ".." in path.parts or DRIVE.match(name):
        raise UnusableDeliveryError("zip_path", f"Found: {named([name])}.")
    if stat.S_ISLNK(info.external_attr >> 16):
        raise UnusableDeliveryError("zip_link", f"Found: {named([name])}.")
    if info.flag_bits & 0x1:
        raise UnusableDeliveryError("zip_encrypted")
    if path.suffix.lower() in PACKED and not info.is_dir():
        raise UnusableDeliveryError("zip_nested", f"Found: {named([name])}.")


def _folder_of_the_set(files: Sequence[zipfile.ZipInfo]) -> PurePosixPath:
    """Where the standard's files lie: at the zip's root, or in one folder there."""
    paths = [_path(info) for info in files if is_standard(canonical_name(_path(info).name))]
    deep = [str(path) for path in paths if len(path.parts) > 2]
    if deep:
        raise UnusableDeliveryError("zip_too_deep", f"Found: {named(deep)}.")
    folders = {path.parent for path in paths}
    if len(folders) > 1:
        raise UnusableDeliveryError("zip_folders", f"Found: {named(map(str, paths))}.")
    return next(iter(folders), PurePosixPath())


def _refuse_unreasonable(wanted: Sequence[zipfile.ZipInfo], packed_bytes: int, upload: UploadLimits) -> None:
    """Sizes are judged one by one and together: many members may share the same packed bytes."""
    for info in wanted:
        if not 0 <= info.header_offset < packed_bytes:  # reading there would end in an OSError, as of a broken disk
            raise UnusableDeliveryError("zip_broken", f"{named([member_name(info)])} does not lie in it.")
        if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            raise UnusableDeliveryError("zip_compression")
        _refuse_size(shown(member_name(info)), info.file_size, upload.file_bytes)
        _refuse_ratio(info.file_size, info.compress_size)
    unpacked = sum(info.file_size for info in wanted)
    _refuse_size("It", unpacked, upload.unpacked_bytes)
    _refuse_ratio(unpacked, packed_bytes)


def _refuse_size(name: str, unpacked: int, most: int) -> None:
    if unpacked > most:
        raise UnusableDeliveryError(
            "zip_too_large", f"{name} would unpack to {told(unpacked)}; at most {told(most)} are taken."
        )


def _refuse_ratio(unpacked: int, packed: int) -> None:
    detail = f"It would unpack to {unpacked:,} bytes, from {packed:,}."
    if unpacked > BLOCK_BYTES and unpacked > HIGHEST_RATIO * max(packed, 1):
        raise UnusableDeliveryError("zip_ratio", detail)


def _directory_bytes(source: IO[bytes]) -> int:
    """How long the zip says that its directory is; Python's reader takes it into memory whole. 0 when not found.

    Source: PKWARE, APPNOTE.TXT, sections 4.3.14 to 4.3.16.
    """
    size = source.seek(0, 2)
    start = source.seek(max(0, size - LONGEST_END))
    tail = source.read()
    at = tail.rfind(END_OF_DIRECTORY)
    if at < 0 or len(tail) < at + 22:
        return 0
    length = int(struct.unpack_from("<I", tail, at + 12)[0])
    locator = at - 20
    if locator >= 0 and tail[locator : locator + 4] == ZIP64_LOCATOR:
        source.seek(max(0, start + locator - 56))
        end = source.read(56)
        length = int(struct.unpack_from("<Q", end, 40)[0]) if end.startswith(ZIP64_END) and len(end) == 56 else 0
    source.seek(0)
    return length
