"""Deploying the warehouse: migrations, history tables, marts."""

from rollcall.conform.dbt_build import EVERYTHING, run_dbt
from rollcall.conform.outcomes import BuildImpossibleError
from rollcall.conform.session import conforming
from rollcall.migrations import migrate


def deploy(warehouse_url: str) -> None:
    """Bring the warehouse to this version: ledger, history tables, marts and their grants.

    Readers may read and districts may deliver meanwhile; a build that is at work is waited for. Does next to nothing
    where everything is in place.

    Args:
        warehouse_url: The warehouse, as a role that owns its database and may create roles.

    Raises:
        BuildImpossibleError: dbt failed.
        WarehouseError: the warehouse cannot be reached or refused a statement.
    """
    migrate(warehouse_url)
    with conforming(warehouse_url, log=lambda _: None):
        failed = [node for node in run_dbt(warehouse_url, EVERYTHING) if node.failed]
    if failed:
        raise BuildImpossibleError("; ".join(f"{node.name}: {node.message}" for node in failed))
