"""Writing a district's file: only what differs from the defaults, checked before a byte of it is written."""

from pathlib import Path
from typing import Any

import yaml

from rollcall.districts import District, district_saying, load_district
from rollcall.private import replace
from rollcall.settings import settings
from rollcall.yaml_text import read_yaml


class OnboardingError(Exception):
    """A district cannot be brought in like this; the message says what to do."""


def file_of(district_id: str) -> Path:
    """Where a district's file lies, whether there is one or not."""
    return settings().districts_dir / f"{district_id}.yaml"


def require_district(district_id: str) -> District:
    """A district that has a file.

    Raises:
        OnboardingError: it has none.
        DistrictFileError: its file cannot be used.
    """
    if not file_of(district_id).is_file():
        raise OnboardingError(f"There is no district {district_id!r}. `rollcall districts list` names those there are.")
    return load_district(file_of(district_id))


def ensure_file(district_id: str, values: dict[str, Any]) -> District:
    """The district's file, written if there is none yet; one that says the same is left as it is.

    Args:
        district_id: The district.
        values: What the file says: keys and values as YAML has them.

    Raises:
        DistrictFileError: the values do not make a district; nothing was written.
        OnboardingError: there is a file, and it says something else; or the folder cannot be written.
    """
    path = file_of(district_id)
    district = district_saying(path, values)
    if path.is_file():
        _require_same(path, values)
        return load_district(path)
    _write(path, yaml.safe_dump(values, sort_keys=False, allow_unicode=True, width=120))
    return district


def _require_same(path: Path, values: dict[str, Any]) -> None:
    """Refuse to go on where the file says something else; keys that only the file has are a person's own."""
    known = read_yaml(path.read_text(encoding="utf-8")) or {}
    other = [key for key, value in values.items() if known.get(key) != value]
    if other:
        raise OnboardingError(
            f"There is a district {path.stem!r} already, and its file says something else of {', '.join(other)}. Edit "
            f"{path}, or give the new district another id."
        )


def _write(path: Path, text: str) -> None:
    try:
        replace(path, [text.encode()])
        path.chmod(0o644)  # it holds no secret, and is kept with the code
    except OSError as error:
        raise OnboardingError(
            f"{path} cannot be written ({error.strerror}). Write it by hand and run the same command again:\n{text}"
        ) from None
