"""Undoing what no publication shows."""

from collections.abc import Sequence

from rollcall.oneroster import FILES
from rollcall.warehouse import Connection

RECORD_TABLES = tuple(f"history.hist_{file.table_name}" for file in FILES)
"""The versions of what districts send."""

FORMER_IDS = "history.hist_former_ids"
"""Under which ids records were known before."""

WORKED_OUT_TABLES = ("history.hist_class_details", "history.hist_doubles")
"""The versions of what is worked out from it for the marts."""

HISTORY_TABLES = (*RECORD_TABLES, *WORKED_OUT_TABLES, FORMER_IDS)

PUBLISHED_SEQUENCE = """
    select district.district_id, coalesce(publication.sequence, 0) as sequence
    from unnest(%(districts)s::text[]) as district (district_id)
    left join rollcall.publication on district.district_id = publication.district_id
"""

NOT_PUBLISHED = (
    "version.valid_from_seq > 1 and version.valid_from_seq > published.sequence and published.sequence > 0",
    "published.sequence = 0",
)
"""Versions that began after the published sequence, and all of a district of which nothing is published. Apart, so that
the index of the versions that did not come with a first load is of use."""


def undo_unpublished(session: Connection, district_ids: Sequence[str]) -> None:
    """Take the history of some districts back to what is published of them.

    Versions that began after the published sequence are deleted, those that ended after it are open again. Does
    nothing where nothing is to be undone.

    Args:
        session: The session that holds the conform lock.
        district_ids: The districts; no other's rows are looked at.
    """
    if not district_ids:
        return
    with session.transaction():
        for table in HISTORY_TABLES:
            for beginning in NOT_PUBLISHED:
                session.execute(
                    f"delete from {table} as version using ({PUBLISHED_SEQUENCE}) as published"
                    f" where version.district_id = published.district_id and {beginning}",
                    {"districts": list(district_ids)},
                )
            session.execute(
                f"update {table} as version set valid_to_seq = null, end_reason = null, ended_on = null"
                f" from ({PUBLISHED_SEQUENCE}) as published"
                " where version.district_id = published.district_id and version.valid_to_seq > published.sequence",
                {"districts": list(district_ids)},
            )
