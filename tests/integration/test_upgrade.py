"""From the released 0.1.0, with its data, to this version: what readers saw then, they see now.

``tests/data/warehouse-0.1.0.sql.gz`` is what that version left after two published nights of a made-up district and a
third that was held, as ``pg_dump --no-owner --no-unlogged-table-data`` wrote it.
"""

import gzip
import subprocess
from collections.abc import Collection, Iterator

import psycopg
import pytest
from helpers.postgres import Postgres

from rollcall.conform import deploy
from rollcall.decision.holds import Answer
from rollcall.decision.settle import settle
from rollcall.recovery.history import differences_of_history
from rollcall.settings import PROJECT_ROOT, working_on
from rollcall.stack.programs import bin_dir
from rollcall.warehouse import connect

DUMP = PROJECT_ROOT / "tests" / "data" / "warehouse-0.1.0.sql.gz"
DATABASE = "rollcall_0_1_0"
MARTS = {
    "roster.dim_school": 3, "roster.dim_term": 7, "roster.dim_course": 136, "roster.dim_class": 64,
    "roster.dim_student": 13, "roster.dim_staff": 37, "roster.fct_enrollment": 93, "roster.fct_teaching": 65,
    "roster.roster": 58, "roster_restricted.dim_student_demographics": 13,
}  # fmt: skip
"""The marts of 0.1.0, and how many rows it showed of the second night."""

Shown = dict[str, list[dict[str, object]]]


@pytest.fixture
def old_url(postgres: Postgres, warehouse_template: str) -> Iterator[str]:
    """The warehouse of 0.1.0; the template has made the roles that its grants name."""
    assert warehouse_template
    url = postgres.create(DATABASE)
    load = [str(bin_dir() / "psql"), "--no-psqlrc", "--quiet", "--set=ON_ERROR_STOP=1", f"--dbname={url}"]
    subprocess.run(load, input=gzip.decompress(DUMP.read_bytes()), check=True, stdout=subprocess.DEVNULL)
    yield url
    postgres.drop(DATABASE)


def shown(url: str, columns_of: Shown | None = None) -> Shown:
    """What readers see; of ``columns_of``, only columns that these had."""
    with psycopg.connect(url) as connection:
        rows = {mart: connection.execute(f"select to_jsonb(m) from {mart} as m").fetchall() for mart in MARTS}
    return {
        mart: [
            {name: row[name] for name in sorted(row) if columns_of is None or name in columns_of[mart][0]}
            for (row,) in found
        ]
        for mart, found in rows.items()
    }


def in_order(rows: list[dict[str, object]], names: Collection[str]) -> list[str]:
    """Rows as text, in these columns."""
    return sorted(str({name: row[name] for name in sorted(names)}) for row in rows)


def test_what_readers_saw_they_see_and_what_waited_is_decided(old_url: str) -> None:
    before = shown(old_url)
    assert {mart: len(rows) for mart, rows in before.items()} == MARTS
    with working_on(warehouse=old_url):
        deploy()
        after = shown(old_url, before)
        for mart, rows in after.items():
            assert in_order(rows, rows[0]) == in_order(before[mart], rows[0]), mart
        with connect() as connection:
            assert list(differences_of_history(connection, "first")) == []
            ruling = settle(connection, 3, Answer("discarded", "Ada", "half of it", "cli"))
        assert (ruling.outcome, [reason.code for reason in ruling.hold.reasons]) == ("settled", ["hold_removed"])
    gone = {
        mart: sorted(set(before[mart][0]) - set(rows[0])) for mart, rows in after.items()
        if set(before[mart][0]) - set(rows[0])
    }  # fmt: skip
    assert gone == {
        "roster.dim_school": ["parent_organisation_name", "parent_organisation_source_id"],
        "roster.dim_course": ["organisation_source_id"],
        "roster.dim_staff": ["organisation_source_ids"],
    }, "spelled in American English since"
