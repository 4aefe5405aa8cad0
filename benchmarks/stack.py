"""The ground that benchmarks stand on: a local stack of their own without Airflow, new each time."""

import json
import os
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import psycopg

from benchmarks.memory import Watch
from benchmarks.processes import Task, preload, run
from rollcall.districts import District, load_district
from rollcall.settings import PROJECT_ROOT, working_on
from rollcall.sftp import SftpAccount
from rollcall.stack import StackState, down, sync_districts, up
from rollcall.stack.processes import read_record
from simulator.upload import Account, upload


@dataclass(frozen=True)
class BenchStack:
    """A running PostgreSQL with a deployed warehouse, and a running SFTP server."""

    state_dir: Path

    @property
    def state(self) -> StackState:
        """The stack as it is now."""
        state = StackState.load(self.state_dir)
        assert state is not None
        return state

    @property
    def url(self) -> str:
        """The warehouse, as its owner."""
        return self.state.warehouse_url

    def watch(self) -> Watch:
        """A watch over our own children, PostgreSQL's and the SFTP server."""
        postgres, sftp = (read_record(self.state.run_dir, name) for name in ("postgres", "sftp"))
        assert postgres is not None
        assert sftp is not None
        return Watch((os.getpid(), postgres.pid), (sftp.pid,))

    def settle_in(self, district_id: str, **keys: object) -> District:
        """Give a district a file and an SFTP account; its first delivery is accepted."""
        lines = {"name": f"District {district_id}", "first_delivery": "accept", **keys}
        path = self.state.districts_dir / f"{district_id}.yaml"
        path.write_text("".join(f"{key}: {json.dumps(value)}\n" for key, value in lines.items()))
        sync_districts(self.state_dir)
        return load_district(path)

    def account(self, district_id: str) -> SftpAccount:
        """Rollcall's own login, as the Airflow connection has it."""
        state = self.state
        login = state.service_accounts[district_id]
        return SftpAccount(state.sftp_host, state.sftp_port, login.username, login.password, state.sftp_host_key)

    def send(self, district_id: str, files: Sequence[Path]) -> None:
        """Upload as the district's own system does, in a process of its own: the client works with threads."""
        state = self.state
        login = state.accounts[district_id]
        account = Account(state.sftp_host, state.sftp_port, login.username, login.password, state.sftp_host_key)
        run([Task("upload", partial(upload, account, files))], self.watch())

    def query(self, statement: str, *parameters: Any) -> list[tuple[Any, ...]]:
        """The rows of a query."""
        with psycopg.connect(self.url) as connection:
            return connection.execute(statement, parameters or None).fetchall()


@contextmanager
def bench_stack(work: Path) -> Iterator[BenchStack]:
    """A new stack below a folder, gone afterwards; this process and its children use it meanwhile.

    What the scheduler imports before it forks is imported here.
    """
    from rollcall.conform import deploy

    preload()
    state_dir, districts_dir = work / "stack", work / "stack-districts"
    _remove(state_dir, districts_dir)
    districts_dir.mkdir(parents=True)
    shutil.copy(PROJECT_ROOT / "dags" / "districts" / "_defaults.yaml", districts_dir)
    try:
        state = up(state_dir, districts_dir=districts_dir, with_airflow=False)
        with working_on(warehouse=state.warehouse_url, state_dir=state_dir, districts_dir=districts_dir):
            stack = BenchStack(state_dir)
            # dbt leaves threads behind: here, it would leave them, and locks that they hold, to every process forked.
            run([Task("deploy", deploy)], stack.watch())
            yield stack
    finally:
        _remove(state_dir, districts_dir)


def _remove(state_dir: Path, districts_dir: Path) -> None:
    """Stop the stack that is there, if there is one, and remove its files."""
    if state_dir.exists():
        down(state_dir)
        shutil.rmtree(state_dir)
    shutil.rmtree(districts_dir, ignore_errors=True)
