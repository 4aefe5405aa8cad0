"""`rollcall verify` where a person was forgotten: fewer versions than were counted are in order, more never."""

import psycopg
from helpers.inbox import district
from psycopg import sql

from rollcall.ledger import record_district
from rollcall.recovery.history import _COUNTED_OTHERWISE

VERSIONS = """
    create table history.versions (district_id text, valid_from_seq integer, valid_to_seq integer);
    insert into history.versions values ('maple', 1, null);
    insert into rollcall.delivery (district_id, run_id, state, service_date, accepted_sequence)
    values ('maple', 'run', 'published', '2026-11-02', 1);
    insert into rollcall.change_count select delivery_id, 'users', 5, 0, 0, 0 from rollcall.delivery
"""
FORGOTTEN = """
    insert into rollcall.forgetting (district_id, kind, id_hashes, key_mark, forgotten_by, login, why)
    values ('maple', 'student', array['x'], 'm', 'Ada', 'ada', 'asked')
"""


def test_fewer_versions_than_counted_are_in_order_where_a_person_was_forgotten(warehouse_url: str) -> None:
    with psycopg.connect(warehouse_url) as connection:
        record_district(connection, district())
        connection.execute(VERSIONS)
        counted_otherwise = sql.SQL(_COUNTED_OTHERWISE).format(
            district=sql.Literal("maple"),
            file=sql.Literal("users"),
            table=sql.Identifier("history", "versions"),
            published=sql.Literal(1),
        )
        assert len(connection.execute(counted_otherwise).fetchall()) == 1
        connection.execute(FORGOTTEN)
        assert connection.execute(counted_otherwise).fetchall() == []
        connection.execute("insert into history.versions select 'maple', 1, null from generate_series(1, 9)")
        assert len(connection.execute(counted_otherwise).fetchall()) == 1
        connection.rollback()
