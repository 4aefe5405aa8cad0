"""Deploying the warehouse: migrations, history tables, marts, and the page that documents them."""

from rollcall.conform.dbt_build import EVERYTHING, run_dbt, write_docs
from rollcall.conform.outcomes import BuildImpossibleError
from rollcall.conform.session import conforming
from rollcall.migrations import migrate
from rollcall.settings import settings


def deploy(warehouse_url: str) -> None:
    """Bring the warehouse to this version: ledger, history tables, marts and their grants, documentation.

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
        write_docs(warehouse_url, settings().warehouse_docs)
