"""Deploying the warehouse: migrations, history tables, marts, readers' limits, and the page that documents it all."""

import time
from collections.abc import Callable

from rollcall.conform.dbt_build import EVERYTHING, run_dbt, write_docs
from rollcall.conform.outcomes import BuildImpossibleError
from rollcall.conform.session import conforming
from rollcall.log import get_logger
from rollcall.migrations import LOCK_TIMEOUT, migrate
from rollcall.progress import tell
from rollcall.readers import limit_readers
from rollcall.settings import settings
from rollcall.warehouse import WarehouseError, connect, values

log = get_logger(__name__)

LOCK_NOT_AVAILABLE = "55P03"
TRY_AGAIN_SECONDS = 3.0


# The planner keeps no values of the events that publications are read from (law 6). Where it knows nothing, it takes
# them for one row, and has what is counted for a district counted anew for each of its schools. That there are ten
# districts is chosen, as in the macro `history_table_statistics`.
_STATISTICS_OF_EVENTS = """
    select pg_restore_attribute_stats(
        'schemaname', 'rollcall', 'relname', 'publication_event', 'attname', told.attname, 'inherited', false,
        'null_frac', told.null_frac, 'avg_width', told.avg_width, 'n_distinct', told.n_distinct
    )
    from (
        values
        ('district_id', 0::real, 12, 10::real),
        ('effective_date', 0::real, 4, -0.1::real),
        ('night_correction_id', 1::real, 8, 0::real)
    ) as told (attname, null_frac, avg_width, n_distinct)
"""

_IN_THE_WAY = """
    select distinct coalesce(pg_stat_activity.usename, 'somebody') || ' (process ' || pg_locks.pid || ')'
    from pg_locks
    inner join pg_class on pg_locks.relation = pg_class.oid
    left join pg_stat_activity on pg_locks.pid = pg_stat_activity.pid
    where
        pg_locks.database = (select oid from pg_database where datname = current_database())
        and pg_class.relnamespace::regnamespace::text in ('rollcall', 'history', 'roster', 'roster_restricted')
        and pg_locks.pid <> pg_backend_pid()
    order by 1
"""


def deploy() -> None:
    """Bring the warehouse to this version: ledger, history tables, marts and their grants, limits, documentation.

    Readers may read and districts may deliver meanwhile; a build that is at work is waited for. Does next to nothing
    where everything is in place. A reader's transaction that is in the way is never ended and never waited for longer
    than other readers, who queue behind the deploy, can wait: it is tried again and again. The warehouse's login must
    own its database, and may create roles.

    Raises:
        BuildImpossibleError: dbt failed, or somebody is in the way for longer than the deploy's patience.
        WarehouseError: the warehouse cannot be reached or refused a statement.
    """
    deadline = time.monotonic() + settings().deploy_patience_seconds
    for step, what in ((migrate, "migrations"), (_deploy_models, "history tables and marts")):
        tell(what)
        _patiently(step, deadline)
    with connect(role=None) as connection:
        connection.execute(_STATISTICS_OF_EVENTS)
        for reader in limit_readers(connection):
            log.warning("%s keeps its own limits: it was made by another role, which has to set them.", reader)


def _deploy_models() -> None:
    """History tables, marts, and the page that documents them."""
    with conforming():
        failed = [node for node in run_dbt(EVERYTHING, lock_timeout=LOCK_TIMEOUT) if node.failed]
        if failed:
            raise BuildImpossibleError("; ".join(f"{node.name}: {node.message}" for node in failed))
        tell("the page that documents the warehouse")
        write_docs(settings().warehouse_docs)


def _patiently(step: Callable[[], None], deadline: float) -> None:
    """Try a step until no transaction of somebody else is in its way."""
    while True:
        try:
            step()
        except (BuildImpossibleError, WarehouseError) as error:
            if LOCK_NOT_AVAILABLE not in str(error):
                raise
            with connect(role=None) as connection:
                found = values(connection, _IN_THE_WAY)
            in_the_way = (
                f"Open transactions are in the way of the deploy: {', '.join(found) or 'they have just ended'}."
            )
            if time.monotonic() > deadline:
                raise BuildImpossibleError(
                    f"{in_the_way} Have them ended (select pg_terminate_backend(process)), and deploy again."
                ) from None
            log.warning("%s Trying again.", in_the_way)
            time.sleep(TRY_AGAIN_SECONDS)
        else:
            return
