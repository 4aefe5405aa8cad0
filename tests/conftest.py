"""Fixtures that need a real PostgreSQL: one server and one deployed template per session, one database per test."""

import gc
import logging
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import hypothesis
import psutil
import pytest
from helpers.postgres import DATABASE, Postgres
from xdist.scheduler import LoadScopeScheduling

from rollcall.settings import working_on

# A busy machine is no failure: no example has to end in a fifth of a second.
hypothesis.settings.register_profile("rollcall", deadline=None)
hypothesis.settings.register_profile("thorough", deadline=None, max_examples=1000)  # of `make properties`
hypothesis.settings.load_profile("rollcall")
logging.getLogger("rollcall").setLevel(logging.INFO)  # what it logs is tested, too

IN_MEMORY = Path("/dev/shm")
ENOUGH_BYTES = 8 << 30
"""Of memory that is free. All that the tests write at a time is about a quarter of it."""

GARBAGE = 50_000
"""So many objects more than before are looked through; Python's own 700 are for a program that is small."""

SCHEDULERS_TESTS = "tests/e2e"
IN_BATCHES = "tests/properties/test_any_nights.py"

TEMPLATE = "rollcall_template"


class TogetherOrAlone(LoadScopeScheduling):
    """What stays on one worker: a file's tests; those of the scheduler, which share a stack; a batch by itself."""

    def _split_scope(self, nodeid: str) -> str:
        file, _, _ = nodeid.partition("::")
        if file.startswith(SCHEDULERS_TESTS):
            return SCHEDULERS_TESTS
        return nodeid if file == IN_BATCHES else file


def pytest_configure(config: pytest.Config) -> None:
    """Look for garbage less often, and have temporary files in memory where there is room, unless TMPDIR says where.

    A disk is mostly waited for; and an eighth of a worker's time went into looking through modules for garbage.
    """
    gc.set_threshold(GARBAGE, 10, 50)
    is_worker = hasattr(config, "workerinput")
    if is_worker or "TMPDIR" in os.environ or not IN_MEMORY.is_dir():
        return
    if min(shutil.disk_usage(IN_MEMORY).free, psutil.virtual_memory().available) < ENOUGH_BYTES:
        return
    folder = tempfile.mkdtemp(prefix="rollcall-tests-", dir=IN_MEMORY)
    Path(folder).chmod(0o711)  # as root, PostgreSQL runs as a user of its own, which has to get through
    os.environ["TMPDIR"] = folder  # for workers, too, and for what tests start
    tempfile.tempdir = None
    config.add_cleanup(lambda: shutil.rmtree(folder, ignore_errors=True))


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> TogetherOrAlone:
    """Tests are shared out among the workers in the order in which they are named."""
    return TogetherOrAlone(config, log)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers() -> int:
    """A worker for each of up to four cores, and one that mostly waits: for the scheduler's tests."""
    return min(os.cpu_count() or 1, 4) + 1


@pytest.fixture(scope="session", autouse=True)
def state_dir() -> Iterator[Path]:
    """A state folder of the session's own: tests never touch the local stack's."""
    with (
        tempfile.TemporaryDirectory(prefix="rollcall-state-") as folder,
        pytest.MonkeyPatch.context() as for_children,
        working_on(state_dir=folder),
    ):
        for_children.setenv("ROLLCALL_STATE_DIR", folder)
        yield Path(folder)


@pytest.fixture(scope="module", autouse=True)
def same_environment(state_dir: Path, request: pytest.FixtureRequest) -> Iterator[None]:
    """A file's tests leave the environment as they found it: what one says there, another must not hear."""
    before = _ours()
    yield
    assert _ours() == before, f"{request.node.nodeid} left something in the environment"


def _ours() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if name.startswith(("ROLLCALL_", "AIRFLOW_"))}


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    """A running PostgreSQL 18."""
    folder = Path(tempfile.mkdtemp(prefix="rollcall-pg-"))
    folder.chmod(0o755)  # as root, the server runs as a user of its own, which has to get there
    server = Postgres(folder / "data")
    yield server
    server.stop()
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def warehouse_template(postgres: Postgres) -> str:
    """The name of a database to copy: migrated and deployed, and empty."""
    from rollcall.conform import deploy

    # Under the name of the copies: dbt parses the project anew, for seconds, where the database has another one.
    with working_on(warehouse=postgres.create(DATABASE)):
        deploy()
    postgres.rename(DATABASE, TEMPLATE)
    gc.freeze()  # dbt's modules are there now, for good: nobody need look through a million objects again and again
    return TEMPLATE


@pytest.fixture
def warehouse_url(postgres: Postgres, warehouse_template: str) -> Iterator[str]:
    """The URL of a fresh, deployed warehouse, worked on; it is gone after the test."""
    with postgres.worked_on(warehouse_template) as url:
        yield url
