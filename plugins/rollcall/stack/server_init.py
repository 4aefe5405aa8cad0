"""The one-shot step of the Docker stack: SFTP accounts and host key, then Airflow's metadata database.

Run as ``python -m rollcall.stack.server_init``, at every deploy and whenever a district is added; safe to repeat.
"""

import json
import sys
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict

from rollcall.private import write_private
from rollcall.settings import settings
from rollcall.stack.airflow_init import apply
from rollcall.stack.airflow_plan import Plan, SftpConnection, User
from rollcall.stack.sftp import ensure_host_key
from rollcall.stack.sftp_accounts import require_district_id
from rollcall.stack.state import SERVICE_LOGIN_SUFFIX, district_ids, new_password


class ServerSettings(BaseSettings):
    """What only the Docker stack needs to know, from ``ROLLCALL_SERVER_<NAME>``."""

    model_config = SettingsConfigDict(env_prefix="ROLLCALL_SERVER_", frozen=True)

    accounts_dir: Path = Field(description="Shared with the SFTP service: its accounts and its host key.")
    sftp_host: str = "sftp"
    sftp_port: int = 22
    admin_user: str = "admin"
    admin_password: SecretStr = Field(min_length=12)


class DistrictLogins(BaseModel):
    """A district's two passwords, and the number from which the SFTP service makes its user id."""

    model_config = ConfigDict(frozen=True)

    number: int
    password: str = Field(default_factory=new_password, repr=False)
    service_password: str = Field(default_factory=new_password, repr=False)


def ensure_logins(path: Path, districts: list[str]) -> dict[str, DistrictLogins]:
    """The logins of these districts. Passwords and numbers are made once; a district that goes keeps its number."""
    known = {}
    if path.exists():
        known = {name: DistrictLogins.model_validate(entry) for name, entry in json.loads(path.read_bytes()).items()}
    number = max((entry.number for entry in known.values()), default=-1)
    for district in districts:
        require_district_id(district)
        if district not in known:
            number += 1
            known[district] = DistrictLogins(number=number)
    write_private(path, json.dumps({name: entry.model_dump() for name, entry in known.items()}, indent=1))
    return {district: known[district] for district in districts}


def write_logins(path: Path, logins: dict[str, DistrictLogins]) -> None:
    """Write the list that the SFTP service reads: user name, district, number, role, password."""
    lines = []
    for district, entry in logins.items():
        lines.append([district, district, str(entry.number), "district", entry.password])
        lines.append([district + SERVICE_LOGIN_SUFFIX, district, str(entry.number), "rollcall", entry.service_password])
    write_private(path, "".join("\t".join(line) + "\n" for line in lines))


def server_plan(server: ServerSettings, logins: dict[str, DistrictLogins], host_key: str) -> Plan:
    """Users and connections of the Docker stack."""
    connections = [
        SftpConnection(
            conn_id=f"sftp_{district}",
            host=server.sftp_host,
            port=server.sftp_port,
            login=district + SERVICE_LOGIN_SUFFIX,
            password=entry.service_password,
            host_key=host_key,
        )
        for district, entry in logins.items()
    ]
    own = settings()
    admin = server.admin_password.get_secret_value()
    users = [
        User(username=server.admin_user, password=admin, role="Admin", keep_password=True),
        User(username=own.airflow_user, password=own.airflow_password.get_secret_value(), role="Op"),
    ]
    return Plan(users=users, connections=connections)


def main() -> None:
    """Bring accounts, host key and metadata database in line."""
    server = ServerSettings()
    if not settings().airflow_user or not settings().airflow_password.get_secret_value():
        sys.exit("ROLLCALL_AIRFLOW_USER and ROLLCALL_AIRFLOW_PASSWORD must be set: Rollcall's own Airflow account.")
    logins = ensure_logins(server.accounts_dir / "districts.json", district_ids(settings().districts_dir))
    host_key = ensure_host_key(server.accounts_dir / "host_key")
    write_logins(server.accounts_dir / "logins.tsv", logins)
    apply(server_plan(server, logins, host_key))


if __name__ == "__main__":
    main()
