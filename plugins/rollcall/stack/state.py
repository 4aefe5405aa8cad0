"""What the local stack remembers: its ports, its passwords, the options that it was started with."""

import secrets
import stat
from base64 import urlsafe_b64encode
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, computed_field

from rollcall.local import STATE_FILE
from rollcall.private import close_to_others, write_private
from rollcall.settings import Settings
from rollcall.stack.errors import StackError
from rollcall.stack.programs import bin_dir

HOST = "127.0.0.1"
SERVICE_LOGIN_SUFFIX = "--rollcall"
DATA_FOLDER = "postgres"
"""PostgreSQL's folder within the state folder: its server looks after the rights on it."""
READER = "local_reader"
"""Who reads every district's roster, and nothing else; the login that `up` and the demo print."""


def new_password() -> str:
    """A random password of 192 bits, safe inside a URL."""
    return secrets.token_urlsafe(24)


def _fernet_key() -> str:
    return urlsafe_b64encode(secrets.token_bytes(32)).decode()


class Account(BaseModel):
    """An SFTP login. ``district`` may upload; ``rollcall`` may also write receipts.

    Attributes:
        public_key: The district's SSH key as ``<type> <base64>``; whoever has one is never told the password.
        is_handed_over: Whether the district, or whoever sends it on, was given what it logs in with.
        secret_link: Where the district reads its password, if it was handed over as a link.
    """

    model_config = ConfigDict(frozen=True)

    username: str
    password: str = Field(repr=False)
    district: str
    role: Literal["district", "rollcall"]
    public_key: str = ""
    is_handed_over: bool = False
    secret_link: str = Field(default="", repr=False)

    def handed_over(self, secret_link: str = "") -> "Account":
        """The same login, once the district or whoever sends it on has what it logs in with."""
        return self.model_copy(update={"is_handed_over": True, "secret_link": secret_link})

    def renewed(self, public_key: str = "") -> "Account":
        """The same login with a new password, and with this key if one is given."""
        fresh = {"password": new_password(), "public_key": public_key, "is_handed_over": bool(public_key)}
        return self.model_copy(update={**fresh, "secret_link": ""})


class StackState(BaseModel):
    """The local stack, as kept in ``<state_dir>/stack.json`` (readable by its owner only)."""

    model_config = ConfigDict(frozen=True)

    state_dir: Path
    home: Path
    districts_dir: Path
    options: dict[str, str] = Field(default_factory=dict, description="Environment variables given to `up`.")

    postgres_port: int = 0
    postgres_password: str = Field(default_factory=new_password, repr=False)
    warehouse_password: str = Field(default_factory=new_password, repr=False)
    airflow_db_password: str = Field(default_factory=new_password, repr=False)
    reader_password: str = Field(default_factory=new_password, repr=False)

    airflow_port: int = 0
    airflow_user: str = "admin"
    airflow_password: str = Field(default_factory=new_password, repr=False)
    service_user: str = "rollcall"
    service_password: str = Field(default_factory=new_password, repr=False)
    fernet_key: str = Field(default_factory=_fernet_key, repr=False)
    jwt_secret: str = Field(default_factory=lambda: secrets.token_urlsafe(64), repr=False)
    api_secret_key: str = Field(default_factory=new_password, repr=False)

    sftp_host: str = HOST
    sftp_port: int = 0
    sftp_host_key: str = Field(default="", description="The server's public key: type and base64.")
    accounts: dict[str, Account] = Field(default_factory=dict, description="Each district's login, by district.")
    service_accounts: dict[str, Account] = Field(default_factory=dict, description="Rollcall's own logins.")

    @classmethod
    def load(cls, state_dir: Path) -> "StackState | None":
        """The state kept in a folder, or None if no stack was ever started there.

        Raises:
            StackError: the file is there but cannot be read as a state.
        """
        path = state_dir / STATE_FILE
        try:
            return cls.model_validate_json(path.read_bytes())
        except FileNotFoundError:
            return None
        except ValidationError as error:
            raise StackError(
                f"{path} does not hold a stack's state ({error.error_count()} errors). "
                "Put back a copy, or remove the file: new passwords are then made for the same data."
            ) from error

    def save(self) -> None:
        """Write the state, all or nothing, readable by its owner only."""
        write_private(self.state_dir / STATE_FILE, self.model_dump_json(indent=2))

    @computed_field(repr=False)  # type: ignore[prop-decorator]  # pydantic's own way to write it
    @property
    def warehouse_url(self) -> str:
        """The warehouse, as its owner ``rollcall``; never printed."""
        return f"postgresql://rollcall:{self.warehouse_password}@{HOST}:{self.postgres_port}/warehouse"

    @property
    def reader_url(self) -> str:
        """The warehouse, as somebody who reads the marts of every district."""
        return f"postgresql://{READER}:{self.reader_password}@{HOST}:{self.postgres_port}/warehouse"

    @property
    def airflow_db_url(self) -> str:
        """Airflow's metadata database."""
        return f"postgresql://airflow:{self.airflow_db_password}@{HOST}:{self.postgres_port}/airflow"

    @property
    def superuser_url(self) -> str:
        """The PostgreSQL server as its superuser, for crash tests and for repairs by hand."""
        return f"postgresql://postgres:{self.postgres_password}@{HOST}:{self.postgres_port}/postgres"

    @computed_field  # type: ignore[prop-decorator]
    @property
    def airflow_url(self) -> str:
        """Airflow's user interface and REST API."""
        return f"http://{HOST}:{self.airflow_port}"

    @property
    def warehouse_docs_url(self) -> str:
        """The page on what the warehouse's tables hold, within Airflow's user interface."""
        return f"{self.airflow_url}/plugin/warehouse-docs"

    @property
    def psql_path(self) -> Path:
        """The psql program that comes with the embedded PostgreSQL."""
        return bin_dir() / "psql"

    @property
    def logs_dir(self) -> Path:
        """Where every service writes its log."""
        return self.state_dir / "logs"

    @property
    def run_dir(self) -> Path:
        """Where the running services are recorded."""
        return self.state_dir / "run"

    @property
    def sftp_root(self) -> Path:
        """The folder that holds each district's inbox and receipts."""
        return self.state_dir / "sftp"

    @property
    def airflow_home(self) -> Path:
        """AIRFLOW_HOME of the stack."""
        return self.state_dir / "airflow"

    def with_accounts(self, districts: Iterable[str]) -> "StackState":
        """This state with a login and a service login for each district; existing ones are kept."""
        accounts, service = dict(self.accounts), dict(self.service_accounts)
        for district in districts:
            accounts.setdefault(district, _account(district, "district"))
            service.setdefault(district, _account(district, "rollcall"))
        return self.model_copy(update={"accounts": accounts, "service_accounts": service})


def service_login(district: str) -> str:
    """The name of Rollcall's own login to a district's folder."""
    return district + SERVICE_LOGIN_SUFFIX


def _account(district: str, role: Literal["district", "rollcall"]) -> Account:
    username = district if role == "district" else service_login(district)
    return Account(username=username, password=new_password(), district=district, role=role)


def load_or_create(config: Settings, options: Mapping[str, str]) -> StackState:
    """The state of the stack in ``config.state_dir``; made now if this is its first start."""
    state_dir = config.state_dir.resolve()
    places = {"state_dir": state_dir, "home": config.home.resolve(), "districts_dir": config.districts_dir.resolve()}
    known = StackState.load(state_dir)
    if known is None:
        return StackState(**places, options=dict(options))
    return known.model_copy(update={**places, "options": {**known.options, **options}})


def district_ids(districts_dir: Path) -> list[str]:
    """The districts that have a file; names that start with ``_`` are shared defaults, not districts."""
    return sorted(path.stem for path in districts_dir.glob("*.yaml") if not path.name.startswith("_"))


def close_state_folder(state_dir: Path) -> None:
    """Let nobody else into the state folder, whatever an earlier version let in.

    A group may keep the right to pass through: PostgreSQL's own user needs it, where there is one.

    Raises:
        StackError: something in it belongs to somebody else.
    """
    try:
        close_to_others(state_dir, but=[state_dir / DATA_FOLDER], but_for=stat.S_IXGRP)
    except PermissionError as error:
        raise StackError(
            f"{error.filename} in the state folder belongs to somebody else, so it cannot be closed to others. "
            f"Give everything in {state_dir} to the user that runs Rollcall, with chown -R."
        ) from None
