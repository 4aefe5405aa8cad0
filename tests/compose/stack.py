"""The server stack as an operator handles it: Compose commands, SQL, Airflow's API, real SFTP clients."""

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any, NamedTuple

import httpx

from rollcall.airflow_api import AirflowUnreachableError, airflow_api
from rollcall.settings import PROJECT_ROOT
from rollcall.stack.processes import free_port
from tests import openssh

SERVICES = ("postgres", "sftp", "api-server", "scheduler", "dag-processor", "triggerer")
"""Those that take part in a night."""
PATIENCE_SECONDS = 900
LAST_LINES = "500"
"""Of each service, kept when a step did not end well."""
LONGEST_WAIT_SECONDS = 3600
"""How long a run waits for its delivery."""
SETTINGS = {
    "SFTP_INBOX_MIB": "64",
    "ROLLCALL_STABLE_AFTER_SECONDS": "5",
    "ROLLCALL_POLL_INTERVAL_SECONDS": "2",
    "ROLLCALL_CONFORM_BACKSTOP": "* * * * *",
}
"""Of every stack."""
BASE_IMAGES = ("PYTHON_IMAGE", "POSTGRES_IMAGE", "PROXY_IMAGE", "REDIS_IMAGE")
STATE = (
    "select coalesce(delivery.state, night.outcome) from rollcall.night left join rollcall.delivery using (delivery_id)"
    " where night.district_id = '{}' and night.service_date = date '{}'"
)


class NoDockerError(Exception):
    """There is no Docker engine to be had."""


def compose_command() -> list[str]:
    """Either of the two commands that there are.

    Raises:
        NoDockerError: neither is there, or no engine answers.
    """
    if not shutil.which("docker") or _fails("docker", "info"):
        raise NoDockerError("This needs a running Docker engine, and none answers here (`docker info`).")
    if not _fails("docker", "compose", "version"):
        return ["docker", "compose"]
    if shutil.which("docker-compose"):
        return ["docker-compose"]
    raise NoDockerError("This needs Docker Compose: neither `docker compose` nor `docker-compose` is here.")


def _fails(*command: str) -> bool:
    return subprocess.run(command, capture_output=True, check=False).returncode != 0


@dataclass(frozen=True)
class Answer:
    """What an SFTP client said, and whether it did all that it was told."""

    is_done: bool
    said: str


@dataclass(frozen=True)
class Kind:
    """What a stack consists of.

    Attributes:
        project: What Compose calls it.
        services: How many containers of each service there are when all are up.
        settings: What .env says of it, besides what it says of every stack.
        files: Compose files on top of docker-compose.yaml.
    """

    project: str
    services: Mapping[str, int]
    settings: Mapping[str, str]
    files: Sequence[Path] = ()


class Ports(NamedTuple):
    """Where a stack listens on this machine."""

    sftp: int
    airflow: int
    postgres: int
    http: int
    https: int

    def settings(self) -> dict[str, str]:
        """What .env says of them."""
        return {
            "SFTP_LISTEN": f"127.0.0.1:{self.sftp}",
            "ROLLCALL_SFTP_ADDRESS": f"127.0.0.1:{self.sftp}",
            "AIRFLOW_LISTEN": f"127.0.0.1:{self.airflow}",
            "AIRFLOW_PUBLIC_URL": f"https://localhost:{self.https}",
            "POSTGRES_LISTEN": f"127.0.0.1:{self.postgres}",
            "PROXY_HTTP_LISTEN": f"127.0.0.1:{self.http}",
            "PROXY_HTTPS_LISTEN": f"127.0.0.1:{self.https}",
        }


class Stack:
    """One server stack under a project name and ports of its own.

    Args:
        kind: What it consists of.
        work: An empty folder, for the settings, the districts' files and what is uploaded.
        log: Where the output of Compose goes.
    """

    def __init__(self, kind: Kind, work: Path, log: Path) -> None:
        self.kind = kind
        self.ports = Ports(*(free_port() for _ in Ports._fields))
        self.work = work
        self._log = log
        self._command = compose_command()
        self._env = work / ".env"
        self.districts = work / "districts"
        self.secrets = work / "secrets"

    def prepare(self) -> None:
        """Write settings, random secrets, and the folder of the districts' files."""
        shutil.copytree(PROJECT_ROOT / "dags" / "districts", self.districts)
        for path in (self.districts, *self.districts.iterdir()):
            path.chmod(0o777 if path.is_dir() else 0o666)  # `districts add` runs as the image's own user
        make_secrets = str(PROJECT_ROOT / "docker" / "make_secrets.py")
        made = [sys.executable, make_secrets, "--folder", str(self.secrets), "--env", str(self._env)]
        subprocess.run(made, stdout=subprocess.DEVNULL, check=True)
        own = {
            "COMPOSE_PROJECT_NAME": self.kind.project,
            "DISTRICTS_DIR": str(self.districts),
            "SECRETS_DIR": str(self.secrets),
            **SETTINGS,
            **self.ports.settings(),
            **self.kind.settings,
        }
        own |= {name: os.environ[name] for name in BASE_IMAGES if name in os.environ}
        example = (PROJECT_ROOT / ".env.example").read_text().splitlines()
        kept = [line for line in example if line.partition("=")[0] not in own]
        self._env.write_text("\n".join([*kept, *(f"{name}={value}" for name, value in own.items())]) + "\n")

    def compose(self, *arguments: str, stdin: bytes | None = None) -> bytes:
        """Run a Compose command; what it prints.

        Raises:
            AssertionError: it failed.
        """
        files = [part for path in ("docker-compose.yaml", *self.kind.files) for part in ("--file", str(path))]
        options = (*files, "--project-name", self.kind.project, "--env-file", str(self._env))
        return self._run(*self._command, *options, *arguments, stdin=stdin)

    def _run(self, *command: str, stdin: bytes | None = None) -> bytes:
        with self._log.open("ab") as log:
            log.write(f"$ {' '.join(command)}\n".encode())
            log.flush()
            ended = subprocess.run(
                command, cwd=PROJECT_ROOT, input=stdin or b"", stdout=subprocess.PIPE, stderr=log, check=False
            )
        assert ended.returncode == 0, f"`{' '.join(command)[:120]}` failed; {self._log} says why"
        return ended.stdout

    def inside(self, service: str, *command: str, stdin: bytes | None = None, user: str = "") -> str:
        """Run a command in a service's container; what it prints.

        Raises:
            AssertionError: it failed, or there is no such container now.
        """
        return self.bytes_inside(service, *command, stdin=stdin, user=user).decode()

    def bytes_inside(self, service: str, *command: str, stdin: bytes | None = None, user: str = "") -> bytes:
        """As `inside`, for what is no text."""
        as_user = ["--user", user] if user else []
        return self._run("docker", "exec", "--interactive", *as_user, self.container(service), *command, stdin=stdin)

    def container(self, service: str) -> str:
        """The id of a service's running container; of any, where there are several.

        Raises:
            AssertionError: there is none now.
        """
        listed = self.containers(service)
        assert listed, f"{service} has no running container"
        return listed[0]

    def containers(self, service: str) -> list[str]:
        """The ids of all of a service's running containers."""
        return self._listed(f"label=com.docker.compose.service={service}")

    def _listed(self, wanted: str) -> list[str]:
        """The ids of this stack's running containers that fit a filter of `docker ps`."""
        filters = ("--filter", f"label=com.docker.compose.project={self.kind.project}", "--filter", wanted)
        return self._run("docker", "ps", "--quiet", *filters).decode().split()

    def one_off(self, service: str, *command: str, stdin: bytes | None = None) -> bytes:
        """Run a command in a container of its own, without what the service depends on."""
        return self.compose("run", "--rm", "--no-deps", "-T", service, *command, stdin=stdin)

    def sql(self, query: str, database: str = "warehouse") -> str:
        """What a query of one value says."""
        psql = ("psql", "--username", "postgres", "--dbname", database, "--no-psqlrc", "-Atc", query)
        return self.inside("postgres", *psql).strip()

    @contextmanager
    def api(self) -> Iterator[httpx.Client]:
        """Airflow's API, as its administrator."""
        url = f"http://127.0.0.1:{self.ports.airflow}"
        password = (self.secrets / "rollcall_server_admin_password").read_text()
        with airflow_api(url, "admin", password) as session:
            yield session

    def until(self, what: str, check: Callable[[], Any], every: float = 1.0) -> Any:
        """Wait for something to become true, also while services are away; its value."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        while time.monotonic() < deadline:
            with suppress(AssertionError, AirflowUnreachableError, httpx.HTTPError):
                value = check()
                if value:
                    return value
            time.sleep(every)
        raise AssertionError(f"waited {PATIENCE_SECONDS} s in vain for: {what}")

    def is_healthy(self) -> bool:
        """Whether every service says that it is well."""
        return len(self._listed("health=healthy")) == sum(self.kind.services.values())

    def until_healthy(self) -> None:
        """Wait until every service says so."""
        self.until("every service is healthy", self.is_healthy)

    def inspect(self, service: str) -> dict[str, Any]:
        """What Docker knows of a service's container."""
        return self._inspected(self.container(service))

    def mounts(self, service: str) -> list[dict[str, Any]]:
        """The folders and volumes that a service's containers are given, as Docker tells of them."""
        return [mount for container in self.containers(service) for mount in self._inspected(container)["Mounts"]]

    def _inspected(self, container: str) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self._run("docker", "inspect", container))[0]
        return found

    def keep_logs(self) -> None:
        """Have the end of what every service has said in the log, too."""
        with self._log.open("ab") as log:
            log.write(self.compose("ps") + self.compose("logs", "--no-color", "--timestamps", "--tail", LAST_LINES))

    def logs(self, service: str) -> str:
        """What a service has said so far."""
        return self.compose("logs", "--no-color", service).decode(errors="replace")

    def kill(self, service: str) -> None:
        """SIGKILL a service's main process, as a crash would; Docker starts it again."""
        user = "postgres" if service == "postgres" else ""
        with suppress(AssertionError):  # the container goes, and the command with it
            self.inside(service, "sh", "-c", "kill -9 $(cat /proc/1/task/1/children)", user=user)

    def destroy(self, container: str) -> None:
        """SIGKILL for all processes of a container, which Docker does not start again."""
        self._run("docker", "kill", container)

    def password(self, district: str) -> str:
        """The password of a district's account."""
        lines = self.inside("sftp", "cat", "/run/rollcall/accounts/logins.tsv").splitlines()
        return next(line.split("\t")[4] for line in lines if line.startswith(f"{district}\t"))

    def sftp_command(self, login: str, key: Path | None = None) -> list[str]:
        """How to start OpenSSH's own client; the server's key is pinned at first sight."""
        return openssh.command("127.0.0.1", self.ports.sftp, login, self.work / "known_hosts", key)

    def answering(self, password: str) -> dict[str, str]:
        """The environment of a client that is asked for a password."""
        return openssh.answering(self.work, password)

    def sftp(self, login: str, *commands: str, password: str | None = None, key: Path | None = None) -> Answer:
        """Let OpenSSH's own client do something, one command after the other until one fails."""
        ended = subprocess.run(
            self.sftp_command(login, key),
            input="".join(f"{command}\n" for command in commands),
            env=self.answering("" if key else self.password(login) if password is None else password),
            capture_output=True,
            text=True,
            check=False,
        )
        return Answer(ended.returncode == 0, ended.stdout + ended.stderr)

    def listed(self, login: str, folder: str) -> list[str]:
        """What the client lists in a folder."""
        lines = self.sftp(login, f"ls -1 {folder}").said.splitlines()
        return [line.strip() for line in lines if not line.startswith("sftp>")]

    def upload(self, district: str, files: Sequence[Path]) -> None:
        """Upload a delivery."""
        answer = self.sftp(district, *(f"put {path}" for path in files))
        assert answer.is_done, f"{district} could not upload: {answer.said[-300:]}"

    def start(self, district: str, night: date) -> str:
        """Start a district's run for a night, as soon as Airflow knows its DAG; the run's id."""
        conf = {"service_date": night.isoformat(), "wait_seconds": LONGEST_WAIT_SECONDS}
        path = f"/api/v2/dags/roster__{district}/dagRuns"

        def started() -> str:
            with self.api() as session:
                run = session.post(path, json={"logical_date": None, "conf": conf}).raise_for_status()
                return str(run.json()["dag_run_id"])

        return str(self.until(f"a run of {district}", started))

    def state(self, district: str, night: date) -> str:
        """How the ledger says that a night stands."""
        return self.sql(STATE.format(district, night))

    def until_state(self, district: str, night: date, state: str) -> None:
        """Wait until the ledger says so."""
        try:
            self.until(f"{district}: {state}", lambda: self.state(district, night) == state)
        except AssertionError as error:
            raise AssertionError(f"{error}; it says: {self.state(district, night)}") from None

    def until_task(self, district: str, run_id: str, task_id: str, *states: str) -> None:
        """Wait until a task of a run is in one of some states of Airflow's."""
        path = f"/api/v2/dags/roster__{district}/dagRuns/{run_id}/taskInstances"
        with self.api() as session:
            self.until(
                f"{task_id} of {district} is {' or '.join(states)}",
                lambda: any(
                    found["task_id"] == task_id and found["state"] in states
                    for found in session.get(path).raise_for_status().json()["task_instances"]
                ),
                every=0.1,
            )

    @contextmanager
    def full(self, service: str, folder: str) -> Iterator[None]:
        """A folder of a service without any room: a file system of one page, which is full, lies over it."""
        full = f"mount -t tmpfs -o size=4k,uid=50000,mode=0700 full {folder} && head -c 4096 /dev/zero > {folder}/full"
        self._as_its_machine(service, "sh", "-c", full)
        try:
            yield
        finally:
            self._as_its_machine(service, "umount", folder)

    def _as_its_machine(self, service: str, *command: str) -> None:
        """Run a command among a service's files with the rights that it does not have itself."""
        rights = ("--cap-add", "SYS_ADMIN", "--cap-add", "SYS_PTRACE", "--pid", "host", "--user", "root")
        process = str(self.inspect(service)["State"]["Pid"])
        image = ("--entrypoint", "nsenter", f"{self.kind.project}:latest")
        self._run("docker", "run", "--rm", *rights, *image, "--target", process, "--mount", *command)

    def roster_rows(self, district: str) -> int:
        """How many rows readers see of a district."""
        return int(self.sql(f"select count(*) from roster.roster where district_id = '{district}'"))
