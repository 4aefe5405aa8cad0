"""Who is at work on the command line."""

import os
import pwd
from dataclasses import dataclass


@dataclass(frozen=True)
class Person:
    """Somebody who decides.

    Attributes:
        name: As they call themselves.
        login: The operating system's user whom the command ran as.
    """

    name: str
    login: str

    @property
    def signed(self) -> str:
        """Both, for where there is one place only."""
        return self.name if self.name == self.login else f"{self.name} (login {self.login})"


def person(by: str = "") -> Person:
    """Who runs this command.

    Args:
        by: The name that they give; blank means the operating system's user.
    """
    login = _login()
    return Person(by.strip() or login, login)


def _login() -> str:
    """The user that the kernel knows, whatever the environment says; of one without a name, the number."""
    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        return str(os.getuid())
