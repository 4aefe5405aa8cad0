"""Law 4: upkeep killed anywhere and run again has removed the same, and the ledger says all of it."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

from helpers.deliveries import accept, execute, query
from processes import kill, moments_of

from rollcall.archive.store import Archive
from rollcall.settings import working_on
from rollcall.upkeep.archived import remove_archived
from rollcall.upkeep.landed import drop_landed

OLD = timedelta(days=90)


def tidy() -> None:
    drop_landed(OLD)
    remove_archived(OLD)


def test_law_04_upkeep_may_be_killed_at_every_moment(warehouse_url: str, tmp_path: Path) -> None:
    with working_on(state_dir=tmp_path, archive_keep_free_mib=0):
        for sequence in (1, 2):
            _rejected_long_ago(warehouse_url, sequence)
        at = 1
        while len(query(warehouse_url, "select from rollcall.delivery_file where removed_at is null")) > 0:
            kill(tidy, at)
            at += 1
        moments_of(tidy)
        assert at > 10
        assert [path for path in (tmp_path / "archive").rglob("*") if len(path.name) == 64] == []
        assert query(warehouse_url, "select from pg_namespace where nspname ~ '^delivery_[0-9]'") == []
        removed = (
            "select what, sum(deliveries), sum(removed), sum(bytes_removed) from rollcall.upkeep group by 1 order by 1"
        )
        assert query(warehouse_url, removed) == [("archive", 2, 2, 10), ("landed", 2, 2, 0)]


def _rejected_long_ago(url: str, sequence: int) -> None:
    async def content() -> AsyncIterator[bytes]:
        yield f"file{sequence}".encode()

    number = accept(url, "maple", sequence, {"users": [{"sourced_id": "1"}]})
    moment = "now() - interval '400 days'"
    execute(
        url,
        f"update rollcall.delivery set state = 'rejected', arrived_at = {moment}, decided_at = {moment},"
        f" accepted_at = {moment} where delivery_id = %s",
        number,
    )
    path = asyncio.run(Archive.of("maple").keep(content())).path
    execute(
        url,
        "update rollcall.delivery_file set archive_path = %s, sha256 = %s, size_bytes = 5 where delivery_id = %s",
        path,
        path[-64:],
        number,
    )
