"""Guessing passwords at the local stack's SFTP server, over real connections."""

import asyncio
import logging
from collections.abc import Iterator
from pathlib import Path

import asyncssh
import paramiko
import pytest
from helpers.inbox import HOST, PASSWORD, Server, sftp_server

from rollcall.stack import Account
from rollcall.stack import sftp_server as server_module
from rollcall.stack.sftp_accounts import write_accounts
from rollcall.stack.sftp_guesses import FREE_TRIES
from rollcall.stack.sftp_server import REFUSED_UNSEEN_AFTER_SECONDS, TRIES_PER_CONNECTION


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    """With each district's own login, and Rollcall's."""
    with sftp_server(tmp_path / "sftp", "maple", "oak") as running:
        accounts = [
            Account(username=f"{name}{suffix}", password=PASSWORD, district=name, role=role)
            for name in ("maple", "oak")
            for suffix, role in (("", "district"), ("--rollcall", "rollcall"))
        ]
        write_accounts(tmp_path / "sftp" / "accounts.json", accounts)
        yield running


@pytest.fixture
def pauses(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """For how long the server made tries wait; nobody waits for it here."""
    made: list[float] = []

    async def pause(seconds: float) -> None:
        made.append(seconds)
        await asyncio.sleep(0)

    monkeypatch.setattr(server_module, "pause", pause)
    return made


class Guesser(asyncssh.SSHClient):
    """Tries one password after the other on one connection."""

    def __init__(self, passwords: list[str]) -> None:
        self.left = passwords

    def password_auth_requested(self) -> str | None:
        return self.left.pop(0) if self.left else None


def log_in(server: Server, name: str, *passwords: str) -> list[str]:
    """Log in with the first of some passwords that is right; those that were not sent any more are left.

    Raises:
        asyncssh.PermissionDenied: none was right.
        asyncssh.DisconnectError: the server had enough.
    """
    guesser = Guesser(list(passwords))

    async def act() -> None:
        async with asyncssh.connect(
            HOST, server.port, username=name, client_factory=lambda: guesser, known_hosts=None, client_keys=[],
            preferred_auth="password",
        ) as connection, connection.start_sftp_client() as session:  # fmt: skip
            await session.realpath(".")

    asyncio.run(act())
    return guesser.left


def guess(server: Server, name: str, times: int) -> None:
    """Wrong passwords, each on a connection of its own."""
    for _ in range(times):
        with pytest.raises(asyncssh.PermissionDenied):
            log_in(server, name, "wrong")


def test_a_connection_has_few_tries(server: Server, pauses: list[float]) -> None:
    passwords = [f"wrong {number}" for number in range(200)]
    with pytest.raises(asyncssh.DisconnectError, match="Too many wrong passwords"):
        log_in(server, "maple", *passwords)
    assert len(pauses) == TRIES_PER_CONNECTION
    assert log_in(server, "oak", "wrong", "wrong", PASSWORD, "not sent") == ["not sent"]


def test_each_try_of_an_account_waits_longer_from_whatever_connection_it_comes(
    server: Server, pauses: list[float]
) -> None:
    guess(server, "maple", FREE_TRIES + 3)
    assert pauses[:FREE_TRIES] == [0] * FREE_TRIES
    for pause, longest in zip(pauses[FREE_TRIES:], (1, 3, 7), strict=True):
        assert longest / 2 < pause <= longest
    del pauses[:]
    assert log_in(server, "oak", PASSWORD) == []
    assert pauses == [0]


@pytest.mark.parametrize("name", ["maple", "maple--rollcall", "nobody"])
def test_it_is_the_same_for_every_name(server: Server, pauses: list[float], name: str) -> None:
    guess(server, name, FREE_TRIES + 1)
    assert pauses[:FREE_TRIES] == [0] * FREE_TRIES
    assert 0 < pauses[FREE_TRIES] <= 1


def test_the_right_password_waits_for_its_turn_and_ends_the_slowness(server: Server, pauses: list[float]) -> None:
    guess(server, "maple", FREE_TRIES)
    assert log_in(server, "maple", PASSWORD) == []
    assert pauses[-1] > 0
    assert log_in(server, "maple", PASSWORD) == []
    assert pauses[-1] == 0


def test_beyond_the_longest_wait_no_password_is_looked_at(server: Server, pauses: list[float]) -> None:
    guess(server, "maple", 30)
    assert pauses[-1] == REFUSED_UNSEEN_AFTER_SECONDS
    with pytest.raises(asyncssh.PermissionDenied):
        log_in(server, "maple", PASSWORD)


@pytest.mark.parametrize("guessed_at", ["maple", "maple--rollcall"])
def test_law_6_guessing_never_keeps_rollcall_itself_out(server: Server, pauses: list[float], guessed_at: str) -> None:
    guess(server, guessed_at, 30)
    del pauses[:]
    assert log_in(server, "maple--rollcall", PASSWORD) == []
    assert log_in(server, "oak", PASSWORD) == []
    assert pauses == [0], "only the district's own login asked for its turn"


def test_while_one_waits_the_others_are_served(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    """Really waiting: the server's one thread must not."""
    release = asyncio.Event()
    monkeypatch.setattr(server_module, "pause", lambda seconds: release.wait() if seconds else asyncio.sleep(0))

    async def act() -> None:
        waiting = asyncio.create_task(asyncio.to_thread(guess, server, "maple", FREE_TRIES + 1))
        while not release._waiters:
            await asyncio.sleep(0.01)
        await asyncio.to_thread(log_in, server, "oak", PASSWORD)
        assert not waiting.done()
        server._loop.call_soon_threadsafe(release.set)
        await waiting

    asyncio.run(act())


def test_a_user_name_fills_no_log(server: Server, pauses: list[float], caplog: pytest.LogCaptureFixture) -> None:
    """Nor does it forge a line of it: control characters end the connection before anybody logs them."""
    with caplog.at_level(logging.WARNING, logger="rollcall.sftp"):
        guess(server, "x" * 1000, 1)
        forging = paramiko.Transport((HOST, server.port))
        with pytest.raises(paramiko.SSHException):
            forging.connect(username="evil\nINFO all is well", password="x")
        forging.close()
    lines = [record.getMessage() for record in caplog.records]
    assert any(line.startswith("Login refused for xxx") for line in lines)
    assert all(line.isprintable() and len(line) < 200 for line in lines)
