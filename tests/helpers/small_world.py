"""The way of the data on a real PostgreSQL, without Airflow and without an inbox: bytes in, a published roster out.

Many districts live in one warehouse, because one build serves them all: a property test draws a batch of them, judges
their deliveries one by one, and builds once.
"""

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

from helpers.deliveries import query
from helpers.postgres import DATABASE

from rollcall import ledger
from rollcall.archive.content import record_delivered
from rollcall.archive.inbox import TakenFile
from rollcall.archive.store import Archive
from rollcall.arrival.listing import InboxFile, assess
from rollcall.conform import BuildOutcome, conform
from rollcall.decision.acceptance import accept
from rollcall.decision.decide import decide
from rollcall.decision.recognition import recognize
from rollcall.districts import District
from rollcall.oneroster import FILE_BY_NAME, FILES
from rollcall.settings import working_on
from rollcall.steps import check_again, check_all
from rollcall.warehouse import connect

HISTORY = tuple(f"history.hist_{file.table_name}" for file in FILES)
BOOKKEEPING = ("district_id", "valid_from_seq", "valid_to_seq", "end_reason", "ended_on", "row_hash", "metadata")
PUBLISHED = """
    select district_id, to_jsonb(version)
    from history.hist_{table} as version
    inner join rollcall.publication using (district_id)
    where valid_from_seq <= sequence and (valid_to_seq is null or sequence < valid_to_seq)
"""
BLOCK_BYTES = 1 << 20

Records = dict[Any, dict[str, Any]]
"""Attributes by id, and school year where the file has one."""


@dataclass(frozen=True)
class Outcome:
    """What became of one delivery.

    Attributes:
        verdict: What ``decide`` said; the delivery's state where it was settled before anything was landed.
        state: The delivery's state.
        said: Every sentence that was said about it.
    """

    delivery_id: int
    district_id: str
    verdict: str
    state: str
    said: tuple[str, ...]


@dataclass(frozen=True)
class SmallWorld:
    """One warehouse and one archive, to be worked on.

    Attributes:
        postgres: The server.
        template: A deployed, empty warehouse.
        archive: The archive's folder.
    """

    postgres: Any
    template: str
    archive: Path

    @property
    def url(self) -> str:
        """The warehouse. Always of one name: dbt's parsed project stays valid from example to example."""
        return str(self.postgres.url(DATABASE))

    @contextmanager
    def worked_on(self) -> Iterator[None]:
        """Have what is called meanwhile work on this world."""
        with working_on(warehouse=self.url, archive_url=self.archive.as_uri()):
            yield

    def begin(self, template: str | None = None) -> None:
        """Go back to the empty warehouse, or to one that was kept."""
        self.postgres.create(DATABASE, template or self.template)

    def keep(self, name: str) -> str:
        """Keep the warehouse as it is now under a name, to begin from; returns the name."""
        self.postgres.create(name, DATABASE)
        return name

    def deliver(
        self,
        district: District,
        files: Mapping[str, bytes],
        service_date: date,
        look: Callable[[int], None] | None = None,
    ) -> Outcome:
        """A night of a district up to the decision, as its DAG has it; accepted where nothing speaks against it.

        Args:
            files: What lies in the inbox, by name.
            service_date: The night.
            look: Called with the delivery once it is gated.
        """
        with connect() as connection:
            ledger.record_district(connection, district)
            delivery = ledger.open_delivery(connection, district, service_date, f"run__{service_date}", "inbox")
        archive = Archive.of(district.district_id)
        record_delivered(archive, district, delivery, self._taken(archive, district, files))
        delivery = recognize(delivery.delivery_id)
        if delivery.state not in ("received", "held"):
            return self._outcome(delivery.delivery_id, delivery.state, ())
        check_all(delivery.delivery_id, district.limits)
        if look:
            look(delivery.delivery_id)
        decision = decide(district, delivery.delivery_id)
        accept(delivery.delivery_id)  # obeys the ledger: a delivery that is held or rejected stays so
        return self._outcome(delivery.delivery_id, decision.verdict, (str(decision),))

    def conform(self) -> list[BuildOutcome]:
        """Build and publish what was accepted of all districts."""
        return conform(reland=check_again)

    def state_of(self, delivery_id: int) -> tuple[str, str | None]:
        """A delivery's state now, and the reason that the ledger gives."""
        ((state, reason),) = self.query(
            "select state, state_reason from rollcall.delivery where delivery_id = %s", delivery_id
        )
        return state, reason

    def query(self, statement: str, *parameters: Any) -> list[tuple[Any, ...]]:
        return query(self.url, statement, *parameters)

    def shown(self, file: str) -> dict[str, Records]:
        """The published records of one of the files, per district. One question for all: there are many districts."""
        shown: dict[str, Records] = defaultdict(dict)
        for district_id, record in self.query(PUBLISHED.format(table=FILE_BY_NAME[file].table_name)):
            year = (record.pop("school_year"),) if "school_year" in record else ()
            key = (record.pop("source_id"), *year)
            assert key not in shown[district_id], (district_id, file, key)
            shown[district_id][key] = {name: value for name, value in record.items() if name not in BOOKKEEPING}
        return shown

    def _outcome(self, delivery_id: int, verdict: str, said: Iterable[str]) -> Outcome:
        with connect() as connection:
            delivery = ledger.delivery(connection, delivery_id)
        return Outcome(delivery_id, delivery.district_id, verdict, delivery.state, tuple(said))

    def _taken(self, archive: Archive, district: District, files: Mapping[str, bytes]) -> list[TakenFile]:
        listing = [InboxFile(name, len(content), 0) for name, content in files.items()]
        return [
            TakenFile(file.name, file, asyncio.run(archive.keep(_blocks(files[file.name]))))
            for file in assess(listing, district.files).files
        ]


async def _blocks(content: bytes) -> AsyncIterator[bytes]:
    for at in range(0, len(content), BLOCK_BYTES):
        yield content[at : at + BLOCK_BYTES]
