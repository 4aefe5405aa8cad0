"""One PostgreSQL and one SFTP server for all scenarios; each test has districts of its own in them."""

import gc
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest
from nights import World

from rollcall.settings import PROJECT_ROOT, working_on
from rollcall.stack import StackState, down, up


@pytest.fixture(scope="session")
def world() -> Iterator[World]:
    """The running parts, with the warehouse deployed."""
    import great_expectations  # noqa: F401 -- as in the scheduler: forked processes have it already

    root = Path(tempfile.mkdtemp(prefix="rollcall-scenarios-"))
    with started(root) as world:
        yield world
    shutil.rmtree(root)


@contextmanager
def started(root: Path) -> Iterator[World]:
    """The running parts in a folder, with the warehouse deployed; stopped afterwards."""
    from rollcall.conform import deploy

    state_dir, districts_dir = root / "state", root / "districts"
    districts_dir.mkdir()
    shutil.copy(PROJECT_ROOT / "dags" / "districts" / "_defaults.yaml", districts_dir)

    def make_ready(state: StackState) -> None:
        # For speed. A server that is killed loses nothing by it: the machine's memory holds what was written.
        execute_each(state.superuser_url, "alter system set fsync = off", "select pg_reload_conf()")
        with working_on(warehouse=state.warehouse_url, state_dir=state_dir, districts_dir=districts_dir):
            deploy()

    state = up(state_dir, districts_dir=districts_dir, with_airflow=False, after_postgres=make_ready)
    gc.freeze()  # as for the template of the integration tests
    yield World(state, root / "work")
    down(state_dir)


@pytest.fixture(scope="module", autouse=True)
def worked_on(world: World) -> Iterator[None]:
    """The world is worked on while a file's scenarios play, and not beyond them."""
    state = world.state
    with working_on(warehouse=world.url, state_dir=state.state_dir, districts_dir=state.districts_dir):
        yield


def execute_each(url: str, *statements: str) -> None:
    """Run statements outside of any transaction."""
    with psycopg.connect(url, autocommit=True) as connection:
        for statement in statements:
            connection.execute(statement)
