"""The migrations of the warehouse are one chain."""

from pathlib import Path

from alembic.config import Config
from alembic.script import ScriptDirectory

import rollcall.migrations


def test_the_migrations_are_one_chain_in_the_order_of_their_numbers() -> None:
    config = Config()
    config.set_main_option("script_location", str(Path(rollcall.migrations.__file__).parent))
    chain = [script.revision for script in ScriptDirectory.from_config(config).walk_revisions()]
    numbers = sorted(
        path.name.partition("_")[0] for path in Path(rollcall.migrations.__file__).parent.glob("versions/0*.py")
    )
    assert list(reversed(chain)) == numbers
    assert len(set(numbers)) == len(numbers)
