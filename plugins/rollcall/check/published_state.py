"""The published state that a delivery is judged against: an earlier delivery, or what a warehouse publishes."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from pathlib import Path

from psycopg import sql

from rollcall import ledger
from rollcall.archive.store import Archive
from rollcall.check.from_disk import blocks_of, receive_from
from rollcall.decision.acceptance import accept
from rollcall.districts import NO_LIMITS, District
from rollcall.ledger import Delivery, DeliveryFile
from rollcall.oneroster import FILES, File
from rollcall.published import Publication, history_table, publication_of
from rollcall.states import DeliveryState
from rollcall.steps import check_all
from rollcall.warehouse import Connection, connect

ENDS = ("valid_to_seq", "end_reason", "ended_on")
"""How a version ended: what readers see has not ended for them, though a build may be at work on it."""

AS_LANDED = ("encoding", "rows_landed", "rows_ragged", "rows_set_aside", "verdict", "ends_with_line_end",
             "last_sourced_id")  # fmt: skip
"""What landing and gate wrote down of a file."""


class NothingToCompareError(Exception):
    """There is no such published state; the message says why."""


@dataclass(frozen=True)
class EarlierDelivery:
    """A folder or a zip that counts as published, whatever is wrong with it."""

    path: Path

    def publish(self, district: District, archive: Archive, night: date) -> None:
        """Make it the district's published roster in this process's (throw-away) warehouse.

        Raises:
            NothingToCompareError: it cannot be read or conformed.
            NotReadableError: the path cannot be read.
        """
        from rollcall.conform import conform

        delivery = receive_from(self.path, archive, district, night - timedelta(days=1), "against")
        if delivery.state == "rejected":
            raise NothingToCompareError(
                f"{self.path} is nothing to compare with. {delivery.state_reason or ''}".strip()
            )
        check_all(delivery.delivery_id, NO_LIMITS)
        with connect() as connection:
            ledger.set_state(connection, delivery.delivery_id, DeliveryState.RECEIVED, decided=True)
        accept(delivery.delivery_id)
        conform(reland=_nothing_to_land)
        with connect() as connection:
            delivery = ledger.delivery(connection, delivery.delivery_id)
        if delivery.state != "published":
            raise NothingToCompareError(
                f"{self.path} is nothing to compare with. {delivery.state_reason or ''}".strip()
            )


@dataclass(frozen=True)
class PublishedRoster:
    """What a warehouse publishes of a district.

    Attributes:
        district_id: The district.
        source_url: The warehouse; it is only read.
        archive_root: Where its deliveries lie. Where they cannot be read from here, it is not known whether a file was
            cut between two records.
    """

    district_id: str
    source_url: str
    archive_root: str

    def publish(self, district: District, archive: Archive, night: date) -> None:  # noqa: ARG002 -- as EarlierDelivery
        """Make a copy of it the district's published roster in this process's (throw-away) warehouse.

        Raises:
            NothingToCompareError: nothing is published of the district.
            WarehouseError: the warehouse cannot be reached.
        """
        with connect(self.source_url) as source, connect(role=None) as target:
            source.execute("set transaction isolation level repeatable read, read only")
            published = ledger.published_delivery(source, self.district_id)
            if published is None:
                raise NothingToCompareError(f"Nothing is published of {self.district_id}: there is nothing to compare.")
            ledger.record_district(target, district)
            behind = ledger.files_behind_publication(source, self.district_id).values()
            files = [asyncio.run(self._with_content(archive, file)) for file in behind]
            publication = publication_of(source, self.district_id)
            _copy_publication(target, published, publication, district, files)
            _copy_rollbacks(source, target, (self.district_id, district.district_id))
            target.execute("set local role rollcall_dbt")  # whose tables they would be
            for file in FILES:
                _copy_versions(source, target, publication, file, district.district_id)

    async def _with_content(self, archive: Archive, file: DeliveryFile) -> DeliveryFile:
        """A file with its bytes in this process's archive, where they can be had."""
        try:
            with Archive(self.archive_root, self.district_id).open(file.archive_path) as content:
                stored = await archive.keep(blocks_of(content))
        except OSError:
            return file
        return replace(file, archive_path=stored.path)


def _copy_publication(
    target: Connection,
    published: Delivery,
    publication: Publication,
    district: District,
    files: Sequence[DeliveryFile],
) -> None:
    """The pointer, and the delivery that it points at, with the files of which it is made."""
    copied = ledger.open_delivery(target, district, published.service_date, "against", published.source)
    target.execute(
        """
        update rollcall.delivery set state = 'published', arrived_at = %s, decided_at = %s, accepted_at = %s,
            published_at = now(), accepted_sequence = %s
        where delivery_id = %s
        """,
        (published.arrived_at, published.decided_at, published.decided_at, publication.sequence, copied.delivery_id),
    )
    ledger.record_files(target, copied.delivery_id, files)
    for file in files:
        target.execute(
            f"update rollcall.delivery_file set {', '.join(f'{name} = %s' for name in AS_LANDED)} "
            "where delivery_id = %s and file = %s",
            (*(getattr(file, name) for name in AS_LANDED), copied.delivery_id, file.file),
        )
    target.execute(
        "insert into rollcall.publication (district_id, sequence, delivery_id, effective_date, published_at) "
        "values (%s, %s, %s, %s, now())",
        (district.district_id, publication.sequence, copied.delivery_id, publication.night),
    )


def _copy_rollbacks(source: Connection, target: Connection, from_and_to: tuple[str, str]) -> None:
    """What was taken back: the same content is held here, too."""
    rollbacks = source.execute(
        "select from_sequence, to_sequence, rolled_back_by, login, why, rolled_back_at, sequence "
        "from rollcall.rollback where district_id = %s",
        from_and_to[:1],
    ).fetchall()
    if not rollbacks:
        return
    published = source.execute(
        "select service_date, content_hash, accepted_sequence from rollcall.delivery "
        "where district_id = %s and state = 'published'",
        from_and_to[:1],
    ).fetchall()
    with target.cursor() as cursor:
        cursor.executemany(
            "insert into rollcall.delivery (district_id, run_id, state, service_date, content_hash, accepted_sequence) "
            "values (%s, gen_random_uuid(), 'published', %s, %s, %s) "
            "on conflict (district_id, accepted_sequence) do update set content_hash = excluded.content_hash",
            [(from_and_to[1], *each) for each in published],
        )
        cursor.executemany(
            "insert into rollcall.rollback "
            "(district_id, delivery_id, sequence, from_sequence, to_sequence, rolled_back_by, login, why, "
            "rolled_back_at) "
            "select district_id, delivery_id, accepted_sequence, %s, %s, %s, %s, %s, %s "
            "from rollcall.delivery where accepted_sequence = %s",
            rollbacks,
        )


def _copy_versions(
    source: Connection, target: Connection, publication: Publication, file: File, district_id: str
) -> None:
    """The versions of a file's records that readers see, under the same or another district's id."""
    name = history_table(file)
    columns = source.execute(
        """
        select attname, format_type(atttypid, atttypmod) from pg_attribute
        where attrelid = to_regclass(%s) and attnum > 0 and not attisdropped order by attnum
        """,
        (name.as_string(source),),
    ).fetchall()
    typed = [sql.SQL("{} {}").format(sql.Identifier(column), sql.SQL(kind)) for column, kind in columns]
    target.execute(sql.SQL("create table {} ({})").format(name, sql.SQL(", ").join(typed)))
    read: dict[str, sql.Composable] = {"district_id": sql.Literal(district_id)} | {
        column: sql.SQL(f"null::{kind}") for column, kind in columns if column in ENDS
    }
    selected = [read.get(column, sql.Identifier(column)) for column, _ in columns]
    query = sql.SQL("copy (select {} {}) to stdout (format binary)").format(
        sql.SQL(", ").join(selected), publication.versions(file)
    )
    with (
        source.cursor().copy(query) as out,
        target.cursor().copy(sql.SQL("copy {} from stdin (format binary)").format(name)) as into,
    ):
        for block in out:
            into.write(block)
    target.execute(sql.SQL("analyze {}").format(name))


def _nothing_to_land(_: int) -> None:
    """The throw-away database does not crash."""
