"""What Airflow's metadata database has to hold: users and connections."""

from pydantic import BaseModel, ConfigDict, Field


class User(BaseModel):
    """An account of Airflow's user interface and REST API."""

    model_config = ConfigDict(frozen=True)

    username: str
    password: str = Field(repr=False)
    role: str
    keep_password: bool = Field(default=False, description="Leave the password of an existing user alone.")


class SftpConnection(BaseModel):
    """An Airflow connection to a district's folder, with a password or a private key."""

    model_config = ConfigDict(frozen=True)

    conn_id: str
    host: str
    port: int
    login: str
    password: str = Field(default="", repr=False)
    private_key: str = Field(default="", repr=False)
    host_key: str

    @property
    def extra(self) -> dict[str, str]:
        """Extras that pin the server's key for both of the provider's hooks, and offer no key of whoever runs them."""
        pinned = {"host_key": self.host_key, "look_for_keys": "false"}
        return pinned | ({"private_key": self.private_key} if self.private_key else {})


class Plan(BaseModel):
    """What the metadata database has to hold."""

    model_config = ConfigDict(frozen=True)

    users: list[User]
    connections: list[SftpConnection]
