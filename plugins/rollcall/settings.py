"""Every setting of Rollcall, typed, in one place: environment variables with the prefix ``ROLLCALL_``.

They are the context that everything works in: which warehouse, which archive, which districts, which folders. A process
works in the one that its environment says, a part of it in another one inside of ``with working_on(…)``.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Any

from pydantic import AfterValidator, Field, SecretStr, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

SECRETS = Path("/run/secrets")
"""Where Docker puts secrets, a file for each."""
PROJECT_ROOT = Path(__file__).resolve().parents[2]

_PREFIX = "ROLLCALL_"
_WAREHOUSE = "AIRFLOW_CONN_WAREHOUSE"
_TASK_LOGS = "AIRFLOW__LOGGING__BASE_LOG_FOLDER"
_OF_AIRFLOW = {"warehouse": _WAREHOUSE, "task_logs_dir": _TASK_LOGS}
"""Settings that have Airflow's names in the environment."""


class SettingsError(Exception):
    """A variable of the environment does not fit its setting; the message names it, and says why."""


def _for_good_or_at_least(days: int) -> AfterValidator:
    """Refuses a number of days that is a slip of the hand; 0 means for good."""

    def check(value: int) -> int:
        if value and value < days:
            raise ValueError(f"must be 0, for good, or at least {days}")
        return value

    return AfterValidator(check)


_SET_BY_THE_STACK = frozenset(
    {
        "warehouse", "home", "state_dir", "districts_dir", "task_logs_dir", "airflow_url", "airflow_public_url",
        "airflow_user", "airflow_password",
    }
)  # fmt: skip


def secrets_folder() -> Path | None:
    """Where a container finds secrets, a file for each variable that is not in its environment; None elsewhere."""
    return SECRETS if SECRETS.is_dir() else None


class Settings(BaseSettings):
    """Settings, each from the environment variable ``ROLLCALL_<NAME>``; without one, or a blank one, the default."""

    model_config = SettingsConfigDict(
        env_prefix=_PREFIX, env_ignore_empty=True, secrets_dir=secrets_folder(), frozen=True
    )

    warehouse: SecretStr = Field(
        default=SecretStr(""),
        validation_alias=_WAREHOUSE,
        description="The warehouse's postgresql:// URL, Airflow's connection; blank means the local stack's.",
    )

    home: Path = Field(default=PROJECT_ROOT, description="The project: dags/, dbt_project/ and expectations/ lie here.")
    state_dir: Path = Field(default=PROJECT_ROOT / ".rollcall", description="Where the local stack keeps its state.")
    districts_dir: Path = Field(
        default=PROJECT_ROOT / "dags" / "districts", description="The folder of the district files."
    )
    archive_url: str = Field(
        default="", description="Where deliveries are archived: file:// or s3://; blank means <state_dir>/archive."
    )
    archive_keep_free_mib: float = Field(
        default=1024,
        ge=0,
        description="How many MiB stay free where the archive is a local folder; else nothing is taken in.",
    )
    stable_after_seconds: float = Field(
        default=120,
        gt=0,
        description="How long size and time must stay as they are before a delivery counts as uploaded.",
    )
    poll_interval_seconds: float = Field(default=60, gt=0, description="How often an inbox is looked at.")
    publication_poll_seconds: float = Field(
        default=5, gt=0, description="How often a run that waits for its publication asks the ledger."
    )
    conform_backstop: str = Field(
        default="*/10 * * * *", description="When conform looks for work that no asset event told it of, as cron."
    )
    findings_kept_days: int = Field(
        default=90, ge=7, description="How long the ledger keeps the rows of findings; their counts it keeps for good."
    )
    landed_kept_days: int = Field(
        default=2, ge=1, description="How long the raw rows of a settled delivery stay, for whoever wants to look."
    )
    archive_kept_days: Annotated[int, _for_good_or_at_least(90)] = Field(
        default=0,
        description="How long the archive keeps the files of settled deliveries that nothing is built on; 0 for good.",
    )
    receipts_kept_days: Annotated[int, _for_good_or_at_least(30)] = Field(
        default=400, description="How long the archive keeps receipts and change lists; 0 for good."
    )
    logs_kept_days: Annotated[int, _for_good_or_at_least(7)] = Field(
        default=90, description="How long Airflow's task logs are kept; 0 for good."
    )
    inbox_kept_days: Annotated[int, _for_good_or_at_least(7)] = Field(
        default=30,
        description="After how long what lies in an inbox and became no delivery goes to the archive; 0 for never.",
    )
    task_logs_dir: Path | None = Field(
        default=None,
        validation_alias=_TASK_LOGS,
        description="Airflow's log folder; not set means the local stack's.",
    )
    forget_key: SecretStr = Field(
        default=SecretStr(""),
        description="What the ids of forgotten people are hashed with; blank means <state_dir>/forget.key.",
    )
    reader_statement_timeout_seconds: int = Field(
        default=900, ge=0, description="After how long a reader's statement is ended; 0 for never."
    )
    reader_idle_in_transaction_seconds: int = Field(
        default=300,
        ge=0,
        description="After how long a reader's session ends that idles in a transaction; 0 for never.",
    )
    reader_lock_timeout_seconds: int = Field(
        default=30, ge=0, description="How long a reader's statement waits for a lock; 0 for ever."
    )
    deploy_patience_seconds: float = Field(
        default=1200, ge=0, description="How long a deploy keeps trying where readers' transactions are in its way."
    )
    sftp_address: str = Field(
        default="",
        pattern=r"^([^:\s]+(:\d+)?)?$",
        description="Where districts upload to, as HOST or HOST:PORT; blank means the local stack's server.",
    )
    vendor_name: str = Field(default="Rollcall", description="The name that districts know you by, for their kit.")
    operators_email: str = Field(default="", description="Who gets notices by e-mail, separated by commas.")
    operators_urls: SecretStr = Field(
        default=SecretStr(""), description="Where operators get notices by chat or pager: Apprise URLs, blanks between."
    )
    roll_up_at: str = Field(
        default="15 6 * * *", description="When the night's roll-up is sent, as cron in UTC-5: after the last deadline."
    )
    airflow_url: str = Field(default="", description="Airflow's address: for its approval requests and its health.")
    airflow_user: str = Field(default="", description="The Airflow account that answers approval requests.")
    airflow_password: SecretStr = Field(default=SecretStr(""), description="That account's password.")
    airflow_public_url: str = Field(
        default="", description="Where people open Airflow, in messages; blank means ROLLCALL_AIRFLOW_URL."
    )

    @property
    def address_for_people(self) -> str:
        """Where people open Airflow; blank where that is not known."""
        return self.airflow_public_url or self.airflow_url

    @property
    def archive_root(self) -> str:
        """The archive's base URL, never blank."""
        return self.archive_url or (self.state_dir / "archive").as_uri()

    @property
    def task_logs(self) -> Path:
        """The folder of the task logs, wherever Airflow runs."""
        return self.task_logs_dir or self.state_dir / "logs" / "airflow"

    @property
    def expectations_dir(self) -> Path:
        """The folder of the Great Expectations suites."""
        return self.home / "expectations"

    @property
    def dbt_project_dir(self) -> Path:
        """The folder of the dbt project."""
        return self.home / "dbt_project"

    @property
    def warehouse_docs(self) -> Path:
        """The page that documents the warehouse: a deploy writes it, Airflow's UI shows it."""
        return self.state_dir / "docs" / "index.html"


_WORKED_ON: ContextVar[Settings] = ContextVar("worked_on")


def passed_on() -> list[str]:
    """The variables that people set, and that a stack passes on to its processes; the others it sets by itself."""
    return [_PREFIX + name.upper() for name in Settings.model_fields if name not in _SET_BY_THE_STACK]


@lru_cache(maxsize=1)
def _of_environment() -> Settings:
    """The settings of this process, read from the environment once."""
    try:
        return Settings()
    except ValidationError as error:
        raise SettingsError("; ".join(_in_words(str(each["loc"][0]), each["msg"]) for each in error.errors())) from None


def _in_words(name: str, message: str) -> str:
    """Which variable is wrong, and why: never its value, which may be a secret."""
    variable = name if name.isupper() else _PREFIX + name.upper()
    return f"{variable}: {message.removeprefix('Value error, ')}"


def settings() -> Settings:
    """The settings in force here: those that are worked on, else those of this process's environment, read once.

    Raises:
        SettingsError: a variable has a value that does not fit.
    """
    return _WORKED_ON.get(None) or _of_environment()


@contextmanager
def working_on(**changed: Any) -> Iterator[Settings]:
    """Work on another warehouse, archive, or whatever is named, with the other settings as they are here.

    Child processes take their settings from the environment, and threads that are started by hand do, too.

    Args:
        changed: Settings, by the names that they have in `Settings`.

    Raises:
        pydantic.ValidationError: there is no such setting, or the value does not fit its type.
    """
    values = dict(settings()) | changed
    token = _WORKED_ON.set(Settings(**{_OF_AIRFLOW.get(name, name): value for name, value in values.items()}))
    try:
        yield settings()
    finally:
        _WORKED_ON.reset(token)
