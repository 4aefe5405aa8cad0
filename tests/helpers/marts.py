"""Everything that readers see."""

from typing import Any

import psycopg
from helpers.deliveries import query

ALL_MARTS = """
    select relnamespace::regnamespace || '.' || relname from pg_class
    where relkind = 'v' and relnamespace in ('roster'::regnamespace, 'roster_restricted'::regnamespace) order by 1
"""


def marts_of(
    url: str, district_id: str, *, as_of: str | None = None, role: str | None = None
) -> dict[str, list[tuple[Any, ...]]]:
    """The rows of every mart of one district, as text, in order.

    Args:
        url: The warehouse.
        district_id: The district.
        as_of: What to set ``roster.as_of`` to; nothing is set when not given.
        role: Who asks; whoever logs in when not given.
    """
    marts = [name for (name,) in query(url, ALL_MARTS)]
    with psycopg.connect(url) as connection:
        if role is not None:
            connection.execute(f"set role {role}")
        if as_of is not None:
            connection.execute("select set_config('roster.as_of', %s, false)", [as_of])
        return {
            mart: connection.execute(
                f"select mart::text from {mart} as mart where district_id = %s order by 1", [district_id]
            ).fetchall()
            for mart in marts
        }
