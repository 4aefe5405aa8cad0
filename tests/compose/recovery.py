"""Back up, destroy everything, restore: the commands of docs/deploy.md."""

from rollcall.cli.demo import LAKESIDE, RIVERBEND
from tests.compose.nights import play_night, roster, until_published
from tests.compose.outages import RESTORED
from tests.compose.stack import Stack
from tests.compose.step import Step

BACK_UP = "rollcall backup /tmp/backup >&2 && tar --create --directory /tmp backup"
RESTORE = "tar --extract --directory /tmp && rollcall restore /tmp/backup >&2"
"""A person mounts a folder at /backup; here the backup goes through a pipe."""


def back_up_and_restore(stack: Stack) -> str:
    """Back up the running stack, remove every volume, restore."""
    before = roster(stack)
    passwords = [stack.password(district) for district in (LAKESIDE.district_id, RIVERBEND.district_id)]
    backup = stack.one_off("migrate", "sh", "-c", BACK_UP)
    stack.compose("down", "--volumes")
    stack.compose("up", "--detach", "postgres")
    stack.until("PostgreSQL is healthy", lambda: stack.inspect("postgres")["State"]["Health"]["Status"] == "healthy")
    stack.one_off("migrate", "sh", "-c", RESTORE, stdin=backup)
    stack.compose("up", "--detach")
    stack.until_healthy()
    assert roster(stack) == before, "the roster is another one"
    assert passwords == [stack.password(district) for district in (LAKESIDE.district_id, RIVERBEND.district_id)]
    stack.one_off("migrate", "rollcall", "verify")
    return "every roster, pointer and password is as before, and `rollcall verify` finds nothing"


def night_after(stack: Stack) -> str:
    """Play a night on what was restored; the client still knows the SFTP service by its key."""
    delivery, _ = play_night(stack, LAKESIDE.district_id, RESTORED)
    return until_published(stack, delivery, LAKESIDE.district_id, RESTORED)


STEPS = (
    Step("Back up, remove every volume, restore", back_up_and_restore),
    Step("Play the next night on what was restored", night_after),
)
