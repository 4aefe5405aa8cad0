"""What the local stack leaves for commands that were told of no other warehouse and no other Airflow."""

from pathlib import Path

import pytest

from rollcall.local import STATE_FILE, LocalStateError, local_services
from rollcall.stack import StackState


def test_what_the_stack_saves_says_where_its_services_are(tmp_path: Path) -> None:
    state = StackState(state_dir=tmp_path, home=tmp_path, districts_dir=tmp_path, postgres_port=5, airflow_port=6)
    state.save()
    services = local_services(tmp_path)
    assert services is not None
    assert (services.warehouse_url, services.airflow_url) == (state.warehouse_url, "http://127.0.0.1:6")
    assert (services.service_user, services.service_password) == ("rollcall", state.service_password)
    assert StackState.load(tmp_path) == state
    assert state.warehouse_password not in repr(services) + repr(state)


def test_a_folder_without_a_stack_says_nothing(tmp_path: Path) -> None:
    assert local_services(tmp_path) is None


def test_the_state_of_an_earlier_version_asks_for_a_start(tmp_path: Path) -> None:
    (tmp_path / STATE_FILE).write_text("{}")
    with pytest.raises(LocalStateError, match="run `rollcall up`"):
        local_services(tmp_path)
