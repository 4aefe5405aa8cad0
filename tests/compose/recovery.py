"""Back up, destroy everything, restore: the commands of docs/deploy.md."""

from rollcall.cli.demo import LAKESIDE, RIVERBEND
from tests.compose.nights import play_night, roster, until_published
from tests.compose.outages import RESTORED
from tests.compose.stack import Stack
from tests.compose.step import Step

AS_POSTGRES = ("--username", "postgres")
GLOBALS = ("pg_dumpall", *AS_POSTGRES, "--globals-only")
WAREHOUSE = (
    *("pg_dump", "--username", "rollcall", "--role", "rollcall_backup", "--enable-row-security"),
    *("--no-unlogged-table-data", "--format", "custom", "warehouse"),
)
AIRFLOW = ("pg_dump", *AS_POSTGRES, "--format", "custom", "airflow")
FOLDERS = {"archive": "scheduler", "accounts": "migrate"}
"""Each volume, and a service that has it."""


def back_up_and_restore(stack: Stack) -> str:
    """Back up the running stack, remove every volume, restore."""
    before = roster(stack)
    passwords = [stack.password(district) for district in (LAKESIDE.district_id, RIVERBEND.district_id)]
    roles, warehouse, airflow = (_in_postgres(stack, *command) for command in (GLOBALS, WAREHOUSE, AIRFLOW))
    folders = {
        name: stack.one_off(service, "tar", "--create", "--gzip", "--directory", f"/var/lib/rollcall/{name}", ".")
        for name, service in FOLDERS.items()
    }
    stack.compose("down", "--volumes")
    stack.compose("up", "--detach", "postgres")
    stack.until("PostgreSQL is healthy", lambda: stack.inspect("postgres")["State"]["Health"]["Status"] == "healthy")
    _in_postgres(stack, "psql", *AS_POSTGRES, "--quiet", stdin=roles)
    for name, dump in (("warehouse", warehouse), ("airflow", airflow)):
        _in_postgres(stack, "pg_restore", *AS_POSTGRES, "--dbname", name, stdin=dump)
    for name, service in FOLDERS.items():
        packed = folders[name]
        stack.one_off(service, "tar", "--extract", "--gzip", "--directory", f"/var/lib/rollcall/{name}", stdin=packed)
    stack.compose("up", "--detach")
    stack.until_healthy()
    assert roster(stack) == before, "the roster is another one"
    assert passwords == [stack.password(district) for district in (LAKESIDE.district_id, RIVERBEND.district_id)]
    return "every roster, pointer and password is as before"


def _in_postgres(stack: Stack, *command: str, stdin: bytes | None = None) -> bytes:
    return stack.bytes_inside("postgres", *command, stdin=stdin)


def night_after(stack: Stack) -> str:
    """Play a night on what was restored; the client still knows the SFTP service by its key."""
    delivery, _ = play_night(stack, LAKESIDE.district_id, RESTORED)
    return until_published(stack, delivery, LAKESIDE.district_id, RESTORED)


STEPS = (
    Step("Back up, remove every volume, restore", back_up_and_restore),
    Step("Play the next night on what was restored", night_after),
)
