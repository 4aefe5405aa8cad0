"""Services that are restarted, killed, stopped, away or without room in the middle of a night."""

import time
from functools import partial
from pathlib import Path

from rollcall.cli.demo import LAKESIDE
from tests.compose.nights import night_date, play_night, until_published, write
from tests.compose.stack import SERVICES, Stack
from tests.compose.step import Step

DISTRICT = LAKESIDE.district_id
STOP_SECONDS = 60
FIRST = 3
"""The number of the first night that nobody has played yet."""
RESTARTED, STOPPED, WITHOUT_SFTP, FULL, RESTORED = (FIRST + len(SERVICES) + number for number in range(5))
AWAY_SECONDS = 120
ARCHIVE = f"/var/lib/rollcall/archive/{DISTRICT}/incoming"


def kill(stack: Stack, service: str, number: int) -> str:
    """Kill a service while a delivery is landed; the SFTP service while it is read."""
    delivery, run_id = play_night(stack, DISTRICT, number)
    stack.until_task(DISTRICT, run_id, "receive" if service == "sftp" else "check", "running")
    before = stack.inspect(service)["State"]["StartedAt"]
    stack.kill(service)
    started = time.monotonic()
    stack.until("it is started again", lambda: stack.inspect(service)["State"]["StartedAt"] != before)
    stack.until_healthy()
    ended = until_published(stack, delivery, DISTRICT, number)
    return f"{ended}, {time.monotonic() - started:.0f} s later; nobody did anything"


def restart(stack: Stack) -> str:
    """Restart one service after the other while a night is under way."""
    delivery, run_id = play_night(stack, DISTRICT, RESTARTED)
    stack.until_task(DISTRICT, run_id, "receive", "running")
    for service in SERVICES:
        stack.compose("restart", service)
    stack.until_healthy()
    return until_published(stack, delivery, DISTRICT, RESTARTED)


def stop(stack: Stack) -> str:
    """Stop everything while a delivery is landed, and start it again."""
    delivery, run_id = play_night(stack, DISTRICT, STOPPED)
    stack.until_task(DISTRICT, run_id, "check", "running")
    started = time.monotonic()
    stack.compose("stop")
    seconds = time.monotonic() - started
    assert seconds < STOP_SECONDS, f"it took {seconds:.0f} s"
    stack.compose("up", "--detach")
    stack.until_healthy()
    return f"stopped in {seconds:.0f} s; after the start {until_published(stack, delivery, DISTRICT, STOPPED)}"


def without_sftp(stack: Stack) -> str:
    """Have no SFTP service while a run waits for its delivery, and at the moment at which one is taken."""
    delivery = write(stack, DISTRICT, WITHOUT_SFTP)
    run_id = stack.start(DISTRICT, night_date(WITHOUT_SFTP))
    stack.until_task(DISTRICT, run_id, "wait_for_delivery", "deferred")
    stack.compose("stop", "sftp")
    time.sleep(AWAY_SECONDS)
    stack.compose("start", "sftp")
    stack.until_healthy()
    stack.upload(DISTRICT, delivery.files)
    stack.until_task(DISTRICT, run_id, "receive", "running")
    stack.compose("stop", "--timeout", "1", "sftp")
    time.sleep(AWAY_SECONDS)
    stack.compose("start", "sftp")
    return f"{until_published(stack, delivery, DISTRICT, WITHOUT_SFTP)}; nobody did anything"


def archive_full(stack: Stack) -> str:
    """Have no room for a delivery where it is archived; then make room."""
    with stack.full("scheduler", ARCHIVE):
        delivery, run_id = play_night(stack, DISTRICT, FULL)
        stack.until_task(DISTRICT, run_id, "receive", "up_for_retry")
        found = stack.inside("sftp", "find", f"/srv/sftp/{DISTRICT}/inbox", "-type", "f").split()
        left = {Path(path).name for path in found}
        assert left == {path.name for path in delivery.files}, f"in the inbox are {left}"
    ended = until_published(stack, delivery, DISTRICT, FULL)
    return f"nothing was taken from the inbox; with room again {ended}; nobody did anything"


STEPS = (
    *(
        Step(f"Kill `{service}` in the middle of a night", partial(kill, service=service, number=FIRST + place))
        for place, service in enumerate(SERVICES)
    ),
    Step("Restart every service, one after the other, in the middle of a night", restart),
    Step("`docker compose stop` in the middle of landing, then `up`", stop),
    Step(f"No SFTP service for {AWAY_SECONDS} s while it is waited for, and as long while it is read", without_sftp),
    Step("No room where the archive is written, then room", archive_full),
)
