"""Writing a district's file: what differs from the defaults, checked before a byte of it is written."""

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from io import StringIO
from pathlib import Path
from typing import Any

import yaml

from rollcall.districts import DISTRICT_ID, District, district_saying, load_district, removed_file
from rollcall.names import shown
from rollcall.private import replace
from rollcall.settings import settings
from rollcall.yaml_text import read_yaml


class OnboardingError(Exception):
    """A district cannot be brought in like this; the message says what to do."""


def file_of(district_id: str) -> Path:
    """Where a district's file lies, whether there is one or not.

    Raises:
        OnboardingError: the id is none, and might lead out of the folder.
    """
    if not DISTRICT_ID.match(district_id):
        raise OnboardingError(
            f"{shown(district_id)!r} cannot be a district's id: lower-case letters, digits and single hyphens only."
        )
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


def tonight(district_id: str) -> date:
    """The night that a run of today serves.

    Raises:
        OnboardingError: the district has no file.
        DistrictFileError: its file cannot be used.
    """
    return require_district(district_id).service_date(datetime.now(UTC))


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
            f"{path} cannot be written ({error.strerror}). Write it by hand, then do the same again:\n{text}"
        ) from None


def pause(district_id: str, first_night: date, last_night: date, reason: str) -> District:
    """Write a pause into a district's file; the same one is written once.

    Args:
        district_id: The district.
        first_night: The first night without a delivery.
        last_night: The last one; the night after it is expected again.
        reason: Why; blank for no reason.

    Raises:
        DistrictFileError: the nights are no pause; nothing was written.
        OnboardingError: there is no such district, or its file cannot be written.
    """
    new = {"first_night": first_night, "last_night": last_night} | ({"reason": reason} if reason else {})

    def with_it(pauses: list[Any]) -> list[Any]:
        return pauses if new in pauses else [*pauses, new]

    return _with_pauses(district_id, with_it)


def resume(district_id: str, night: date) -> District:
    """End the pauses of a night: from it on, deliveries are expected again.

    Args:
        district_id: The district.
        night: The first night that is expected again.

    Raises:
        OnboardingError: there is no such district, or its file cannot be written.
    """

    def ended(pauses: list[Any]) -> list[Any]:
        for each in pauses:
            if each["first_night"] < night <= each["last_night"]:
                each["last_night"] = night - timedelta(days=1)
        return [each for each in pauses if not each["first_night"] <= night <= each["last_night"]]

    return _with_pauses(district_id, ended)


def remove_file(district_id: str) -> Path:
    """Take a district's file out of the folder's districts; its text stays beside them.

    Returns:
        The file that nobody reads any more.

    Raises:
        OnboardingError: the folder cannot be written.
    """
    path = file_of(district_id)
    gone = removed_file(path)
    try:
        path.replace(gone)
    except FileNotFoundError:
        return gone
    except OSError as error:
        raise OnboardingError(f"{path} cannot be taken away ({error.strerror}).") from None
    return gone


def _with_pauses(district_id: str, change: Callable[[list[Any]], list[Any]]) -> District:
    """Change the pauses in a district's file; its comments and the order of its keys stay."""
    from ruamel.yaml import YAML

    require_district(district_id)
    path = file_of(district_id)
    editor = YAML()
    editor.width = 120
    values = editor.load(path.read_text(encoding="utf-8"))
    pauses = change(list(values.get("pauses", ())))
    if pauses:
        values["pauses"] = pauses
    else:
        values.pop("pauses", None)
    district = district_saying(path, values)
    text = StringIO()
    editor.dump(values, text)
    _write(path, text.getvalue())
    return district
