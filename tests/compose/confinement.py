"""What the services can do, and what an attacker who is inside of one could not."""

import json

import httpx

from tests.compose.stack import AIRFLOW_PORT, SERVICES, Stack
from tests.compose.step import Step

CONNECT = "import socket; socket.create_connection(({host!r}, {port}), timeout=3)"
INSIDE = ("scheduler", "triggerer", "dag-processor", "api-server")


def secrets(stack: Stack) -> str:
    """Look for each secret in what Docker tells of the containers, and in the services' logs."""
    told = json.dumps([stack.inspect(service) for service in SERVICES])
    said = "".join(stack.logs(service) for service in (*SERVICES, "migrate"))
    for path in stack.secrets.iterdir():
        secret = path.read_text().strip()
        if secret and not secret.startswith("#"):
            assert secret not in told, f"docker inspect tells {path.name}"
            assert secret not in said, f"a log tells {path.name}"
    return "in neither"


def confined(stack: Stack) -> str:
    """Try to write to a service's own files, and to become root."""
    for service in INSIDE:
        assert stack.inside(service, "id", "-u").strip() == "50000", f"{service} runs as root"
        for path in ("/opt/rollcall/plugins/x", "/usr/local/bin/x", "/etc/x"):
            assert _fails(stack, service, "touch", path), f"{service} can write {path}"
    assert _fails(stack, "sftp", "touch", "/etc/x"), "the SFTP service can write to /etc"
    return "file systems are read-only; Airflow's services do not run as root"


def networks(stack: Stack) -> str:
    """Ask from within the SFTP service for the database and for Airflow's API."""
    for host, port in (("postgres", 5432), ("api-server", 8080)):
        assert _fails(stack, "sftp", "python", "-c", CONNECT.format(host=host, port=port)), f"it reaches {host}"
        stack.inside("scheduler", "python", "-c", CONNECT.format(host=host, port=port))
    return "it reaches neither; the scheduler does"


def behind_a_proxy(stack: Stack) -> str:
    """Ask Airflow for its start page as a reverse proxy with TLS does."""
    headers = {"Host": "rollcall.example.org", "X-Forwarded-Proto": "https", "X-Forwarded-For": "203.0.113.9"}
    answer = httpx.get(f"http://127.0.0.1:{AIRFLOW_PORT}/auth/login", headers=headers, timeout=60, trust_env=False)
    location = answer.headers.get("Location", "")
    assert location.startswith("https://"), f"it sends a browser to {location!r}"
    return "links and redirects are https"


def _fails(stack: Stack, service: str, *command: str) -> bool:
    try:
        stack.inside(service, *command)
    except AssertionError:
        return True
    return False


STEPS = (
    Step("Look for secrets in `docker inspect` and in the logs", secrets),
    Step("Write to a service's own files", confined),
    Step("Reach database and API from the SFTP service", networks),
    Step("Ask as a reverse proxy with TLS", behind_a_proxy),
)
