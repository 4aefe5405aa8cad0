"""The accounts file of the local SFTP server: who may log in, with passwords kept as scrypt hashes."""

import hashlib
import hmac
import json
import re
import secrets
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict

from rollcall.private import make_folder, write_private
from rollcall.stack.errors import StackError
from rollcall.stack.state import Account

_DISTRICT_ID = re.compile(r"[a-z0-9](?:[a-z0-9_]|-(?!-))*")
# The passwords are random words of 192 bits: the hash has to hide them, not to slow down a guesser of weak ones.
_COST = 2**12


class Login(BaseModel):
    """One line of the accounts file."""

    model_config = ConfigDict(frozen=True)

    district: str
    role: Literal["district", "rollcall"]
    salt: str
    hash: str
    cost: int = _COST
    public_key: str = ""

    def accepts(self, password: str) -> bool:
        """Whether this is the account's password."""
        return hmac.compare_digest(self.hash, _hash(password, self.salt, self.cost))


# Checked when the user name is unknown, so that an answer takes as long as for one that exists.
NOBODY = Login(district="", role="district", salt="00" * 16, hash="")


def read_accounts(path: Path) -> dict[str, Login]:
    """Every login, by user name."""
    if not path.exists():
        return {}
    return {name: Login.model_validate(entry) for name, entry in json.loads(path.read_bytes()).items()}


def write_accounts(path: Path, accounts: Iterable[Account]) -> None:
    """Bring the accounts file in line with these accounts; hashes that still fit are kept.

    Raises:
        StackError: a district's id cannot be a user name and a folder name.
    """
    wanted = {account.username: account for account in accounts}
    for account in wanted.values():
        require_district_id(account.district)
    known = read_accounts(path)
    with ThreadPoolExecutor() as pool:
        logins = dict(zip(wanted, pool.map(lambda name: _login(wanted[name], known.get(name)), wanted), strict=True))
    if logins != known or not path.exists():
        write_private(path, json.dumps({name: login.model_dump() for name, login in sorted(logins.items())}, indent=1))


def make_folders(root: Path, districts: Iterable[str]) -> None:
    """Make each district's jail with its inbox and receipts."""
    make_folder(root)
    for district in districts:
        for name in ("inbox", "receipts"):
            make_folder(root / district / name)


def require_district_id(district: str) -> None:
    """Refuse an id that is unfit as a user name and folder name.

    Raises:
        StackError: the id has other characters than ``a-z 0-9 _ -``, or two hyphens in a row.
    """
    if not _DISTRICT_ID.fullmatch(district):
        raise StackError(
            f"{district!r} cannot be a district's id: use a-z, 0-9, _ and single hyphens, beginning with a letter "
            "or digit. The id is the name of its file in the districts folder."
        )


def _login(account: Account, known: Login | None) -> Login:
    who = {"district": account.district, "role": account.role, "public_key": account.public_key}
    if known and known.accepts(account.password):
        return known.model_copy(update=who)
    salt = secrets.token_hex(16)
    return Login(**who, salt=salt, hash=_hash(account.password, salt, _COST))


def _hash(password: str, salt: str, cost: int) -> str:
    return hashlib.scrypt(password.encode(), salt=bytes.fromhex(salt), n=cost, r=8, p=1, dklen=32).hex()
