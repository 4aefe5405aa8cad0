"""Fixtures that need a real PostgreSQL: one server and one deployed template per session, one database per test."""

import logging
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import hypothesis
import pytest
from helpers.postgres import Postgres

from rollcall.settings import settings

# A busy machine is no failure: no example has to end in a fifth of a second.
hypothesis.settings.register_profile("rollcall", deadline=None)
hypothesis.settings.register_profile("thorough", deadline=None, max_examples=1000)  # of `make properties`
hypothesis.settings.load_profile("rollcall")
logging.getLogger("rollcall").setLevel(logging.INFO)  # what it logs is tested, too

TEMPLATE = "rollcall_template"
# One name for every test's database: dbt's parsed project stays valid from test to test.
DATABASE = "rollcall_test"


@pytest.fixture(scope="session", autouse=True)
def state_dir() -> Iterator[Path]:
    """A state folder of the session's own: tests never touch the local stack's."""
    with tempfile.TemporaryDirectory(prefix="rollcall-state-") as folder:
        before = os.environ.get("ROLLCALL_STATE_DIR")
        os.environ["ROLLCALL_STATE_DIR"] = folder
        settings.cache_clear()
        yield Path(folder)
        if before is None:
            del os.environ["ROLLCALL_STATE_DIR"]
        else:
            os.environ["ROLLCALL_STATE_DIR"] = before
        settings.cache_clear()


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

    deploy(postgres.create(TEMPLATE))
    return TEMPLATE


@pytest.fixture
def warehouse_url(postgres: Postgres, warehouse_template: str) -> Iterator[str]:
    """The URL of a fresh, deployed warehouse that is gone after the test."""
    yield postgres.create(DATABASE, warehouse_template)
    postgres.drop(DATABASE)
