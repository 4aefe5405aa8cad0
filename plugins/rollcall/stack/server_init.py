"""The one-shot step of the Docker stack: SFTP accounts and host key, then Airflow's metadata database.

Run as ``python -m rollcall.stack.server_init``, at every deploy and whenever a district is added; safe to repeat.
"""

import json
import sys
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict

from rollcall.districts import CONNECTION_PREFIX
from rollcall.private import locked, write_private
from rollcall.settings import secrets_folder, settings
from rollcall.stack.airflow_init import apply
from rollcall.stack.airflow_plan import Plan, SftpConnection, User
from rollcall.stack.sftp import ensure_key
from rollcall.stack.sftp_accounts import require_district_id
from rollcall.stack.state import Account, district_ids, new_password, service_login

LOGINS, HOST_KEY, SERVICE_KEY, LOCK = "districts.json", "host_key", "rollcall_key", ".lock"
"""What lies in the folder of the accounts; the lists that the SFTP service reads lie beside it."""


class ServerSettings(BaseSettings):
    """What only the Docker stack needs to know, from ``ROLLCALL_SERVER_<NAME>``."""

    model_config = SettingsConfigDict(env_prefix="ROLLCALL_SERVER_", secrets_dir=secrets_folder(), frozen=True)

    accounts_dir: Path = Field(description="Shared with the SFTP service: its accounts and its host key.")
    sftp_host: str = "sftp"
    sftp_port: int = 22
    admin_user: str = "admin"
    admin_password: SecretStr = Field(min_length=12)


class DistrictLogins(BaseModel):
    """A district's own login, and the number from which the SFTP service makes its user id.

    Attributes:
        public_key, is_handed_over, secret_link: As an `Account` has them.
    """

    model_config = ConfigDict(frozen=True)

    number: int
    password: str = Field(default_factory=new_password, repr=False)
    public_key: str = ""
    is_handed_over: bool = False
    secret_link: str = Field(default="", repr=False)

    def account(self, district: str) -> Account:
        """The district's own login."""
        own = self.model_dump(exclude={"number"})
        return Account(username=district, district=district, role="district", **own)

    def with_account(self, account: Account) -> "DistrictLogins":
        """The same logins, the district's own changed."""
        return self.model_copy(update=account.model_dump(exclude={"username", "district", "role"}))


def ensure_logins(path: Path, districts: list[str]) -> dict[str, DistrictLogins]:
    """The logins of these districts. Passwords and numbers are made once; a district that goes keeps its number."""
    known = read_logins(path)
    number = max((entry.number for entry in known.values()), default=-1)
    for district in districts:
        require_district_id(district)
        if district not in known:
            number += 1
            known[district] = DistrictLogins(number=number)
    save_logins(path, known)
    return {district: known[district] for district in districts}


def read_logins(path: Path) -> dict[str, DistrictLogins]:
    """Every district's logins, of those that are gone, too."""
    if not path.exists():
        return {}
    return {name: DistrictLogins.model_validate(entry) for name, entry in json.loads(path.read_bytes()).items()}


def save_logins(path: Path, logins: dict[str, DistrictLogins]) -> None:
    """Write what `read_logins` reads."""
    write_private(path, json.dumps({name: entry.model_dump() for name, entry in logins.items()}, indent=1))


def write_logins(path: Path, logins: dict[str, DistrictLogins]) -> None:
    """Write the list that the SFTP service reads: user name, district, number, role, password.

    Rollcall's own login to each district's folder has no password.
    """
    lines = []
    for district, entry in logins.items():
        lines.append([district, district, str(entry.number), "district", entry.password])
        lines.append([service_login(district), district, str(entry.number), "rollcall", ""])
    _write_lines(path, lines)


def write_keys(path: Path, logins: dict[str, DistrictLogins], service_key: str) -> None:
    """Write the SSH keys for the SFTP service: user name, key.

    Args:
        path: The list.
        logins: The districts' logins.
        service_key: The public key of Rollcall's own ones.
    """
    own = [[district, entry.public_key] for district, entry in logins.items() if entry.public_key]
    _write_lines(path, own + [[service_login(district), service_key] for district in logins])


def _write_lines(path: Path, lines: list[list[str]]) -> None:
    write_private(path, "".join("\t".join(line) + "\n" for line in lines))


def server_plan(server: ServerSettings, logins: dict[str, DistrictLogins]) -> Plan:
    """Users and connections of the Docker stack."""
    host_key = ensure_key(server.accounts_dir / HOST_KEY)
    private_key = (server.accounts_dir / SERVICE_KEY).read_text()
    connections = [
        SftpConnection(
            conn_id=CONNECTION_PREFIX + district,
            host=server.sftp_host,
            port=server.sftp_port,
            login=service_login(district),
            private_key=private_key,
            host_key=host_key,
        )
        for district in logins
    ]
    own = settings()
    admin = server.admin_password.get_secret_value()
    users = [
        User(username=server.admin_user, password=admin, role="Admin", keep_password=True),
        User(username=own.airflow_user, password=own.airflow_password.get_secret_value(), role="Op"),
    ]
    return Plan(users=users, connections=connections)


def write_accounts(folder: Path) -> dict[str, DistrictLogins]:
    """Bring the SFTP service's lists in line with the district files.

    Args:
        folder: Shared with the SFTP service.

    Returns:
        The logins.
    """
    with locked(folder / LOCK):
        logins = ensure_logins(folder / LOGINS, district_ids(settings().districts_dir))
        ensure_key(folder / HOST_KEY)
        write_keys(folder / "keys.tsv", logins, ensure_key(folder / SERVICE_KEY))
        write_logins(folder / "logins.tsv", logins)
    return logins


def bring_in_line(server: ServerSettings) -> None:
    """Bring accounts, host key and metadata database in line."""
    apply(server_plan(server, write_accounts(server.accounts_dir)))


def main() -> None:
    """Do so, once for this deploy."""
    server = ServerSettings()
    if not settings().airflow_user or not settings().airflow_password.get_secret_value():
        sys.exit("ROLLCALL_AIRFLOW_USER and ROLLCALL_AIRFLOW_PASSWORD must be set: Rollcall's own Airflow account.")
    bring_in_line(server)


if __name__ == "__main__":
    main()
