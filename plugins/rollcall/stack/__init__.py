"""The local stack: PostgreSQL, an SFTP server and Airflow, without containers and without root."""

from rollcall.stack.districts import remove_account, rotate_account, sync_districts
from rollcall.stack.errors import StackError
from rollcall.stack.lifecycle import ServiceStatus, down, kill, restart, status, up
from rollcall.stack.state import Account, StackState
from rollcall.stack.warehouse import prepare_warehouse

__all__ = [
    "Account",
    "ServiceStatus",
    "StackError",
    "StackState",
    "down",
    "kill",
    "prepare_warehouse",
    "remove_account",
    "restart",
    "rotate_account",
    "status",
    "sync_districts",
    "up",
]
