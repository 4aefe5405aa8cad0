"""A district's inbox on a real SFTP server inside the test's process, and what a district does to it."""

import asyncio
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import yaml

from rollcall.districts import DEFAULTS_FILE, District, Limits
from rollcall.settings import PROJECT_ROOT
from rollcall.sftp import SftpAccount
from rollcall.stack import Account
from rollcall.stack.sftp import ensure_key
from rollcall.stack.sftp_accounts import make_folders, write_accounts
from rollcall.stack.sftp_server import serve

DEFAULTS = PROJECT_ROOT / "dags" / "districts" / DEFAULTS_FILE
HOST = "127.0.0.1"
PASSWORD = "correct horse"


def district(district_id: str = "maple", **changes: Any) -> District:
    """A district that sends two files and accepts its first delivery."""
    values: dict[str, Any] = {
        "district_id": district_id,
        "name": district_id.title(),
        "schedule": "0 2 * * *",
        "timezone": "Etc/GMT+5",
        "deadline": "06:00",
        "expected_weekdays": ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"),
        "files": ("orgs", "users"),
        "first_delivery": "accept",
        "enrollment_end_date": "inclusive",
        "inbox": "remove",
        "intraday": False,
        "one_night_hours": 12,
        "roll_over_days": 45,
        "upload": yaml.safe_load(DEFAULTS.read_text())["upload"],
        "limits": Limits.model_validate(yaml.safe_load(DEFAULTS.read_text())["limits"]),
    }
    return District(**(values | changes))


class Server:
    """An SFTP server in a thread of its own, which can go away and come back on the same port.

    Args:
        root: Where its files are to lie.
        districts: Who has accounts.
    """

    def __init__(self, root: Path, districts: tuple[str, ...]) -> None:
        self._root = root
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._acceptor: Any = None
        self.port = 0
        make_folders(root, districts)
        write_accounts(
            root / "accounts.json",
            [Account(username=name, password=PASSWORD, district=name, role="rollcall") for name in districts],
        )
        self.host_key = ensure_key(root / "host_key")
        self._thread.start()

    def start(self) -> None:
        """Listen."""
        serving = serve(HOST, self.port, self._root, self._root / "accounts.json", self._root / "host_key")
        self._acceptor = self._run(serving)
        self.port = self._acceptor.get_port()

    def stop(self) -> None:
        """Listen no more."""
        self._acceptor.close()
        self._run(self._acceptor.wait_closed())

    def close(self) -> None:
        """End the thread."""
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()

    def account(self, district_id: str = "maple", *, password: str = PASSWORD, host_key: str = "") -> SftpAccount:
        """A district's account."""
        return SftpAccount(HOST, self.port, district_id, password, host_key or self.host_key)

    def inbox(self, district_id: str = "maple") -> Path:
        """The folder behind a district's inbox."""
        return self._root / district_id / "inbox"

    def receipts(self, district_id: str = "maple") -> Path:
        """The folder behind a district's receipts."""
        return self._root / district_id / "receipts"

    def _run(self, work: Any) -> Any:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(timeout=30)


@contextmanager
def sftp_server(root: Path, *districts: str) -> Iterator[Server]:
    """A listening server.

    Args:
        root: Where its files are to lie.
        districts: Who has accounts.
    """
    server = Server(root, districts)
    server.start()
    try:
        yield server
    finally:
        with suppress(Exception):
            server.stop()
        server.close()


def put(folder: Path, files: Mapping[str, bytes]) -> None:
    """Have files in a folder of the server."""
    for name, content in files.items():
        (folder / name).write_bytes(content)


def everything_in(folder: Path) -> dict[str, bytes]:
    """Every file below a folder, by its path there; the claim of a delivery that is not finished counts, too."""
    files = {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    return files | {f"{path.relative_to(folder)}/": b"" for path in folder.glob(".rollcall/*")}
