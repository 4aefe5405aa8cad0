"""Every secret of the stack is renewed, by the commands of docs/deploy.md."""

import subprocess
import sys
from pathlib import Path

from rollcall.settings import PROJECT_ROOT
from tests.compose.nights import roster
from tests.compose.stack import Stack
from tests.compose.step import Step

ROLES = {"warehouse_password": "rollcall", "airflow_db_password": "airflow", "postgres_password": "postgres"}
OTHERS = ("airflow_jwt_secret", "airflow_api_secret_key", "postgres_certificate", "rollcall_airflow_password")
SERVICE_KEY = "/var/lib/rollcall/accounts/rollcall_key"


def rotate(stack: Stack) -> str:
    """Renew passwords, keys and what signs and encrypts; the services start anew with the new ones."""
    before = {name: (stack.secrets / name).read_text() for name in (*ROLES, *OTHERS, "airflow_fernet_key")}
    for name in before:
        (stack.secrets / name).unlink()
    _make_secrets(stack)
    for name, role in ROLES.items():
        statement = f"alter role {role} password '{(stack.secrets / name).read_text()}'"
        stack.inside("postgres", "psql", "--username", "postgres", "--quiet", stdin=statement.encode())
    fernet = stack.secrets / "airflow_fernet_key"
    new = fernet.read_text()
    _write(fernet, f"{new},{before['airflow_fernet_key']}")
    stack.one_off("migrate", "rm", SERVICE_KEY)
    _start_anew(stack)
    stack.inside("scheduler", "airflow", "rotate-fernet-key")
    _write(fernet, new)
    assert all((stack.secrets / name).read_text() != old for name, old in before.items())
    return "every service is healthy with the new ones"


def down_and_up(stack: Stack) -> str:
    """Take all containers down and up again: the old Fernet key is gone now, too."""
    before = roster(stack)
    stack.compose("down")
    _start_anew(stack)
    assert roster(stack) == before, "the roster is another one"
    return "every roster is as before"


def _make_secrets(stack: Stack) -> None:
    program = str(PROJECT_ROOT / "docker" / "make_secrets.py")
    subprocess.run([sys.executable, program, "--folder", str(stack.secrets)], stdout=subprocess.DEVNULL, check=True)


def _write(path: Path, text: str) -> None:
    path.unlink()
    path.write_text(text)
    path.chmod(0o444)


def _start_anew(stack: Stack) -> None:
    stack.compose("up", "--detach", "--force-recreate")
    stack.until_healthy()


STEPS = (
    Step("Renew every secret", rotate),
    Step("`docker compose down`, then `up`", down_and_up),
)
