"""One PostgreSQL and one SFTP server for all scenarios; each test has districts of its own in them."""

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest
from nights import World

from rollcall.settings import PROJECT_ROOT, settings
from rollcall.stack import StackState, down, up


@pytest.fixture(scope="session")
def world() -> Iterator[World]:
    """The running parts, with the warehouse deployed."""
    import great_expectations  # noqa: F401 -- as in the scheduler: forked processes have it already

    from rollcall.conform import deploy

    root = Path(tempfile.mkdtemp(prefix="rollcall-scenarios-"))
    state_dir, districts_dir = root / "state", root / "districts"
    districts_dir.mkdir()
    shutil.copy(PROJECT_ROOT / "dags" / "districts" / "_defaults.yaml", districts_dir)

    def make_ready(state: StackState) -> None:
        # For speed. A server that is killed loses nothing by it: the machine's memory holds what was written.
        execute_each(state.superuser_url, "alter system set fsync = off", "select pg_reload_conf()")
        with environment(state_dir, districts_dir, state.warehouse_url):
            deploy(state.warehouse_url)

    state = up(state_dir, districts_dir=districts_dir, with_airflow=False, after_postgres=make_ready)
    yield World(state, root / "work")
    down(state_dir)
    shutil.rmtree(root)


@pytest.fixture(scope="module", autouse=True)
def the_environment(world: World) -> Iterator[None]:
    """The environment of this process points at the world while a file's scenarios play, and not beyond them."""
    with environment(world.state.state_dir, world.state.districts_dir, world.url):
        yield


@contextmanager
def environment(state_dir: Path, districts_dir: Path, warehouse_url: str) -> Iterator[None]:
    """What a process of the world finds in its environment."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ROLLCALL_STATE_DIR", str(state_dir))
        patch.setenv("ROLLCALL_DISTRICTS_DIR", str(districts_dir))
        patch.setenv("AIRFLOW_CONN_WAREHOUSE", warehouse_url)
        settings.cache_clear()
        yield
    settings.cache_clear()


def execute_each(url: str, *statements: str) -> None:
    """Run statements outside of any transaction."""
    with psycopg.connect(url, autocommit=True) as connection:
        for statement in statements:
            connection.execute(statement)
