"""Reading the district files, each laid over the defaults beside it."""

from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml
from pydantic import ValidationError

from rollcall.districts.district import District
from rollcall.yaml_text import read_yaml

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails

DEFAULTS_FILE = "_defaults.yaml"
REMOVED = ".removed"
"""How the name of a file ends whose district was taken out."""
FILES_KEPT = 4096
"""How many districts a process keeps in mind."""


class DistrictFileError(Exception):
    """A district file that cannot be used; the message names the file, the key and the reason."""


def load_district(path: Path) -> District:
    """Read one district file over the defaults beside it.

    Args:
        path: ``…/<district_id>.yaml``.

    Raises:
        DistrictFileError: the file or the defaults cannot be read, or a key is missing, unknown or wrong.
    """
    return _loaded(path, _version(path), _version(path.with_name(DEFAULTS_FILE)))


def _version(path: Path) -> tuple[int, ...]:
    """What tells a file from what it was before; blank for one that cannot be looked at, which reading it says."""
    try:
        seen = path.stat()
    except OSError:
        return ()
    return seen.st_mtime_ns, seen.st_size, seen.st_ino


@lru_cache(maxsize=FILES_KEPT)
def _loaded(path: Path, *_: tuple[int, ...]) -> District:
    """The district of a file; of a thousand files that have not changed, none is read again."""
    return district_saying(path, _read(path))


def district_saying(path: Path, own: dict[str, Any]) -> District:
    """What the district would be if its file said this.

    Args:
        path: ``…/<district_id>.yaml``; the defaults lie beside it, the file itself need not.
        own: The file's keys and values.

    Raises:
        DistrictFileError: the defaults cannot be read, or a key is missing, unknown or wrong.
    """
    values = _merged(_read(path.with_name(DEFAULTS_FILE)), own)
    if "district_id" in values:
        raise DistrictFileError(f"{path.name}: district_id: comes from the file's name; leave it out")
    try:
        return District.model_validate({"district_id": path.stem} | values)
    except ValidationError as error:
        mistakes = "; ".join(_sentence(mistake) for mistake in error.errors())
        raise DistrictFileError(f"{path.name}: {mistakes}") from None


def district_files(folder: Path) -> list[Path]:
    """The district files of a folder, by name; ``_defaults.yaml`` and its like are not districts."""
    return sorted(path for path in folder.glob("*.yaml") if not path.name.startswith("_"))


def removed_file(path: Path) -> Path:
    """What a district's file is called once a person took the district out: a file that nobody reads."""
    return path.with_name(path.name + REMOVED)


def removed_districts(folder: Path) -> frozenset[str]:
    """The districts that a person took out of a folder, and that did not come back."""
    gone = {path.name.removesuffix(f".yaml{REMOVED}") for path in folder.glob(f"*.yaml{REMOVED}")}
    return frozenset(gone - {path.stem for path in district_files(folder)})


def load_districts(folder: Path) -> Iterator[District | DistrictFileError]:
    """Every district of a folder, or in its place what is wrong with its file."""
    for path in district_files(folder):
        try:
            yield load_district(path)
        except DistrictFileError as error:
            yield error


def _sentence(mistake: "ErrorDetails") -> str:
    """A mistake as ``key: reason``."""
    key = ".".join(str(part) for part in mistake["loc"]) or "the file"
    reasons = {"extra_forbidden": "there is no such key", "missing": "is missing"}
    return f"{key}: {reasons.get(mistake['type'], mistake['msg'].removeprefix('Value error, '))}"


def _read(path: Path) -> dict[str, Any]:
    """A YAML file's mapping."""
    try:
        values = read_yaml(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise DistrictFileError(
            f"{path.name}: there is no such file; `rollcall districts list` names the districts"
        ) from None
    except OSError as error:
        raise DistrictFileError(f"{path.name}: cannot be read ({type(error).__name__})") from None
    except (yaml.YAMLError, ValueError) as error:  # a date that does not exist is a ValueError
        mark = getattr(error, "problem_mark", None)
        where = f"line {mark.line + 1}" if mark else "the file"
        detail = "" if mark or isinstance(error, UnicodeDecodeError) else f" ({error})"
        raise DistrictFileError(f"{path.name}: {where}: not readable as YAML{detail}") from None
    if values is None:
        return {}
    if not isinstance(values, dict):
        raise DistrictFileError(f"{path.name}: the file: must be a list of 'key: value' lines")
    unnamed = next((key for key in values if not isinstance(key, str)), None)
    if unnamed is not None:
        raise DistrictFileError(f"{path.name}: {unnamed}: there is no such key")
    return values


def _merged(base: dict[str, Any], over: dict[str, Any]) -> dict[str, Any]:
    """``over`` laid over ``base``, nested mappings key by key."""
    merged = dict(base)
    for key, value in over.items():
        below = merged.get(key)
        merged[key] = _merged(below, value) if isinstance(below, dict) and isinstance(value, dict) else value
    return merged
