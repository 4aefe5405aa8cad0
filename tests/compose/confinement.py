"""What the services can do, and what an attacker who is inside of one could not."""

import json
import re
import ssl

import httpx
import psycopg
from psycopg.conninfo import make_conninfo

from rollcall.cli.demo import LAKESIDE
from tests.compose.stack import SERVICES, Stack
from tests.compose.step import Step

PROXY_ROOT = "/data/caddy/pki/authorities/local/root.crt"
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
    """Ask from within the SFTP service for the database, for Airflow's API, and for where its packages came from."""
    assert _fails(stack, "sftp", "python", "-c", CONNECT.format(host="deb.debian.org", port=80)), "it gets out"
    for host, port in (("postgres", 5432), ("api-server", 8080)):
        assert _fails(stack, "sftp", "python", "-c", CONNECT.format(host=host, port=port)), f"it reaches {host}"
        stack.inside("scheduler", "python", "-c", CONNECT.format(host=host, port=port))
    return "it reaches nothing; the scheduler reaches both"


def encrypted(stack: Stack) -> str:
    """Ask PostgreSQL from outside of its container: by TLS, without it, and by a name that is not its own."""
    assert _is_encrypted(stack), "a connection by TLS is not encrypted"
    refused = _refusal(stack, sslmode="disable")
    assert "no encryption" in refused, f"without TLS: {refused or 'let in'}"
    refused = _refusal(stack, host="warehouse")
    assert "does not match host name" in refused, f"by another name: {refused or 'let in'}"
    plain = stack.sql(
        "select count(*) filter (where not ssl) || ' of ' || count(*)"
        " from pg_stat_ssl join pg_stat_activity using (pid) where client_addr is not null"
    )
    assert plain.startswith("0 of "), f"{plain} connections are not encrypted"
    return "refused; every connection that is open is encrypted"


def _is_encrypted(stack: Stack, host: str = "postgres", sslmode: str = "verify-full") -> bool:
    """Whether a connection as an analyst's program makes it is encrypted.

    Raises:
        psycopg.OperationalError: either side refuses.
    """
    asked = make_conninfo(
        host=host,
        hostaddr="127.0.0.1",
        port=stack.ports.postgres,
        dbname="warehouse",
        user="rollcall",
        password=(stack.secrets / "warehouse_password").read_text(),
        sslmode=sslmode,
        sslrootcert=str(stack.secrets / "postgres_certificate"),
    )
    with psycopg.connect(asked) as connection:
        return connection.pgconn.ssl_in_use


def _refusal(stack: Stack, host: str = "postgres", sslmode: str = "verify-full") -> str:
    """Why such a connection is refused; blank when it is not."""
    try:
        _is_encrypted(stack, host, sslmode)
    except psycopg.OperationalError as error:
        return str(error)
    return ""


def by_the_proxy(stack: Stack) -> str:
    """Log in to Airflow by the reverse proxy, which has a certificate of its own authority; open the Rollcall page."""
    trusted = ssl.create_default_context(cadata=stack.inside("proxy", "cat", PROXY_ROOT))
    with httpx.Client(verify=trusted, follow_redirects=True, timeout=60, trust_env=False) as browser:
        form = browser.get(f"http://localhost:{stack.ports.http}/", follow_redirects=False)
        assert form.headers["Location"] == "https://localhost/", f"plain HTTP leads to {form.headers}"
        form = browser.get(f"https://localhost:{stack.ports.https}/auth/login/")
        token = re.search(r'name="csrf_token"[^>]*value="([^"]+)"', form.text)
        assert token, f"no form to log in: {form.status_code}"
        password = (stack.secrets / "rollcall_server_admin_password").read_text()
        filled = {"username": "admin", "password": password, "csrf_token": token[1]}
        home = browser.post(form.url, data=filled, headers={"Referer": str(form.url)})
        page = browser.get(f"https://localhost:{stack.ports.https}/rollcall/")
        for answer in (*form.history, *home.history, home, *page.history, page):
            assert answer.url.scheme == "https", f"sent on to {answer.url}"
        assert page.is_success, f"the page says {page.status_code}"
        assert LAKESIDE.district_id in page.text, "the page does not show the districts"
        assert all(cookie.secure for cookie in browser.cookies.jar if cookie.name == "_token")
    return "links and redirects are https; the Rollcall page opens"


def _fails(stack: Stack, service: str, *command: str) -> bool:
    try:
        stack.inside(service, *command)
    except AssertionError:
        return True
    return False


STEPS = (
    Step("Look for secrets in `docker inspect` and in the logs", secrets),
    Step("Write to a service's own files", confined),
    Step("Reach database, API and other machines from the SFTP service", networks),
    Step("Connect to PostgreSQL without TLS, or to another server", encrypted),
    Step("Log in to Airflow by the reverse proxy, with TLS", by_the_proxy),
)
