"""The warehouse's permanent tables, views and roles, versioned with Alembic."""

from pathlib import Path

import psycopg
from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy import create_engine, text
from sqlalchemy.exc import OperationalError

from rollcall.warehouse import redacted, warehouse_url

ADVISORY_LOCK = 7_236_001
LOCK_TIMEOUT = "2s"
"""How long a deploy waits for a lock: whoever comes after it waits as long."""

# Not in a migration: a dump that is restored into another database does not bring it along.
GRANT_ON_DATABASE = """
    do $$ begin execute format('grant create on database %I to rollcall_loader', current_database()); end $$
"""


def migrate() -> None:
    """Bring the warehouse to the newest migration; does nothing where it is there already.

    The warehouse's login must own its database, and may create roles.

    Raises:
        WarehouseError: the warehouse cannot be reached, or went away; or somebody else's transaction is in the way.
    """
    config = _config()
    engine = create_engine(warehouse_url().replace("postgresql://", "postgresql+psycopg://", 1))
    try:
        with engine.begin() as connection:
            # Two deploys at once: the second waits, then finds nothing to do.
            connection.execute(text("select pg_advisory_xact_lock(:key)"), {"key": ADVISORY_LOCK})
            connection.execute(text(f"set local lock_timeout = '{LOCK_TIMEOUT}'"))
            config.attributes["connection"] = connection
            command.upgrade(config, "head")
            connection.execute(text(GRANT_ON_DATABASE))
    except OperationalError as error:
        if isinstance(error.orig, psycopg.Error):
            raise redacted(error.orig) from None
        raise
    finally:
        engine.dispose()


def newest_migration() -> str | None:
    """The revision that this version of the package brings a warehouse to."""
    return ScriptDirectory.from_config(_config()).get_current_head()


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent))
    return config
