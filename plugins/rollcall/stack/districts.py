"""SFTP accounts of districts that come, change what they log in with or go while the local stack is running."""

from collections.abc import Callable
from pathlib import Path

from rollcall.stack import airflow, postgres, processes, sftp
from rollcall.stack.errors import StackError
from rollcall.stack.lifecycle import locked
from rollcall.stack.state import Account, StackState, district_ids


def sync_districts(state_dir: Path | None = None) -> StackState:
    """Give every district that has a file an SFTP account and, if the stack is running, an Airflow connection."""
    with locked(state_dir) as state:
        return _apply(state.with_accounts(district_ids(state.districts_dir)))


def rotate_account(district: str, state_dir: Path | None = None, *, public_key: str = "") -> Account:
    """Give a district's own login a new password or key; the old one is refused from the next login on.

    Args:
        district: The district.
        state_dir: Where the stack lives; ``ROLLCALL_STATE_DIR`` by default.
        public_key: The district's SSH key as ``<type> <base64>``; blank for a password.

    Raises:
        StackError: the district has no account.
    """
    return change_account(district, lambda account: account.renewed(public_key), state_dir)


def change_account(district: str, change: Callable[[Account], Account], state_dir: Path | None = None) -> Account:
    """Change a district's own login.

    Args:
        district: The district.
        change: Makes the new login of the present one.
        state_dir: Where the stack lives; ``ROLLCALL_STATE_DIR`` by default.

    Raises:
        StackError: the district has no account.
    """
    with locked(state_dir) as state:
        changed = change(_require(state, district))
        _apply(state.model_copy(update={"accounts": {**state.accounts, district: changed}}))
        return changed


def remove_account(district: str, state_dir: Path | None = None) -> None:
    """Take away a district's logins and its Airflow connection; its files stay.

    Raises:
        StackError: the district has no account.
    """
    with locked(state_dir) as state:
        _require(state, district)
        left = {name: account for name, account in state.accounts.items() if name != district}
        service = {name: account for name, account in state.service_accounts.items() if name != district}
        _apply(state.model_copy(update={"accounts": left, "service_accounts": service}))


def _require(state: StackState, district: str) -> Account:
    if district not in state.accounts:
        raise StackError(f"{district!r} has no SFTP account here; these have: {', '.join(sorted(state.accounts))}.")
    return state.accounts[district]


def _apply(state: StackState) -> StackState:
    state.save()
    sftp.sync_accounts(state)
    if processes.running(state.run_dir, postgres.NAME) and processes.running(state.run_dir, "api-server"):
        initialisation = airflow.Initialisation(state)
        try:
            initialisation.begin()
            initialisation.finish()
        finally:
            initialisation.abandon()
    return state
