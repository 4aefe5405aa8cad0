"""One PostgreSQL, one dbt and one archive for all properties."""

from collections.abc import Iterator
from typing import Any

import pytest
from helpers.small_world import SmallWorld

from rollcall.settings import settings


@pytest.fixture(scope="session")
def small_world(postgres: Any, warehouse_template: str, tmp_path_factory: pytest.TempPathFactory) -> SmallWorld:
    """The session's world; empty once ``begin`` was called."""
    import great_expectations  # noqa: F401 -- as in the scheduler: it is there before the first delivery comes

    return SmallWorld(postgres, warehouse_template, tmp_path_factory.mktemp("archive"))


@pytest.fixture
def world(small_world: SmallWorld, monkeypatch: pytest.MonkeyPatch) -> Iterator[SmallWorld]:
    """An empty warehouse, with the environment of this process pointing at it."""
    monkeypatch.setenv("AIRFLOW_CONN_WAREHOUSE", small_world.url)
    monkeypatch.setenv("ROLLCALL_ARCHIVE_URL", small_world.archive.as_uri())
    settings.cache_clear()
    small_world.begin()
    yield small_world
    settings.cache_clear()
