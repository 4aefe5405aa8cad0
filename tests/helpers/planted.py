"""Law 7: personal data that nobody can mistake for anything else, planted in a delivery, and the search for it.

`plant` puts it into the files of a delivery; `leaks` tells in which of some texts it shows. `texts_of_files` and
`texts_of_tables` gather what is to be searched.
"""

import csv
from collections.abc import Iterable, Iterator
from pathlib import Path

from helpers.deliveries import query

GIVEN_NAME = "Qwirlanda"
MIDDLE_NAME = "Vexillina"
FAMILY_NAME = "Zzyzxworth"
E_MAIL = "qwirl.zzyx@planted.example"
USERNAME = "qzzyzx-login"
PHONE = "555-0199-7431"
BIRTH_DATE = "1903-07-19"
BIRTH_PLACE = "Plantedville"
PASSWORD = "pl4nted-s3cret"
GOOD = (GIVEN_NAME, MIDDLE_NAME, FAMILY_NAME, E_MAIL, USERNAME, PHONE, BIRTH_DATE, BIRTH_PLACE)
"""Values that the gate lets through; readers of the marts see them."""

BAD_ROLE = "planted-wizard"
BAD_FLAG = "planted-perhaps"
BAD_BIRTH_DATE = "1907-19-31"
RAGGED_CELL = "Plantedfirstcell"
BAD = (BAD_ROLE, BAD_FLAG, BAD_BIRTH_DATE, RAGGED_CELL)
"""Values that break a rule."""

FURTHER_COLUMN = "homeroomNotes"
"""A column that the standard does not know: findings name it, and never what stands in it."""

MARKERS = (*GOOD, *BAD, PASSWORD, "1903, 7, 19", "19030719", "planted")
"""What is searched for, whatever the case; the birth date also as Python and as computers write it."""


def plant(folder: Path, *, ragged: bool = True) -> None:
    """Plant good and bad values in the first five students of a delivery of loose files.

    Args:
        folder: The delivery.
        ragged: Whether users.csv also gets a record with cells too many, whose first cell is a name.
    """
    users = _Table(folder / "users.csv")
    students = [row for row in users.rows if row["role"] == "student"][:5]
    for row in students:
        row |= {"familyName": FAMILY_NAME, "givenName": GIVEN_NAME, "middleName": MIDDLE_NAME, "email": E_MAIL}
        row |= {"username": USERNAME, "phone": PHONE, "sms": PHONE, "password": PASSWORD}
    students[1]["role"] = BAD_ROLE
    students[2]["enabledUser"] = BAD_FLAG
    users.header.append(FURTHER_COLUMN)
    for row in users.rows:
        row[FURTHER_COLUMN] = GIVEN_NAME
    users.write()
    if ragged:
        with (folder / "users.csv").open("a", encoding="utf-8", newline="") as stream:
            stream.write(f"{RAGGED_CELL},{FAMILY_NAME},{BIRTH_DATE}\r\n")
    people = _Table(folder / "demographics.csv")
    ids = [row["sourcedId"] for row in students]
    for row in people.rows:
        if row["sourcedId"] in ids:
            row |= {"birthDate": BIRTH_DATE, "cityOfBirth": BIRTH_PLACE}
        if row["sourcedId"] == ids[3]:
            row["birthDate"] = BAD_BIRTH_DATE
    people.write()


def leaks(texts: Iterable[tuple[str, str]], markers: Iterable[str] = MARKERS) -> list[str]:
    """Where personal data shows, as ``place: marker``.

    Args:
        texts: Pairs of a place and what stands there.
        markers: What to look for.
    """
    wanted = [marker.lower() for marker in markers]
    return [f"{place}: {marker}" for place, text in texts for marker in wanted if marker in text.lower()]


def texts_of_files(*roots: Path) -> Iterator[tuple[str, str]]:
    """Every file below some folders, as text, and its name; binary ones byte by byte."""
    for root in roots:
        for path in sorted(root.rglob("*")):
            if path.is_file():
                yield str(path), f"{path}\n{path.read_bytes().decode('latin-1')}"


def texts_of_tables(url: str, *schemas: str) -> Iterator[tuple[str, str]]:
    """Every row of every table and view of some schemas."""
    for schema in schemas:
        for (name,) in query(
            url, "select relname from pg_class where relnamespace = %s::regnamespace and relkind in ('r', 'v')", schema
        ):
            for number, (row,) in enumerate(query(url, f'select to_jsonb(t)::text from "{schema}"."{name}" as t')):
                yield f"{schema}.{name}[{number}]", row


class _Table:
    """A CSV file as rows that one may change."""

    def __init__(self, path: Path) -> None:
        self.path = path
        with path.open(encoding="utf-8", newline="") as stream:
            reader = csv.DictReader(stream)
            self.header = list(reader.fieldnames or ())
            self.rows: list[dict[str, str]] = list(reader)

    def write(self) -> None:
        with self.path.open("w", encoding="utf-8", newline="") as stream:
            writer = csv.DictWriter(stream, self.header, lineterminator="\r\n")
            writer.writeheader()
            writer.writerows(map(dict, self.rows))
