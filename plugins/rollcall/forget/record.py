"""What a forgetting is, while it is under way: who goes, and how much went from where, as the ledger has it."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Self

from rollcall.forgotten import ForgetKey
from rollcall.warehouse import Connection, value
from rollcall.who import Person


@dataclass(frozen=True)
class Act:
    """One forgetting.

    Attributes:
        forgetting_id: Its row in the ledger; 0 of a dry run, which writes nothing.
        ids: Every id that the person was ever known by.
        key: What ids and hashes are hashed with.
    """

    forgetting_id: int
    district_id: str
    ids: frozenset[str]
    key: ForgetKey

    @property
    def is_dry_run(self) -> bool:
        """Whether it is only counted."""
        return self.forgetting_id == 0


@dataclass
class Places:
    """How much went from each place, or would go."""

    removed: dict[str, int] = field(default_factory=dict)

    def add(self, place: str, number: int) -> None:
        """Count some more."""
        if number:
            self.removed[place] = self.removed.get(place, 0) + number

    def __add__(self, other: Self) -> "Places":
        both = Places(dict(self.removed))
        for place, number in other.removed.items():
            both.add(place, number)
        return both


@dataclass(frozen=True)
class Records:
    """Ids of a person's records, by the standard's file names."""

    ids: Mapping[str, frozenset[str]]

    @classmethod
    def of(cls, ids: Mapping[str, Collection[str]]) -> "Records":
        """The same, of whatever collections; a blank is no id."""
        return cls({file: frozenset(some) - {""} for file, some in ids.items()})

    def names(self, file: str, *source_ids: str) -> bool:
        """Whether a record of a file is one of them."""
        return not self.ids.get(file, frozenset()).isdisjoint(source_ids)

    @property
    def pairs(self) -> tuple[list[str], list[str]]:
        """Files and ids, side by side, as two arrays for PostgreSQL."""
        pairs = [(file, each) for file, ids in sorted(self.ids.items()) for each in sorted(ids)]
        return [file for file, _ in pairs], [each for _, each in pairs]


def unfinished(connection: Connection, act: Act) -> int | None:
    """The row of a forgetting of the same person that was interrupted."""
    found = value(
        connection,
        "select forgetting_id from rollcall.forgetting"
        " where district_id = %s and id_hashes @> %s and finished_at is null order by 1 limit 1",
        (act.district_id, _hashes(act)),
    )
    return int(found) if found else None


def begin(connection: Connection, act: Act, kind: str, by: Person, why: str) -> int:
    """The row of a forgetting: the one that was interrupted, if there is one, else a new one."""
    return unfinished(connection, act) or int(
        value(
            connection,
            "insert into rollcall.forgetting (district_id, kind, id_hashes, key_mark, forgotten_by, login, why)"
            " values (%s, %s, %s, %s, %s, %s, %s) returning forgetting_id",
            (act.district_id, kind, _hashes(act), act.key.mark, by.name, by.login, why),
        )
    )


def finish(connection: Connection, act: Act) -> None:
    """Write down that nothing is left to be done."""
    connection.execute(
        "update rollcall.forgetting set finished_at = clock_timestamp() where forgetting_id = %s", [act.forgetting_id]
    )


def _hashes(act: Act) -> list[str]:
    return sorted(act.key.hashed(act.district_id, each) for each in act.ids)


def count(connection: Connection, act: Act, places: Places) -> None:
    """Add to what the ledger says went, in the transaction in which it goes."""
    with connection.cursor() as cursor:
        cursor.executemany(
            "insert into rollcall.forgotten as known (forgetting_id, place, removed) values (%s, %s, %s)"
            " on conflict (forgetting_id, place) do update set removed = known.removed + excluded.removed",
            [(act.forgetting_id, place, number) for place, number in places.removed.items()],
        )


def counts(connection: Connection, forgetting_id: int) -> Places:
    """All that the ledger says went."""
    rows = connection.execute("select place, removed from rollcall.forgotten where forgetting_id = %s", [forgetting_id])
    return Places(dict(sorted(rows.fetchall())))
