"""Services that are restarted, killed and stopped in the middle of a night."""

import time
from functools import partial

from rollcall.cli.demo import LAKESIDE
from tests.compose.nights import play_night, until_published
from tests.compose.stack import SERVICES, Stack
from tests.compose.step import Step

DISTRICT = LAKESIDE.district_id
STOP_SECONDS = 60
FIRST = 3
"""The number of the first night that nobody has played yet."""
RESTARTED, STOPPED, RESTORED = (FIRST + len(SERVICES) + number for number in range(3))


def kill(stack: Stack, service: str, number: int) -> str:
    """Kill a service while a delivery is landed; the SFTP service while it is read."""
    delivery, run_id = play_night(stack, DISTRICT, number)
    stack.until_running(DISTRICT, run_id, "receive" if service == "sftp" else "check")
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
    stack.until_running(DISTRICT, run_id, "receive")
    for service in SERVICES:
        stack.compose("restart", service)
    stack.until_healthy()
    return until_published(stack, delivery, DISTRICT, RESTARTED)


def stop(stack: Stack) -> str:
    """Stop everything while a delivery is landed, and start it again."""
    delivery, run_id = play_night(stack, DISTRICT, STOPPED)
    stack.until_running(DISTRICT, run_id, "check")
    started = time.monotonic()
    stack.compose("stop")
    seconds = time.monotonic() - started
    assert seconds < STOP_SECONDS, f"it took {seconds:.0f} s"
    stack.compose("up", "--detach")
    stack.until_healthy()
    return f"stopped in {seconds:.0f} s; after the start {until_published(stack, delivery, DISTRICT, STOPPED)}"


STEPS = (
    *(
        Step(f"Kill `{service}` in the middle of a night", partial(kill, service=service, number=FIRST + place))
        for place, service in enumerate(SERVICES)
    ),
    Step("Restart every service, one after the other, in the middle of a night", restart),
    Step("`docker compose stop` in the middle of landing, then `up`", stop),
)
