"""Uploads, to a real SFTP server."""

import asyncio
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import asyncssh
import pytest

from simulator.night import write_night
from simulator.profile import Profile
from simulator.upload import Account, UploadError, upload

PROFILE = Profile("elm", "Elm Unified School District", 60, 3, manifest=True)
ORDER = ["academicSessions", "classes", "courses", "demographics", "enrollments", "orgs", "users", "manifest"]


@dataclass
class Server:
    """An SFTP server in a thread, for one account, in one folder."""

    folder: Path
    opened: list[str] = field(default_factory=list)
    renames_over: bool = True
    key: asyncssh.SSHKey = field(default_factory=lambda: asyncssh.generate_private_key("ssh-ed25519"))
    port: int = 0

    @property
    def account(self) -> Account:
        public = self.key.export_public_key().decode().strip()
        return Account("127.0.0.1", self.port, "elm", "correct horse", public)

    async def start(self) -> asyncssh.SSHAcceptor:
        server = self

        class Login(asyncssh.SSHServer):
            def begin_auth(self, username: str) -> bool:
                return True

            def password_auth_supported(self) -> bool:
                return True

            def validate_password(self, username: str, password: str) -> bool:
                return (username, password) == ("elm", "correct horse")

        class Inbox(asyncssh.SFTPServer):
            def __init__(self, chan: Any) -> None:
                super().__init__(chan, chroot=str(server.folder).encode())

            def open(self, path: bytes, pflags: int, attrs: Any) -> object:
                server.opened.append(path.decode())
                return super().open(path, pflags, attrs)

            def posix_rename(self, oldpath: bytes, newpath: bytes) -> Any:
                if not server.renames_over:
                    raise asyncssh.SFTPOpUnsupported("no")
                return super().posix_rename(oldpath, newpath)

        return await asyncssh.listen(
            "127.0.0.1", 0, server_factory=Login, server_host_keys=[self.key], sftp_factory=Inbox
        )


async def stop(acceptor: asyncssh.SSHAcceptor) -> None:
    acceptor.close()
    await acceptor.wait_closed()
    others = asyncio.all_tasks() - {asyncio.current_task()}
    for task in others:
        task.cancel()
    await asyncio.gather(*others, return_exceptions=True)


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    folder = tmp_path / "inbox"
    folder.mkdir()
    running, loop = Server(folder), asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    acceptor = asyncio.run_coroutine_threadsafe(running.start(), loop).result(10)
    running.port = acceptor.get_port()
    yield running
    asyncio.run_coroutine_threadsafe(stop(acceptor), loop).result(10)
    loop.call_soon_threadsafe(loop.stop)
    thread.join(10)
    loop.close()


@pytest.fixture
def files(tmp_path: Path) -> tuple[Path, ...]:
    return write_night(PROFILE, 1, tmp_path / "night").files


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}


def test_files_arrive_whole_and_in_order(server: Server, files: tuple[Path, ...]) -> None:
    upload(server.account, list(reversed(files)))
    assert contents(server.folder) == contents(files[0].parent)
    assert [Path(name).stem for name in server.opened] == ORDER


def test_a_second_upload_replaces_the_first(server: Server, files: tuple[Path, ...]) -> None:
    for file in files:
        (server.folder / file.name).write_bytes(b"x" * 1_000_000)
    upload(server.account, files)
    assert contents(server.folder) == contents(files[0].parent)


@pytest.mark.parametrize("renames_over", [True, False])
def test_temporary_names_are_gone_in_the_end(server: Server, files: tuple[Path, ...], renames_over: bool) -> None:
    server.renames_over = renames_over
    for _ in range(2):
        upload(server.account, files, temporary_names=True)
        assert contents(server.folder) == contents(files[0].parent)
    assert all(name.endswith(".csv.filepart") for name in server.opened)


def test_a_directory_is_one_that_is_there(server: Server, files: tuple[Path, ...]) -> None:
    (server.folder / "nightly").mkdir()
    upload(server.account, files, directory="nightly")
    assert contents(server.folder / "nightly") == contents(files[0].parent)
    with pytest.raises(UploadError, match="failed: No such file"):
        upload(server.account, files, directory="weekly")


@pytest.mark.parametrize("temporary_names", [False, True])
def test_a_lost_connection_leaves_a_partial_file(
    server: Server, files: tuple[Path, ...], temporary_names: bool
) -> None:
    sizes = {file.stem: file.stat().st_size for file in files}
    stop = sizes["academicSessions"] + sizes["classes"] + 100
    upload(server.account, files, temporary_names=temporary_names, stop_after_bytes=stop)
    arrived = contents(server.folder)
    partial = "courses.csv.filepart" if temporary_names else "courses.csv"
    assert sorted(arrived) == ["academicSessions.csv", "classes.csv", partial]
    assert arrived[partial] == contents(files[0].parent)["courses.csv"][:100]
    assert arrived["classes.csv"] == contents(files[0].parent)["classes.csv"]


def test_a_limit_beyond_the_end_changes_nothing(server: Server, files: tuple[Path, ...]) -> None:
    upload(server.account, files, stop_after_bytes=10**9)
    assert contents(server.folder) == contents(files[0].parent)


def test_another_server_is_not_believed(server: Server, files: tuple[Path, ...]) -> None:
    other = asyncssh.generate_private_key("ssh-ed25519").export_public_key().decode()
    with pytest.raises(UploadError, match=r"connection to 127\.0\.0\.1"):
        upload(replace(server.account, host_key=other), files)
    assert contents(server.folder) == {}
    upload(replace(server.account, host_key=None), files)
    assert len(contents(server.folder)) == len(files)


def test_a_wrong_password_is_said_and_not_repeated(server: Server, files: tuple[Path, ...]) -> None:
    account = replace(server.account, password="battery staple")
    with pytest.raises(UploadError, match="does not accept the user name 'elm'") as caught:
        upload(account, files)
    assert "battery" not in str(caught.value) + repr(account)


@pytest.mark.parametrize("key", ["ssh-ed25519", "ssh-ed25519 !!", "ssh-what AAAA", "ssh-ed25519 AAAA"])
def test_a_host_key_that_is_none_is_refused(server: Server, files: tuple[Path, ...], key: str) -> None:
    with pytest.raises(UploadError, match="host key must look like"):
        upload(replace(server.account, host_key=key), files)


def test_no_server_at_all(server: Server, files: tuple[Path, ...]) -> None:
    with pytest.raises(UploadError, match=r"upload to 127\.0\.0\.1:1 failed"):
        upload(replace(server.account, port=1), files)
