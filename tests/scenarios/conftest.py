"""One PostgreSQL and one SFTP server for all scenarios; each test has districts of its own in them."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from nights import World

from rollcall.settings import PROJECT_ROOT, settings
from rollcall.stack import StackState, down, up


@pytest.fixture(scope="session")
def world() -> Iterator[World]:
    """The running parts, with the warehouse deployed and the environment of this process pointing at them."""
    import great_expectations  # noqa: F401 -- as in the scheduler: forked processes have it already

    from rollcall.conform import deploy

    root = Path(tempfile.mkdtemp(prefix="rollcall-scenarios-"))
    state_dir, districts_dir = root / "state", root / "districts"
    districts_dir.mkdir()
    shutil.copy(PROJECT_ROOT / "dags" / "districts" / "_defaults.yaml", districts_dir)
    before = dict(os.environ)
    os.environ |= {"ROLLCALL_STATE_DIR": str(state_dir), "ROLLCALL_DISTRICTS_DIR": str(districts_dir)}
    settings.cache_clear()

    def make_ready(state: StackState) -> None:
        # For speed. A server that is killed loses nothing by it: the machine's memory holds what was written.
        execute_each(state.superuser_url, "alter system set fsync = off", "select pg_reload_conf()")
        os.environ["AIRFLOW_CONN_WAREHOUSE"] = state.warehouse_url
        deploy(state.warehouse_url)

    state = up(state_dir, districts_dir=districts_dir, with_airflow=False, after_postgres=make_ready)
    yield World(state, root / "work")
    down(state_dir)
    os.environ.clear()
    os.environ |= before
    settings.cache_clear()
    shutil.rmtree(root)


@pytest.fixture(autouse=True)
def the_environment(world: World, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Tests of other folders leave the environment as they found it; these need the world's."""
    monkeypatch.setenv("ROLLCALL_STATE_DIR", str(world.state.state_dir))
    monkeypatch.setenv("ROLLCALL_DISTRICTS_DIR", str(world.state.districts_dir))
    monkeypatch.setenv("AIRFLOW_CONN_WAREHOUSE", world.url)
    settings.cache_clear()
    yield
    settings.cache_clear()


def execute_each(url: str, *statements: str) -> None:
    """Run statements outside of any transaction."""
    with psycopg.connect(url, autocommit=True) as connection:
        for statement in statements:
            connection.execute(statement)
