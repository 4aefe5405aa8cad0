"""``rollcall demo``, ``up``, ``down``, ``deploy``."""

import os
from typing import TYPE_CHECKING

import typer

from rollcall.cli.output import make_console, progress_bar
from rollcall.private import UMASK

if TYPE_CHECKING:
    from rollcall.stack import StackState

console = make_console()


def demo() -> None:
    """Three districts, two nights, one bad upload held: on the real stack, in about two minutes.

    For example:

    rollcall demo

    ROLLCALL_STATE_DIR=/tmp/demo rollcall demo
    """
    from rollcall.cli.demo import run_demo

    os.umask(UMASK)
    raise typer.Exit(run_demo(console))


def up() -> None:
    """Start the local stack: PostgreSQL, an SFTP server, Airflow. Starting it twice does no harm.

    For example:

    rollcall up
    """
    from rollcall.stack import prepare_warehouse
    from rollcall.stack import up as start

    os.umask(UMASK)
    _close_folders()
    print_addresses(start(after_postgres=prepare_warehouse, progress=lambda line: console.print(f"  {line}")))


def print_addresses(state: "StackState") -> None:
    """Where to look, and with which login; whoever needs the owner's finds it in the private file."""
    console.print(f"Airflow   {state.airflow_url}   user {state.airflow_user}, password {state.airflow_password}")
    console.print(f"Warehouse {state.psql_path} {state.reader_url}", soft_wrap=True)
    console.print(f"Tables    {state.warehouse_docs_url}")
    console.print(f"The warehouse's login reads the marts. Every other login stands in {state.state_dir}/stack.json.")
    console.print("Stop it with `rollcall down`.")


def down() -> None:
    """Stop exactly what `up` started; the data stays.

    For example:

    rollcall down
    """
    from rollcall.stack import down as stop

    stop(progress=lambda line: console.print(f"  {line}"))


def deploy() -> None:
    """Bring the warehouse to this version: migrations, history tables, marts. Safe to repeat.

    For example:

    rollcall deploy
    """
    from rollcall.conform import deploy as deploy_warehouse

    os.umask(UMASK)
    _close_folders()
    with progress_bar():
        deploy_warehouse()
    console.print("The warehouse is at this version.")


def _close_folders() -> None:
    """Close what an earlier version left open; that it cannot be done is no reason to stay at that version."""
    from rollcall.archive.store import ArchiveError, close_archive
    from rollcall.settings import settings
    from rollcall.stack import StackError
    from rollcall.stack.state import close_state_folder

    try:
        close_archive(settings().archive_root)
        close_state_folder(settings().state_dir)
    except (ArchiveError, StackError) as error:
        console.print(str(error), style="yellow")
