"""Where the local stack says that its warehouse and its Airflow are, for whoever was told of no others."""

from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, ValidationError

STATE_FILE = "stack.json"
"""What the local stack remembers, in its state folder; `rollcall.stack.state` writes it."""


class LocalStateError(RuntimeError):
    """The local stack's state cannot be read; the message says what to do."""


class LocalServices(BaseModel):
    """The part of that file which others than the stack itself need.

    Attributes:
        warehouse_url: The warehouse, as its owner; never printed.
        airflow_url: Airflow's address.
        service_user: The Airflow account that answers approval requests.
        service_password: That account's password.
    """

    model_config = ConfigDict(frozen=True)

    warehouse_url: str = Field(repr=False)
    airflow_url: str
    service_user: str
    service_password: str = Field(repr=False)


def local_services(state_dir: Path) -> LocalServices | None:
    """What the stack in a state folder says, or None where none was ever started.

    Args:
        state_dir: ``ROLLCALL_STATE_DIR``.

    Raises:
        LocalStateError: the file is there, and does not say it.
    """
    path = state_dir / STATE_FILE
    try:
        return LocalServices.model_validate_json(path.read_bytes())
    except FileNotFoundError:
        return None
    except ValidationError as error:
        raise LocalStateError(
            f"{path} does not say where the warehouse and Airflow are ({error.error_count()} errors). Start it anew: "
            "run `rollcall up`."
        ) from None
