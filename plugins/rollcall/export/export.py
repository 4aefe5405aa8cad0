"""One export: what is published of some districts, read in one transaction per district, recorded, and put in place."""

import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Literal

from rollcall.districts import district_files
from rollcall.export.formats import Format
from rollcall.export.marts import Mart, marts, write_csv, write_parquet
from rollcall.export.oneroster_zip import ZIP_NAME, write_zip
from rollcall.nights import has_come
from rollcall.private import make_folder, sync_file, sync_folder
from rollcall.published import Publication
from rollcall.settings import settings
from rollcall.warehouse import Connection, connect
from rollcall.who import Person

Told = Callable[[str, int, int], None]
"""Called with what is being written, how many tables are done, and of how many."""


class ExportError(Exception):
    """What was asked for cannot be exported; the message says what to ask for."""


class NothingPublishedError(Exception):
    """There is nothing to export; the message says of whom."""


@dataclass(frozen=True)
class Order:
    """What is to be exported.

    Attributes:
        format: As what.
        folder: Where to: below it a folder per district, in it one per night.
        by: Who does it, for the record.
        as_of: The night whose roster is meant; None for the present.
        marts: The marts by name, without their schema; all that the role may read, if there are none.
        restricted: Whether demographics are to be among it.
    """

    format: Format
    folder: Path
    by: Person
    as_of: date | None = None
    marts: tuple[str, ...] = ()
    restricted: bool = False

    @property
    def role(self) -> Literal["roster_exporter", "roster_restricted_exporter"]:
        """The role whose rights it is read with."""
        return "roster_restricted_exporter" if self.restricted else "roster_exporter"


@dataclass(frozen=True)
class ExportedFile:
    """One file that was written.

    Attributes:
        path: Where it lies.
        rows: How many rows of each table it holds, by the mart's name or the standard's file name.
        size_bytes: Its size.
    """

    path: Path
    rows: Mapping[str, int]
    size_bytes: int


@dataclass(frozen=True)
class Exported:
    """What was exported of one district.

    Attributes:
        night: The night that it stands for.
    """

    district: str
    sequence: int
    night: date
    format: Format
    restricted: bool
    files: tuple[ExportedFile, ...]


def export(district_id: str | None, order: Order, told: Told = lambda *_: None) -> list[Exported]:
    """Write what is published of a district, or of every one, into files.

    A district is read in one transaction: all its files show the same publication. They get their names once the ledger
    has the export on record; killed before, it leaves none.

    Args:
        district_id: The district; None for every one of which something is published.
        order: What is to be exported.
        told: Called before each table.

    Raises:
        ExportError: there is no such district, mart or night, or the format needs what is not installed.
        NothingPublishedError: nothing is published of it.
        WarehouseError: the warehouse cannot be reached, or does not let its login export.
        OSError: the folder cannot be written to.
    """
    _must_be_possible(order)
    make_folder(order.folder)
    wanted = _districts(district_id, order)
    exported = []
    for number, each in enumerate(wanted):
        with _drafts(order.folder) as drafts:
            publication, rows = _write(each, order, drafts, _of_all(told, each, number, len(wanted)))
            target = order.folder / each / str(publication.night)
            exported.append(_put_in_place(publication, order, drafts, target, rows))
    return exported


def _of_all(told: Told, district_id: str, number: int, districts: int) -> Told:
    """Tells of one district as a part of all that are exported."""
    return lambda what, done, of: told(f"{district_id} {what}", number * of + done, districts * of)


def _must_be_possible(order: Order) -> None:
    if order.as_of is not None and not has_come(order.as_of):
        raise ExportError(f"The night of {order.as_of} has not come anywhere on earth. Say one that has.")
    if order.format is Format.ONEROSTER and order.marts:
        raise ExportError("A OneRoster zip is made of the published records, not of marts: leave --mart out.")
    if order.format is Format.PARQUET:
        try:
            import pyarrow as pa  # noqa: F401
        except ModuleNotFoundError:
            raise ExportError(
                "Parquet needs pyarrow, which is not installed. Run `make parquet`, or say --format csv."
            ) from None


def _districts(district_id: str | None, order: Order) -> list[str]:
    """The districts of which something was published for the night, of those that are asked for."""
    with _reading(order) as connection:
        published = [
            str(each)
            for (each,) in connection.execute(
                "select district_id from rollcall.published where %s in (district_id, '') order by district_id",
                (district_id or "",),
            ).fetchall()
        ]
        ran = {
            str(each) for (each,) in connection.execute("select district_id from rollcall.readable_district").fetchall()
        }
    if published:
        return published
    if district_id and district_id not in ran | {path.stem for path in district_files(settings().districts_dir)}:
        raise ExportError(f"There is no district {district_id}. `rollcall districts list` names them.")
    raise NothingPublishedError(
        f"Nothing was published of {district_id or 'any district'}"
        + (f" by the night of {order.as_of}." if order.as_of else " yet; `rollcall status` says why.")
    )


@contextmanager
def _reading(order: Order) -> Iterator[Connection]:
    """A transaction that sees one moment, with the rights of those who export, as of the night."""
    with connect(role=order.role) as connection:
        connection.execute("set transaction isolation level repeatable read")
        connection.execute("select set_config('roster.as_of', %s, true)", (str(order.as_of or ""),))
        yield connection


@contextmanager
def _drafts(folder: Path) -> Iterator[Path]:
    """A folder beside the target, for files that have no name yet; gone afterwards."""
    drafts = Path(tempfile.mkdtemp(prefix=".export-", dir=folder))
    try:
        yield drafts
    finally:
        shutil.rmtree(drafts, ignore_errors=True)


def _write(
    district_id: str, order: Order, drafts: Path, told: Told
) -> tuple[Publication, dict[str, Mapping[str, int]]]:
    """Write the files of a district and the record of it; answers what was published, and each file's rows."""
    with _reading(order) as connection:
        row = connection.execute(
            "select sequence, effective_date from rollcall.published where district_id = %s", (district_id,)
        ).fetchone()
        sequence, night = row or (None, None)
        publication = Publication(district_id, sequence, night, delivery_id=None)  # readers are not told
        if order.format is Format.ONEROSTER:
            records = write_zip(connection, publication, drafts / ZIP_NAME, restricted=order.restricted, told=told)
            rows: dict[str, Mapping[str, int]] = {ZIP_NAME: records}
        else:
            rows = _write_marts(connection, district_id, order, drafts, told)
        _record(connection, publication, order, rows)
    return publication, rows


def _write_marts(
    connection: Connection, district_id: str, order: Order, drafts: Path, told: Told
) -> dict[str, Mapping[str, int]]:
    """Write a file per mart; answers the rows of each."""
    write = write_parquet if order.format is Format.PARQUET else write_csv
    chosen = _chosen(marts(connection), order.marts)
    rows: dict[str, Mapping[str, int]] = {}
    for number, mart in enumerate(chosen):
        told(mart.name, number, len(chosen))
        name = f"{mart.name}.{order.format}"
        rows[name] = {mart.name: write(connection, mart, district_id, drafts / name)}
    told("written", len(chosen), len(chosen))
    return rows


def _chosen(found: Sequence[Mart], names: Sequence[str]) -> list[Mart]:
    """The marts of some names; all of them if there are none."""
    unknown = set(names) - {mart.name for mart in found}
    if unknown:
        raise ExportError(
            f"There is no mart {', '.join(sorted(unknown))} for this role. There are "
            f"{', '.join(mart.name for mart in found)}; those of roster_restricted need --restricted."
        )
    return [mart for mart in found if not names or mart.name in names]


def _record(
    connection: Connection, publication: Publication, order: Order, rows: Mapping[str, Mapping[str, int]]
) -> None:
    """The ledger's row of it (law 8)."""
    of_tables = {name: number for each in rows.values() for name, number in each.items()}
    connection.execute(
        "insert into rollcall.export (district_id, sequence, effective_date, format, tables, number_of_rows,"
        " with_restricted, exported_by, login) values (%s, %s, %s, %s, %s, %s, %s, %s, %s)",
        (
            publication.district_id,
            publication.sequence,
            publication.night,
            order.format,
            list(of_tables),
            sum(of_tables.values()),
            order.restricted,
            order.by.name,
            order.by.login,
        ),
    )


def _put_in_place(
    publication: Publication, order: Order, drafts: Path, target: Path, rows: Mapping[str, Mapping[str, int]]
) -> Exported:
    """Give the files their names, each in one step; from then on they last."""
    assert publication.sequence is not None and publication.night is not None  # noqa: S101, PT018 -- it is published
    make_folder(target)
    files = []
    for name, of_tables in rows.items():
        with (drafts / name).open("rb+") as draft:
            sync_file(draft)
        path = (drafts / name).replace(target / name)
        files.append(ExportedFile(path, of_tables, path.stat().st_size))
    sync_folder(target)
    return Exported(
        publication.district_id,
        publication.sequence,
        publication.night,
        order.format,
        order.restricted,
        tuple(files),
    )
