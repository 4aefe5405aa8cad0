"""What was decided about a district, in the archive beside its files: with both, the warehouse can be built anew.

The ledger is the truth, and everything decided is a row there (law 8). These are copies of its rows, as JSON: a
document for each delivery, for each night without one, and for the district. One that has become another is written
again, under the next version; none is ever changed. None is removed, but for older versions when a person is forgotten.
What was decided and is not written down yet, because a
process died or the archive was away, is written down the next time that anybody asks: the document is compared with
what was written, not with what somebody remembers to have changed.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from psycopg import sql

from rollcall.archive.store import Archive, ArchiveError
from rollcall.ledger import landing_schema
from rollcall.log import get_logger
from rollcall.warehouse import Connection, connect, is_there

log = get_logger(__name__)

FOLDER = "decisions"
LATEST = 30
"""How many of a district's deliveries are looked at where it is done for each run; upkeep looks at all."""

Rows = Mapping[str, list[dict[str, Any]]]
"""Rows of the ledger, by their table."""

OF_DELIVERY = (
    "delivery", "delivery_file", "check_result", "change_count", "hold", "hold_decision", "rollback", "rekeying",
    "rekeyed_record", "publication_event", "delivery_again", "night",
)  # fmt: skip
"""The tables whose rows name their delivery. A publication is its last event."""

_DELIVERIES = """
    select 'delivery-' || to_char(own.delivery_id, 'FM000000000000') as name,
        jsonb_build_object({rows}, 'night_correction', (
            select coalesce(jsonb_agg(to_jsonb(correction) order by correction.night_correction_id), '[]')
            from rollcall.night_correction as correction
            where own.delivery_id = any(correction.delivery_ids)
        )) as document
    from (
        select * from rollcall.delivery where district_id = %(district)s
        order by delivery_id desc limit %(latest)s
    ) as own
"""
_ROWS = """
    {name}, (
        select coalesce(jsonb_agg(told order by told), '[]')
        from (select to_jsonb({table}) {left_out} as told from rollcall.{table} where delivery_id = own.delivery_id
            {condition}) as each
    )
"""
_NIGHTS = """
    select 'night-' || service_date, jsonb_build_object('night', jsonb_build_array(to_jsonb(night)))
    from (
        select * from rollcall.night where district_id = %(district)s and delivery_id is null
        order by service_date desc limit %(latest)s
    ) as night
"""
_DISTRICT = """
    select 'district', jsonb_build_object(
        'district', jsonb_build_array(to_jsonb(district) - 'updated_at'),
        'district_act', (
            select coalesce(jsonb_agg(to_jsonb(act) order by act.district_act_id), '[]')
            from rollcall.district_act as act where act.district_id = district.district_id
        ),
        'forgetting', (
            select coalesce(jsonb_agg(to_jsonb(forgetting) order by forgetting_id), '[]')
            from rollcall.forgetting where forgetting.district_id = district.district_id
        ),
        'forgotten', (
            select coalesce(jsonb_agg(to_jsonb(forgotten) order by forgetting_id, place), '[]')
            from rollcall.forgotten inner join rollcall.forgetting using (forgetting_id)
            where forgetting.district_id = district.district_id
        ),
        'rewritten_file', (
            select coalesce(jsonb_agg(to_jsonb(rewritten_file) order by rewritten_file_id), '[]')
            from rollcall.rewritten_file inner join rollcall.forgetting using (forgetting_id)
            where forgetting.district_id = district.district_id
        )
    )
    from rollcall.district where district_id = %(district)s
"""
_TO_WRITE = """
    with told as ({documents})
    select told.name, told.document::text, md5(told.document::text)::uuid
    from told
    left join rollcall.decision_entry as entry on entry.district_id = %(district)s and entry.name = told.name
    where entry.digest is distinct from md5(told.document::text)::uuid
    order by told.name
"""
_WRITTEN = """
    insert into rollcall.decision_entry (district_id, name, version, digest) values (%s, %s, %s, %s)
    on conflict (district_id, name) do update
    set version = excluded.version, digest = excluded.digest, written_at = clock_timestamp()
"""

# What a build leaves is of this database alone; findings that are none are found again.
_LEFT_OUT = {"publication_event": "- 'build_id'", "delivery_file": "- array['judged_since', 'rule_book']"}
_CONDITIONS = {"check_result": "and rows_failed > 0"}


@dataclass(frozen=True)
class Document:
    """The newest version of a document.

    Attributes:
        name: ``delivery-<number>``, ``night-<date>``, ``district``, or ``set-aside-<delivery>-<sequence>``.
        version: Which one it is.
        text: JSON: rows of the ledger by their table.
    """

    name: str
    version: int
    text: str

    @cached_property
    def rows(self) -> Rows:
        """What it tells."""
        rows: Rows = json.loads(self.text)
        return rows


def write_decisions(district_id: str, *, latest: int | None = None) -> int:
    """Write down what was decided about a district and is not in the archive yet; killed, it is done again.

    Args:
        district_id: The district.
        latest: How many of its newest deliveries, and nights without one, are looked at; all, if not given.

    Returns:
        How many documents were written.

    Raises:
        ArchiveError: the archive refused.
        WarehouseError: the warehouse cannot be reached or refused a statement.
    """
    with connect() as connection:
        connection.execute(
            "select pg_advisory_xact_lock(hashtextextended('rollcall.decisions.' || %s, 0))", [district_id]
        )
        documents = _unwritten(connection, district_id, latest)
        if documents:
            _write(connection, district_id, documents)
    return len(documents)


def unwritten_documents(district_id: str) -> list[str]:
    """The names of a district's documents that are not in the archive as the ledger has them.

    Args:
        district_id: The district.
    """
    with connect() as connection:
        return [name for name, _, _ in _unwritten(connection, district_id, None)]


def write_decisions_if_possible(district_ids: Iterable[str]) -> None:
    """The same at the end of other work, which must not fail for it: what cannot be written now, upkeep writes."""
    for district_id in district_ids:
        try:
            write_decisions(district_id, latest=LATEST)
        except (ArchiveError, OSError) as error:
            log.warning("What was decided about %s is not in the archive yet: %s", district_id, error)


def read_decisions(archive: Archive) -> list[Document]:
    """The newest version of every document of a district, by name.

    Args:
        archive: The district's.
    """
    return [
        Document(name, version, read_document(archive, name, version) or "{}")
        for name, version in sorted(newest_versions(archive).items())
    ]


def newest_versions(archive: Archive) -> dict[str, int]:
    """The number of the newest version of each document that lies in a district's archive."""
    newest: dict[str, int] = {}
    for file_name in archive.names_in(FOLDER):
        name, version = document_in(f"{FOLDER}/{file_name}") or ("", 0)
        newest[name] = max(newest.get(name, 0), version)
    return newest


def remove_older_versions(archive: Archive) -> None:
    """Remove every version of a district's documents but the newest.

    Args:
        archive: The district's.

    Raises:
        ArchiveError: the archive refused.
    """
    newest = newest_versions(archive)
    for file_name in archive.names_in(FOLDER):
        name, version = document_in(f"{FOLDER}/{file_name}") or ("", 0)
        if version < newest[name]:
            archive.remove(archive.path_of(f"{FOLDER}/{file_name}"))


def document_in(path: str) -> tuple[str, int] | None:
    """Name and version of the document under a path within a district's archive; None where there lies something else.

    Args:
        path: For instance ``decisions/delivery-000000000012.0002.json``.
    """
    folder, _, file_name = path.rpartition("/")
    if folder != FOLDER:
        return None
    name, version, _ = file_name.split(".")
    return name, int(version)


def read_document(archive: Archive, name: str, version: int) -> str | None:
    """A document's text as it was written; None when it is not there."""
    text = archive.read_index(_path(name, version))
    return None if text is None else text.rstrip("\n")


def _path(name: str, version: int) -> str:
    return f"{FOLDER}/{name}.{version:04}.json"


def _unwritten(connection: Connection, district_id: str, latest: int | None) -> list[tuple[str, str, str]]:
    """Name, text and digest of the documents that are not as they were written, set-aside rows included."""
    connection.execute("set local timezone = 'UTC'")  # one text for one moment
    return [*_changed(connection, district_id, latest), *_set_aside(connection, district_id, latest)]


def _changed(connection: Connection, district_id: str, latest: int | None) -> list[tuple[str, str, str]]:
    """Name, text and digest of the documents that are not as they were written."""
    documents = " union all ".join((_DELIVERIES.format(rows=_ALL_ROWS), _NIGHTS, _DISTRICT))
    statement = _TO_WRITE.format(documents=documents)
    return connection.execute(statement, {"district": district_id, "latest": latest}).fetchall()


_ALL_ROWS = ", ".join(
    _ROWS.format(
        name=f"'{table}'", table=table, left_out=_LEFT_OUT.get(table, ""), condition=_CONDITIONS.get(table, "")
    )
    for table in OF_DELIVERY
)

_ACCEPTED = """
    select delivery_id, 'set-aside-' || to_char(delivery_id, 'FM000000000000') || '-' || accepted_sequence
    from (
        select * from rollcall.delivery where district_id = %(district)s order by delivery_id desc limit %(latest)s
    ) as delivery
    where accepted_sequence is not null and state in ('accepted', 'published')
        and (select sum(rows_set_aside) from rollcall.delivery_file as file
            where file.delivery_id = delivery.delivery_id) > 0
    order by delivery_id
"""
_SET_ASIDE = """
    with told as (
        select jsonb_build_object(
            'row_set_aside', jsonb_agg(to_jsonb(aside) - 'sourced_id' order by file, code, row_number),
            'file_judged', (
                select jsonb_agg(jsonb_build_object('file', file, 'sha256', sha256) order by file)
                from rollcall.delivery_file where delivery_id = {delivery} and rows_set_aside > 0
            )
        ) as document
        from {table} as aside
    ),
    counted as (select count(distinct (file, row_number)) as rows from {table})
    select document::text, md5(document::text)::uuid
    from told cross join counted
    where counted.rows = (select sum(rows_set_aside) from rollcall.delivery_file where delivery_id = {delivery})
        and md5(document::text)::uuid is distinct from (
            select digest from rollcall.decision_entry where district_id = {district} and name = {name}
        )
"""


def _set_aside(connection: Connection, district_id: str, latest: int | None) -> list[tuple[str, str, str]]:
    """Which rows of accepted deliveries count for nothing, while their tables are whole: rules may change (law 8)."""
    found = []
    accepted = connection.execute(_ACCEPTED, {"district": district_id, "latest": latest}).fetchall()
    for delivery_id, name in accepted:
        table = sql.Identifier(landing_schema(delivery_id), "row_set_aside")
        if not is_there(connection, table):
            continue
        statement = sql.SQL(_SET_ASIDE).format(
            table=table, delivery=sql.Literal(delivery_id), district=sql.Literal(district_id), name=sql.Literal(name)
        )
        found += [(name, *row) for row in connection.execute(statement).fetchall()]
    return found


def _write(connection: Connection, district_id: str, documents: Iterable[tuple[str, str, str]]) -> None:
    """File first, ledger last: of what a kill leaves between the two, the next version is written."""
    archive = Archive.of(district_id)
    newest = newest_versions(archive)
    for name, text, digest in documents:
        version = newest.get(name, 0) + 1
        archive.write_index(_path(name, version), text + "\n")
        connection.execute(_WRITTEN, [district_id, name, version, digest])
