"""One PostgreSQL, one dbt and one archive for all properties; each example starts from a copy of a warehouse."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from small_world import SmallWorld

from rollcall.settings import settings


@pytest.fixture
def world(warehouse_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[SmallWorld]:
    monkeypatch.setenv("AIRFLOW_CONN_WAREHOUSE", warehouse_url)
    monkeypatch.setenv("ROLLCALL_ARCHIVE_URL", (tmp_path / "archive").as_uri())
    settings.cache_clear()
    yield SmallWorld(warehouse_url)
    settings.cache_clear()
