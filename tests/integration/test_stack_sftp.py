"""The local stack's SFTP server: jail, login folder, accounts, and both of the provider's hooks."""

import asyncio
import io
import json
import os
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import paramiko
import pytest

from rollcall import stack
from rollcall.stack import Account, StackState
from rollcall.stack.airflow import plan

DISTRICTS = ("alpha", "beta")


@pytest.fixture(scope="module")
def state(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StackState]:
    root = tmp_path_factory.mktemp("sftp")
    districts = root / "districts"
    districts.mkdir()
    for name in (*DISTRICTS, "_defaults"):
        (districts / f"{name}.yaml").touch()
    yield stack.up(root / "state", districts_dir=districts, with_airflow=False)
    stack.down(root / "state")


@contextmanager
def session(state: StackState, account: Account, password: str = "") -> Iterator[paramiko.SFTPClient]:
    transport = paramiko.Transport(socket.create_connection((state.sftp_host, state.sftp_port)))
    try:
        transport.connect(username=account.username, password=password or account.password)
        client = paramiko.SFTPClient.from_transport(transport)
        assert client is not None
        yield client
    finally:
        transport.close()


@pytest.fixture
def alpha(state: StackState) -> Iterator[paramiko.SFTPClient]:
    with session(state, state.accounts["alpha"]) as client:
        yield client


@pytest.fixture
def rollcall(state: StackState) -> Iterator[paramiko.SFTPClient]:
    with session(state, state.service_accounts["alpha"]) as client:
        yield client


def put(client: paramiko.SFTPClient, path: str, content: bytes = b"sourcedId\n1\n") -> None:
    client.putfo(io.BytesIO(content), path)


def inbox(state: StackState, district: str = "alpha") -> Path:
    return state.sftp_root / district / "inbox"


def test_only_districts_have_accounts(state: StackState) -> None:
    assert set(state.accounts) == set(state.service_accounts) == set(DISTRICTS)


def test_login_folder_is_the_inbox(alpha: paramiko.SFTPClient, state: StackState) -> None:
    assert alpha.normalize(".") == "/inbox"
    put(alpha, "users.csv")
    put(alpha, "/inbox/orgs.csv")
    put(alpha, "./sub/../classes.csv")
    assert {"users.csv", "orgs.csv", "classes.csv"} <= {path.name for path in inbox(state).iterdir()}
    assert {"users.csv", "orgs.csv"} <= set(alpha.listdir("."))
    assert set(alpha.listdir("/")) == {"inbox", "receipts"}


@pytest.mark.parametrize("path", ["/users.csv", "/upload/users.csv", "/../users.csv", "../users.csv", "/inboxed.csv"])
def test_upload_elsewhere_is_refused_and_says_what_to_do(alpha: paramiko.SFTPClient, path: str) -> None:
    with pytest.raises(OSError, match="Leave the directory blank, or set it to /inbox"):
        put(alpha, path)


@pytest.mark.parametrize(
    "act",
    [
        lambda client: client.mkdir("/exports"),
        lambda client: client.rmdir("/inbox"),
        lambda client: client.rename("/inbox", "/old"),
        lambda client: client.posix_rename("/receipts", "/inbox/receipts"),
        lambda client: client.rename("users.csv", "/users.csv"),
        lambda client: client.utime("/receipts", (0, 0)),
    ],
)
def test_the_jail_itself_cannot_be_changed(
    alpha: paramiko.SFTPClient, state: StackState, act: Callable[[paramiko.SFTPClient], None]
) -> None:
    put(alpha, "users.csv")
    with pytest.raises(OSError, match="/inbox"):
        act(alpha)
    assert {path.name for path in inbox(state).parent.iterdir()} == {"inbox", "receipts"}


def test_law_6_other_districts_are_out_of_sight(alpha: paramiko.SFTPClient, state: StackState) -> None:
    (inbox(state, "beta") / "secret.csv").write_text("x")
    for path in ("/../beta/inbox/secret.csv", "../../beta/inbox/secret.csv", "/beta/inbox/secret.csv"):
        with pytest.raises(FileNotFoundError):
            alpha.stat(path)
    assert alpha.normalize("../../../..") == "/"


@pytest.mark.parametrize("target", ["../../beta/inbox", "/etc"])
def test_links_do_not_lead_out_of_the_jail(alpha: paramiko.SFTPClient, state: StackState, target: str) -> None:
    link = inbox(state) / "link"
    link.symlink_to(target)
    try:
        for act in (
            lambda: alpha.listdir("link"),
            lambda: alpha.stat("link"),
            lambda: alpha.open("link/passwd").close(),
            lambda: alpha.lstat("link/passwd"),
            lambda: put(alpha, "link/users.csv"),
            lambda: alpha.rename("link/passwd", "passwd"),
            lambda: alpha.remove("link/passwd"),
            lambda: alpha.chdir("link"),
        ):
            with pytest.raises(PermissionError):
                act()
        alpha.remove("link")
    finally:
        link.unlink(missing_ok=True)


def test_links_are_not_made(alpha: paramiko.SFTPClient) -> None:
    with pytest.raises(PermissionError):
        alpha.symlink("/etc/passwd", "passwd")


def test_modes_that_a_client_asks_for_do_not_lock_rollcall_out(alpha: paramiko.SFTPClient, state: StackState) -> None:
    put(alpha, "users.csv")
    alpha.chmod("users.csv", 0)
    alpha.mkdir("folder", 0)
    assert (inbox(state) / "users.csv").stat().st_mode & 0o600 == 0o600
    assert (inbox(state) / "folder").stat().st_mode & 0o700 == 0o700
    alpha.rmdir("folder")


@pytest.mark.parametrize("login", ["alpha", "rollcall"])
def test_rename_and_delete_inside_the_inbox(login: str, request: pytest.FixtureRequest, state: StackState) -> None:
    client = request.getfixturevalue(login)
    put(client, "users.csv", b"first")
    client.mkdir(".taken")
    client.rename("users.csv", ".taken/users.csv")
    put(client, "users.csv", b"second")
    with pytest.raises(OSError, match="exists"):
        client.rename("users.csv", ".taken/users.csv")
    client.posix_rename("users.csv", ".taken/users.csv")
    assert (inbox(state) / ".taken" / "users.csv").read_bytes() == b"second"
    client.remove(".taken/users.csv")
    client.rmdir(".taken")


def test_size_and_mtime_are_those_of_the_upload(alpha: paramiko.SFTPClient) -> None:
    put(alpha, "users.csv", b"12345")
    alpha.utime("users.csv", (1_700_000_000, 1_700_000_000))
    found = alpha.stat("users.csv")
    assert (found.st_size, found.st_mtime) == (5, 1_700_000_000)


def test_receipts_are_rollcalls_and_read_by_the_district(
    alpha: paramiko.SFTPClient, rollcall: paramiko.SFTPClient
) -> None:
    put(rollcall, "/receipts/2026-11-23.csv", b"fine")
    with pytest.raises(PermissionError, match="written by Rollcall only"):
        put(alpha, "/receipts/forged.csv")
    with pytest.raises(PermissionError):
        put(alpha, "/receipts/2026-11-23.csv")
    assert alpha.listdir("/receipts") == ["2026-11-23.csv"]
    assert alpha.open("/receipts/2026-11-23.csv").read() == b"fine"
    with pytest.raises(PermissionError, match="written by Rollcall only"):
        alpha.remove("/receipts/2026-11-23.csv")
    with pytest.raises(PermissionError, match="written by Rollcall only"):
        alpha.rename("/receipts/2026-11-23.csv", "/inbox/mine.csv")
    rollcall.remove("/receipts/2026-11-23.csv")
    with pytest.raises(PermissionError, match="/inbox"):
        put(rollcall, "/elsewhere.csv")


@pytest.mark.parametrize("login", ["alpha", "alpha--rollcall", "nobody", "../beta"])
def test_wrong_passwords_and_unknown_users_are_refused(state: StackState, login: str) -> None:
    account = state.accounts["alpha"].model_copy(update={"username": login})
    with pytest.raises(paramiko.AuthenticationException), session(state, account, password="wrong"):
        pass


def test_an_account_of_one_district_does_not_open_another(state: StackState) -> None:
    mixed = state.accounts["beta"].model_copy(update={"password": state.accounts["alpha"].password})
    with pytest.raises(paramiko.AuthenticationException), session(state, mixed):
        pass


def test_accounts_come_change_and_go_without_a_restart(state: StackState) -> None:
    before = [service.pid for service in stack.status(state.state_dir)]
    (state.districts_dir / "gamma.yaml").touch()
    added = stack.sync_districts(state.state_dir).accounts["gamma"]
    with session(state, added) as client:
        put(client, "users.csv")
    rotated = stack.rotate_account("gamma", state.state_dir)
    with pytest.raises(paramiko.AuthenticationException), session(state, added):
        pass
    with session(state, rotated) as client:
        assert client.listdir(".") == ["users.csv"]
    stack.remove_account("gamma", state.state_dir)
    with pytest.raises(paramiko.AuthenticationException), session(state, rotated):
        pass
    assert [service.pid for service in stack.status(state.state_dir)] == before
    assert (inbox(state, "gamma") / "users.csv").exists()
    with pytest.raises(stack.StackError, match="'gamma' has no SFTP account"):
        stack.rotate_account("gamma", state.state_dir)


@pytest.mark.parametrize("name", ["Alpha", "a b", "a--rollcall", "..", "a/b", "-x", ""])
def test_ids_that_cannot_be_user_and_folder_names_are_refused(name: str) -> None:
    from rollcall.stack.sftp_accounts import require_district_id

    with pytest.raises(stack.StackError, match="cannot be a district's id"):
        require_district_id(name)


def test_passwords_are_kept_hashed(state: StackState) -> None:
    text = (state.state_dir / "sftp_accounts.json").read_text()
    every = [*state.accounts.values(), *state.service_accounts.values()]
    assert not [account for account in every if account.password in text]


@pytest.fixture
def connection(
    state: StackState, monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory
) -> Callable[[str], str]:
    """Puts a connection as `up` makes it, with some host key, where Airflow finds it; gives its id."""
    if "AIRFLOW_HOME" not in os.environ:
        monkeypatch.setenv("AIRFLOW_HOME", str(tmp_path_factory.mktemp("airflow_home")))

    def make(host_key: str) -> str:
        entry = next(entry for entry in plan(state).connections if entry.conn_id == "sftp_alpha")
        value = entry.model_copy(update={"host_key": host_key})
        fields = {"conn_type": "sftp", **value.model_dump(include={"host", "port", "login", "password"})}
        monkeypatch.setenv("AIRFLOW_CONN_SFTP_ALPHA", json.dumps({**fields, "extra": value.extra}))
        return entry.conn_id

    return make


def other_key() -> str:
    import asyncssh

    key: str = asyncssh.generate_private_key("ssh-ed25519").export_public_key().decode()
    return " ".join(key.split()[:2])


def test_sftp_hook_with_the_pinned_key(state: StackState, connection: Callable[[str], str]) -> None:
    from airflow.providers.sftp.hooks.sftp import SFTPHook

    (inbox(state) / "hooked.csv").write_text("x")
    assert "hooked.csv" in (SFTPHook(connection(state.sftp_host_key)).list_directory(".") or [])


def test_sftp_hook_refuses_a_changed_key(connection: Callable[[str], str]) -> None:
    from airflow.providers.sftp.hooks.sftp import SFTPHook

    with pytest.raises(paramiko.BadHostKeyException):
        SFTPHook(connection(other_key()), conn_retry_attempts=1).list_directory(".")


def test_async_sftp_hook_with_the_pinned_key(state: StackState, connection: Callable[[str], str]) -> None:
    from airflow.providers.sftp.hooks.sftp import SFTPHookAsync

    (inbox(state) / "hooked.csv").write_text("x")
    found = asyncio.run(SFTPHookAsync(connection(state.sftp_host_key)).list_directory("/inbox"))
    assert "hooked.csv" in (found or [])


def test_async_sftp_hook_refuses_a_changed_key(connection: Callable[[str], str]) -> None:
    import asyncssh
    from airflow.providers.sftp.hooks.sftp import SFTPHookAsync

    with pytest.raises(asyncssh.HostKeyNotVerifiable):
        asyncio.run(SFTPHookAsync(connection(other_key())).list_directory("/inbox"))
