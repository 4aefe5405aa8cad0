"""One PostgreSQL, one dbt and one archive for all properties."""

from collections.abc import Iterator
from typing import Any

import pytest
from helpers.small_world import SmallWorld


@pytest.fixture(scope="session")
def small_world(postgres: Any, warehouse_template: str, tmp_path_factory: pytest.TempPathFactory) -> SmallWorld:
    """The session's world; empty once ``begin`` was called."""
    import great_expectations  # noqa: F401 -- as in the scheduler: it is there before the first delivery comes

    return SmallWorld(postgres, warehouse_template, tmp_path_factory.mktemp("archive"))


@pytest.fixture
def world(small_world: SmallWorld) -> Iterator[SmallWorld]:
    """An empty warehouse, worked on."""
    with small_world.worked_on():
        small_world.begin()
        yield small_world
