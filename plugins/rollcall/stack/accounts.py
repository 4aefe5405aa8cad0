"""The SFTP accounts of this installation, the local stack's and the Docker stack's alike."""

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from rollcall.private import locked
from rollcall.settings import settings
from rollcall.stack import districts
from rollcall.stack.errors import StackError
from rollcall.stack.server_init import (
    HOST_KEY,
    LOCK,
    LOGINS,
    ServerSettings,
    bring_in_line,
    read_logins,
    save_logins,
    write_accounts,
)
from rollcall.stack.sftp import ensure_key
from rollcall.stack.state import Account, StackState

Change = Callable[[Account], Account]


@dataclass(frozen=True)
class Address:
    """Where districts upload to.

    Attributes:
        host_key: The server's public key as ``<type> <base64>``.
    """

    host: str
    port: int
    host_key: str


class Accounts(Protocol):
    """Every district's account, and what goes with it: logins, folders, the Airflow connection."""

    def address(self) -> Address:
        """Where districts upload to.

        Raises:
            StackError: nobody has said so, or no stack was ever started here.
        """

    def server(self) -> Address:
        """The SFTP server as Rollcall itself reaches it, and the key on record."""

    def of(self, district: str) -> Account | None:
        """A district's own login; None for one that has none."""

    def sync(self) -> None:
        """Give every district that has a file what it lacks."""

    def change(self, district: str, change: Change) -> Account:
        """Change a district's own login.

        Raises:
            StackError: the district has no account.
        """

    def remove(self, district: str) -> None:
        """Take away the account of a district whose file is gone; what lies in its folder stays."""


def accounts_here() -> Accounts:
    """The accounts of the Docker stack where this process is a part of it, else those of the local stack.

    Raises:
        StackError: no stack was ever started here, or it serves other district files.
    """
    return ServerAccounts() if "ROLLCALL_SERVER_ACCOUNTS_DIR" in os.environ else LocalAccounts()


class LocalAccounts:
    """Those of the local stack.

    Raises:
        StackError: no stack was ever started here, or it serves other district files.
    """

    def __init__(self) -> None:
        served, wanted = self._state().districts_dir, settings().districts_dir.resolve()
        if served != wanted:
            raise StackError(f"The local stack serves the district files of {served}, not those of {wanted}.")

    def address(self) -> Address:
        """Where districts upload to: as the settings say, else at this machine."""
        state = self._state()
        return _address(state.sftp_host_key) or self.server()

    def server(self) -> Address:
        """The SFTP server on this machine, and the key on record."""
        state = self._state()
        return Address(state.sftp_host, state.sftp_port, state.sftp_host_key)

    def of(self, district: str) -> Account | None:
        """A district's own login; None for one that has none."""
        return self._state().accounts.get(district)

    def sync(self) -> None:
        """Give every district that has a file what it lacks."""
        districts.sync_districts()

    def change(self, district: str, change: Change) -> Account:
        """Change a district's own login."""
        return districts.change_account(district, change)

    def remove(self, district: str) -> None:
        """Take away a district's account."""
        if self.of(district):
            districts.remove_account(district)

    def _state(self) -> StackState:
        root = settings().state_dir.resolve()
        state = StackState.load(root)
        if state is None:
            raise StackError(f"No stack was ever started in {root}. Start it with `rollcall up`.")
        return state


class ServerAccounts:
    """Those of the Docker stack, from within its service ``migrate``."""

    def __init__(self) -> None:
        self._server = ServerSettings()

    @property
    def _logins(self) -> Path:
        return self._server.accounts_dir / LOGINS

    def address(self) -> Address:
        """Where districts upload to, as the settings say."""
        found = _address(ensure_key(self._server.accounts_dir / HOST_KEY))
        if found is None:
            raise StackError(
                "Say in ROLLCALL_SFTP_ADDRESS where districts upload to, for instance sftp.example.org:22."
            )
        return found

    def server(self) -> Address:
        """The SFTP service, and the key on record."""
        host_key = ensure_key(self._server.accounts_dir / HOST_KEY)
        return Address(self._server.sftp_host, self._server.sftp_port, host_key)

    def of(self, district: str) -> Account | None:
        """A district's own login; None for one that has none."""
        entry = read_logins(self._logins).get(district)
        return entry.account(district) if entry else None

    def sync(self) -> None:
        """Give every district that has a file what it lacks."""
        bring_in_line(self._server)

    def change(self, district: str, change: Change) -> Account:
        """Change a district's own login; the SFTP service sees it within seconds."""
        with locked(self._server.accounts_dir / LOCK):
            known = read_logins(self._logins)
            if district not in known:
                raise StackError(f"{district!r} has no SFTP account here; these have: {', '.join(sorted(known))}.")
            account = change(known[district].account(district))
            save_logins(self._logins, known | {district: known[district].with_account(account)})
        write_accounts(self._server.accounts_dir)
        return account

    def remove(self, district: str) -> None:
        """Take away a district's account; should it come back, it gets another password."""
        if self.of(district):
            self.change(district, lambda account: account.renewed())
            self.sync()


def _address(host_key: str) -> Address | None:
    """The address of the settings, or None where they say none."""
    host, _, port = settings().sftp_address.partition(":")
    return Address(host, int(port or 22), host_key) if host else None
