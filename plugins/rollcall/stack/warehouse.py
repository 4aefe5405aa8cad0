"""The local stack's warehouse: deployed, and with a login that a person may be shown."""

from rollcall.stack.state import READER, StackState


def prepare_warehouse(state: StackState) -> None:
    """Bring the warehouse to this version, and see that the stack's reader can log in.

    Raises:
        BuildImpossibleError: dbt failed.
        WarehouseError: the warehouse cannot be reached or refused a statement.
    """
    from rollcall.conform import deploy
    from rollcall.readers import ensure_reader
    from rollcall.settings import working_on
    from rollcall.warehouse import connect

    with working_on(warehouse=state.warehouse_url):
        deploy()
        with connect(role=None) as connection:
            ensure_reader(connection, READER, state.reader_password)
