"""The stack that is backed up, or restored in: where its parts are, local or on a server."""

import io
import json
import os
import tarfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Literal, Protocol

from rollcall.forgotten import KEY_FILE
from rollcall.private import make_folder, write_private
from rollcall.recovery.manifest import BackupError
from rollcall.settings import settings
from rollcall.stack import airflow, processes
from rollcall.stack.server_init import HOST_KEY, LOGINS, SERVICE_KEY, ServerSettings
from rollcall.stack.state import StackState, load_or_create

LOCAL_LOGINS = "logins.json"
LOCAL_KEYS = frozenset({"sftp_host_key", KEY_FILE})
KEPT_OF_LOCAL = frozenset(
    {
        "accounts", "service_accounts", "reader_password", "airflow_user", "airflow_password", "service_user",
        "service_password", "fernet_key",
    }
)  # fmt: skip
"""What of the local stack's state goes with its data; ports and the databases' own passwords are the place's."""


class Place(Protocol):
    """A stack."""

    stack: Literal["local", "server"]

    def airflow_url(self) -> str:
        """Airflow's database, as its owner."""

    def superuser_url(self) -> str | None:
        """The warehouse as PostgreSQL's superuser, where the stack has that login."""

    def accounts(self) -> dict[str, str]:
        """The SFTP accounts and the server's keys: contents by file name. They hold passwords."""

    def has_accounts(self) -> bool:
        """Whether there are accounts already."""

    def require_quiet(self) -> None:
        """See that nobody is at work.

        Raises:
            BackupError: Airflow is running.
        """

    def take_accounts(self, files: Mapping[str, str]) -> None:
        """Put accounts in place, and have the databases run."""


def place_here() -> Place:
    """The server's stack where this process is a part of it, else the local one."""
    return ServerPlace() if "ROLLCALL_SERVER_ACCOUNTS_DIR" in os.environ else LocalPlace()


class LocalPlace:
    """The local stack."""

    stack: Literal["local", "server"] = "local"

    def __init__(self) -> None:
        self._root = settings().state_dir.resolve()

    def airflow_url(self) -> str:
        """Airflow's database, as its owner."""
        return self._state().airflow_db_url

    def superuser_url(self) -> str | None:
        """The warehouse as PostgreSQL's superuser."""
        return self._state().superuser_url.rpartition("/")[0] + "/warehouse"

    def accounts(self) -> dict[str, str]:
        """What of the stack's state belongs to its data, the SFTP server's key, and that of forgotten people's ids."""
        kept = self._state().model_dump(mode="json", include=set(KEPT_OF_LOCAL))
        keys = [path for name in LOCAL_KEYS if (path := self._root / name).exists()]
        return {LOCAL_LOGINS: json.dumps(kept, indent=1)} | {path.name: path.read_text() for path in keys}

    def has_accounts(self) -> bool:
        """Whether a stack was ever started here."""
        return StackState.load(self._root) is not None

    def require_quiet(self) -> None:
        """See that Airflow is down."""
        running = [name for name in airflow.NAMES if processes.running(self._root / "run", name)]
        if running:
            raise BackupError("The stack is up. Stop it with `rollcall down`, restore, then `rollcall up`.")

    def take_accounts(self, files: Mapping[str, str]) -> None:
        """Put the accounts into the stack's state, and start PostgreSQL and the SFTP server."""
        from rollcall.stack import up

        make_folder(self._root)
        state = load_or_create(settings(), {})
        StackState.model_validate(state.model_dump() | json.loads(files[LOCAL_LOGINS])).save()
        for name in files.keys() & LOCAL_KEYS:
            write_private(self._root / name, files[name])
        up(with_airflow=False)

    def _state(self) -> StackState:
        state = StackState.load(self._root)
        if state is None:
            raise BackupError(f"No stack was ever started in {self._root}: there is nothing to back up.")
        return state


class ServerPlace:
    """The server's stack, from within its service ``migrate``."""

    stack: Literal["local", "server"] = "server"

    def __init__(self) -> None:
        self._folder = ServerSettings().accounts_dir

    def airflow_url(self) -> str:
        """Airflow's database, as its owner."""
        from airflow.configuration import conf

        url = str(conf.get("database", "sql_alchemy_conn"))
        return f"postgresql://{url.partition('://')[2]}"

    def superuser_url(self) -> str | None:
        """No service but PostgreSQL's own has that login."""
        return None

    def accounts(self) -> dict[str, str]:
        """The districts' logins, the SFTP service's key, and Rollcall's own."""
        return {name: (self._folder / name).read_text() for name in (LOGINS, HOST_KEY, SERVICE_KEY)}

    def has_accounts(self) -> bool:
        """Whether `migrate` made some."""
        return (self._folder / LOGINS).exists()

    def require_quiet(self) -> None:
        """Nobody here sees the other services: the page says to stop them."""

    def take_accounts(self, files: Mapping[str, str]) -> None:
        """Put the accounts where `migrate` finds them at the next start."""
        make_folder(self._folder)
        for name in (LOGINS, HOST_KEY, SERVICE_KEY):
            write_private(self._folder / name, files[name])


def pack(path: Path, files: Mapping[str, str]) -> None:
    """Write texts into a tar file, for its owner alone."""
    write_private(path, "")
    with tarfile.open(path, "w") as tar:
        for name, text in sorted(files.items()):
            content = text.encode()
            member = tarfile.TarInfo(name)
            member.size, member.mode = len(content), 0o600
            tar.addfile(member, io.BytesIO(content))


def unpack(path: Path) -> dict[str, str]:
    """The texts of such a file, by name."""
    with tarfile.open(path) as tar:
        return {member.name: _text(tar, member) for member in tar.getmembers()}


def texts_in(folder: Path, pattern: str = "*.yaml") -> dict[str, str]:
    """The text files of a folder, by name."""
    return {path.name: path.read_text(encoding="utf-8") for path in _files(folder.glob(pattern))}


def _files(paths: Iterable[Path]) -> list[Path]:
    return sorted(path for path in paths if path.is_file())


def _text(tar: tarfile.TarFile, member: tarfile.TarInfo) -> str:
    source = tar.extractfile(member)
    return "" if source is None else source.read().decode()
