"""How much a delivery holds, kept with it: whoever lists a thousand districts does not count their rows anew."""

from psycopg import sql

from rollcall.landing.typed import typed_table
from rollcall.ledger import Delivery
from rollcall.oneroster import FILE_BY_NAME
from rollcall.warehouse import Connection


def record_figures(connection: Connection, delivery: Delivery) -> None:
    """Write down how many records a delivery's files hold, and how many of them are set aside.

    Args:
        connection: A transaction in the ledger.
        delivery: A delivery that went through the gate.
    """
    connection.execute(
        """
        update rollcall.delivery
        set (records, set_aside) = (
            select sum(rows_landed), sum(rows_set_aside) from rollcall.delivery_file where delivery_id = %(delivery)s
        )
        where delivery_id = %(delivery)s
        """,
        {"delivery": delivery.delivery_id},
    )


def record_students(connection: Connection, delivery: Delivery) -> None:
    """Write down how many people users.csv names as students; where it names only a part of the people, nothing.

    Args:
        connection: A transaction in the ledger.
        delivery: A delivery whose files are read, the roles of roles.csv included.
    """
    connection.execute(
        sql.SQL(
            "update rollcall.delivery set students = (select count(*) from {users} where role = 'student')"
            " where delivery_id = {delivery} and exists (select from rollcall.delivery_file as sent"
            " where sent.delivery_id = delivery.delivery_id and file = 'users' and mode = 'bulk')"
        ).format(users=typed_table(delivery, FILE_BY_NAME["users"]), delivery=sql.Literal(delivery.delivery_id))
    )
