"""Districts in the ledger: every one that was ever brought in."""

from rollcall.districts import District
from rollcall.warehouse import Connection, values


def record_district(connection: Connection, district: District) -> None:
    """Write down what a district's file says, for the models that read it."""
    connection.execute(
        """
        insert into rollcall.district as d (district_id, name, enrollment_end_date) values (%s, %s, %s)
        on conflict (district_id) do update
        set name = excluded.name, enrollment_end_date = excluded.enrollment_end_date, updated_at = now()
        where (d.name, d.enrollment_end_date) is distinct from (excluded.name, excluded.enrollment_end_date)
        """,
        (district.district_id, district.name, district.enrollment_end_date),
    )


def district_ids(connection: Connection) -> list[str]:
    """Every district that was ever brought in, in the order of their ids."""
    return values(connection, "select district_id from rollcall.district order by district_id")
