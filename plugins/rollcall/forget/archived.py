"""The archive without a person: each file that names them is written anew, and the ledger ties the new to the old."""

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field

from rollcall import ledger
from rollcall.archive.content import content_hash
from rollcall.archive.store import Archive, Incoming
from rollcall.forget.erasure import Eraser, UnsearchableError
from rollcall.forget.packed import without
from rollcall.forget.papers import remove_findings, remove_papers
from rollcall.forget.record import Act, Places, Records, count
from rollcall.progress import tell
from rollcall.signatures import LONGEST, kind_of
from rollcall.warehouse import Connection, connect

FILES, RECORDS, SEALED = "archived files", "records in archived files", "archived files that cannot be searched"


@dataclass
class _Rewriting:
    """The work on one district's archive.

    Attributes:
        indexes: The texts beside the content that name a file, by its hash.
        places: What went so far.
    """

    act: Act
    archive: Archive
    indexes: dict[str, set[str]]
    places: Places = field(default_factory=Places)


def rewrite_archive(act: Act) -> Places:
    """Take a person out of every file of a district's archive.

    Each file by itself: the new content is filed, then the ledger names it and says of which it takes the place, then
    the index does, then the old content goes. Killed anywhere, it begins again with what still lies there.

    Args:
        act: Who goes, and under which row of the ledger. Nothing is written where it is a dry run.

    Returns:
        What went, or would go.

    Raises:
        ArchiveError: the archive refused.
        WarehouseError: the warehouse cannot be reached or refused a statement.
    """
    archive = Archive.of(act.district_id)
    work = _Rewriting(act, archive, _indexes(archive))
    paths = archive.contents()
    for number, path in enumerate(paths):
        tell("archived files", number, len(paths))
        _rewrite(work, path)
    if not act.is_dry_run:
        for name in archive.names_in("incoming"):  # of uploads that were killed; whoever writes there has our lock
            archive.remove(archive.path_of(f"incoming/{name}"))
    return work.places


def _rewrite(work: _Rewriting, path: str) -> None:
    eraser = Eraser(work.act.ids)
    if not _may_hold(work.archive, path, eraser):
        return
    try:
        incoming = _written_without(work, path, eraser)
    except UnsearchableError:
        work.places.add(SEALED, 1)
        if not work.act.is_dry_run:
            _remove(work, path)
        return
    if eraser.changes:
        work.places.add(FILES, 1)
        work.places.add(RECORDS, eraser.changes)
    if incoming is not None and eraser.changes:
        _put_in_place(work, path, incoming, eraser)
    elif incoming is not None:
        work.archive.drop(incoming)


def _written_without(work: _Rewriting, path: str, eraser: Eraser) -> Incoming | None:
    """A file's content without the person, written down and not filed yet; of a dry run it is only read.

    Raises:
        UnsearchableError: nobody can tell whether it names them.
    """
    with work.archive.open(path) as source:
        blocks = without(source, eraser)
        if not work.act.is_dry_run:
            return asyncio.run(work.archive.write(_streamed(blocks)))
        for _ in blocks:
            pass
    return None


def _put_in_place(work: _Rewriting, path: str, incoming: Incoming, eraser: Eraser) -> None:
    """File the new content, name it, and remove the old one."""
    _forget_findings(work, path, Records.of(eraser.removed))
    stored = work.archive.file(incoming)
    with connect() as connection:
        _name_anew(connection, work.act, path, stored.path, eraser)
        if _record(connection, work.act, path, stored.path):
            count(connection, work.act, Places({FILES: 1, RECORDS: eraser.changes}))
    _index_anew(work, path, stored.path)
    work.archive.remove(path)


def _may_hold(archive: Archive, path: str, eraser: Eraser) -> bool:
    """Whether a file has to be looked at: what is packed always, text where its bytes hold an id."""
    with archive.open(path) as source:
        if kind_of(source.read(LONGEST)) is not None:
            return True
    return eraser.may_be_in(archive.blocks(path))


async def _streamed(blocks: Iterator[bytes]) -> AsyncIterator[bytes]:
    for block in blocks:
        yield block


def _forget_findings(work: _Rewriting, path: str, records: Records) -> None:
    """Remove what was found about records that only this file still tells of."""
    with connect() as connection:
        deliveries = _deliveries_with(connection, path)
        count(connection, work.act, remove_findings(connection, deliveries, records))
    remove_papers(work.act, work.archive, records)


def _deliveries_with(connection: Connection, path: str) -> list[int]:
    rows = connection.execute("select distinct delivery_id from rollcall.delivery_file where archive_path = %s", [path])
    return [delivery_id for (delivery_id,) in rows]


def _name_anew(connection: Connection, act: Act, old: str, new: str, eraser: Eraser) -> None:
    """Have the ledger name the new content in the place of the old one, in the deliveries' own hashes, too."""
    gone = sorted({each for of_file in eraser.removed.values() for each in of_file})
    former = {each: ledger.delivery(connection, each) for each in _deliveries_with(connection, old)}
    connection.execute(
        """
        update rollcall.delivery_file
        set archive_path = %(new)s, sha256 = %(sha256)s,
            last_sourced_id = case when last_sourced_id = any(%(gone)s) then %(last)s else last_sourced_id end
        where archive_path = %(old)s
        """,
        {"new": new, "sha256": _sha256_of(new), "old": old, "gone": gone, "last": eraser.last_id},
    )
    for delivery_id, delivery in former.items():
        connection.execute(
            "update rollcall.delivery set content_hash = %s where district_id = %s and content_hash = %s",
            (content_hash(ledger.files_of(connection, delivery_id)), act.district_id, delivery.content_hash),
        )


def _record(connection: Connection, act: Act, old: str, new: str | None) -> bool:
    """Tie what was to what is, once, however often it is begun again; whether this is the first time."""
    inserted = connection.execute(
        """
        insert into rollcall.rewritten_file (forgetting_id, former_hash, archive_path)
        select %(act)s, %(hash)s, %(path)s
        where not exists (
            select from rollcall.rewritten_file where forgetting_id = %(act)s and former_hash = %(hash)s
        )
        """,
        {"act": act.forgetting_id, "hash": act.key.hashed(_sha256_of(old)), "path": new},
    )
    return inserted.rowcount == 1


def _remove(work: _Rewriting, path: str) -> None:
    """Remove a file of which nobody can tell whether it names the person."""
    with connect() as connection:
        connection.execute(
            "update rollcall.delivery_file set removed_at = now() where archive_path = %s and removed_at is null",
            [path],
        )
        if _record(connection, work.act, path, None):
            count(connection, work.act, Places({SEALED: 1}))
    work.archive.remove(path)


def _indexes(archive: Archive) -> dict[str, set[str]]:
    """The texts beside the content, by the hashes that they name."""
    named = defaultdict(set)
    hashes = {_sha256_of(path) for path in archive.contents()}
    for folder in ("deliveries", "injected"):
        for name in archive.names_in(folder):
            text = archive.read_index(f"{folder}/{name}") or ""
            for sha256 in hashes.intersection(text.split('"')):
                named[sha256].add(f"{folder}/{name}")
    return named


def _index_anew(work: _Rewriting, old: str, new: str) -> None:
    """Have the archive's own index name the new content."""
    for name in sorted(work.indexes.get(_sha256_of(old), ())):
        text = work.archive.read_index(name) or ""
        text = text.replace(old, new).replace(_sha256_of(old), _sha256_of(new))
        work.archive.write_index(name, text)
        work.indexes[_sha256_of(new)].add(name)


def _sha256_of(path: str) -> str:
    """The hash of what lies there: its name."""
    return path.rpartition("/")[2]
