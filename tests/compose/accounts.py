"""Districts come, change their password and go, while the SFTP service goes on."""

import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rollcall.cli.demo import HILLCREST, LAKESIDE
from tests.compose.stack import Stack
from tests.compose.step import Step

NEWCOMER = "maple-usd"
SECRET_COMMAND = "python -c \"import sys; sys.stdin.read(); print('https://share.example.org/1')\""
SOON_SECONDS = 10
"""Within which a change of accounts is in force; the service looks every two seconds."""
GUESSES = 12


def add(stack: Stack) -> str:
    """Add a district that logs in with a password, and one that logs in with a key."""
    with _goes_on(stack):
        options = ("--name", "Maple", "--sis", "Aeries", "--time-zone", "pacific", "--to", "/tmp/kit")
        _manage(stack, "add", NEWCOMER, *options, "--secret-command", SECRET_COMMAND)
        seconds = _seconds_until(stack, lambda: stack.sftp(NEWCOMER, "ls").is_done)
    stack.until("its DAG", lambda: _has_dag(stack, NEWCOMER))
    return f"it logs in {seconds:.0f} s after the command, without a restart"


def rotate(stack: Stack) -> str:
    """Give a district another password, then a key in its place."""
    district = HILLCREST.district_id
    old = stack.password(district)
    with _goes_on(stack):
        _manage(stack, "rotate", district, "--secret-command", SECRET_COMMAND, "--to", "/tmp/kit")
        _seconds_until(stack, lambda: stack.sftp(district, "ls").is_done)
        assert not stack.sftp(district, "ls", password=old).is_done, "the old password still counts"
    return "the new password counts, the old one does not"


def key(stack: Stack) -> str:
    """Give a district an SSH key in the place of its password."""
    path = stack.work / "districts" / "key"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", path], check=True)
    path.with_suffix(".pub").chmod(0o644)
    with _goes_on(stack):
        mounted = "/opt/rollcall/dags/districts/key.pub"
        _manage(stack, "rotate", NEWCOMER, "--public-key", mounted, "--to", "/tmp/kit")
        _seconds_until(stack, lambda: stack.sftp(NEWCOMER, "ls", key=path).is_done)
    return "it logs in with the key"


def remove(stack: Stack) -> str:
    """Take a district out."""
    password = stack.password(NEWCOMER)
    with _goes_on(stack):
        _manage(stack, "remove", NEWCOMER, "--yes")
        _seconds_until(stack, lambda: not stack.sftp(NEWCOMER, "ls", key=stack.work / "districts" / "key").is_done)
    assert not stack.sftp(NEWCOMER, "ls", password=password).is_done
    return "it cannot log in any more"


def guess(stack: Stack) -> str:
    """Guess at one district's password without a pause."""
    victim, neighbor = LAKESIDE.district_id, HILLCREST.district_id
    guesses = [
        subprocess.Popen(
            stack.sftp_command(victim),
            env=stack.answering("wrong"),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        for _ in range(GUESSES)
    ]
    started = time.monotonic()
    assert stack.sftp(neighbor, "ls").is_done, "a district is locked out by guesses at another's account"
    seconds = time.monotonic() - started
    assert all(each.wait(timeout=60) != 0 for each in guesses)
    answer = stack.sftp(victim, "ls")
    started = time.monotonic()
    stack.until("the district itself can log in again", lambda: answer.is_done or stack.sftp(victim, "ls").is_done)
    return (
        f"its neighbor logs in after {seconds:.0f} s, it itself {time.monotonic() - started:.0f} s after the last guess"
    )


def _manage(stack: Stack, *command: str) -> None:
    """``rollcall districts …`` on a server."""
    stack.one_off("migrate", "rollcall", "districts", *command, "--by", "test", "--why", "a test")


def _has_dag(stack: Stack, district: str) -> bool:
    with stack.api() as session:
        return session.get(f"/api/v2/dags/roster__{district}").is_success


def _seconds_until(stack: Stack, check: Callable[[], bool]) -> float:
    """Wait until a change of accounts is in force; the seconds."""
    started = time.monotonic()
    stack.until("the accounts change", check)
    seconds = time.monotonic() - started
    assert seconds < SOON_SECONDS, f"it took {seconds:.0f} s"
    return seconds


@contextmanager
def _goes_on(stack: Stack) -> Iterator[None]:
    """The SFTP service is the same before and after."""
    before = stack.inspect("sftp")["State"]["StartedAt"]
    yield
    assert stack.inspect("sftp")["State"]["StartedAt"] == before, "the SFTP service was restarted"


STEPS = (
    Step("Add a district", add),
    Step("Change a district's password", rotate),
    Step("Give a district an SSH key in the place of its password", key),
    Step("Take a district out", remove),
    Step(f"Guess {GUESSES} times at once at a district's password", guess),
)
