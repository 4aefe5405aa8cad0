"""How a person who was forgotten is known again: by keyed hashes of the ids, and a key that is not in the warehouse."""

import hashlib
import hmac
import secrets
from dataclasses import dataclass

from rollcall.private import write_private
from rollcall.settings import secrets_folder, settings
from rollcall.warehouse import Connection, values

KEY_FILE = "forget.key"
LOST = "lost"
"""What a person writes into `key_mark` where the key is lost: nobody of then is known again."""


class NoForgetKeyError(Exception):
    """There is no key to hash the ids of forgotten people with; the message says what to do."""


@dataclass(frozen=True)
class ForgetKey:
    """The key. Without it nobody finds out, by trying all numbers of six digits, whose ids were forgotten.

    Attributes:
        secret: Its bytes.
    """

    secret: bytes

    @property
    def mark(self) -> str:
        """What tells it from another key, and nothing else."""
        return self.hashed("mark")[:8]

    def hashed(self, *texts: str) -> str:
        """A hash of some texts that nobody can work out without the key, in hexadecimal."""
        return hmac.digest(self.secret, "\x1f".join(texts).encode(errors="surrogateescape"), hashlib.sha256).hex()


def forget_key(*, make: bool = False) -> ForgetKey | None:
    """The key of this installation: of the settings, else of the state folder.

    Args:
        make: Whether one is made in the state folder where there is none; in a container nothing lasts there.
    """
    configured = settings().forget_key.get_secret_value()
    if configured:
        return ForgetKey(configured.encode())
    path = settings().state_dir / KEY_FILE
    if make and not path.exists() and secrets_folder() is None:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_private(path, secrets.token_urlsafe(64))
    return ForgetKey(path.read_bytes().strip()) if path.exists() else None


def require_key(connection: Connection) -> ForgetKey:
    """The key, made where nobody was ever forgotten.

    Raises:
        NoForgetKeyError: there is none, or it is not the one that was used before.
    """
    marks = set(values(connection, f"select distinct key_mark from rollcall.forgetting where key_mark <> '{LOST}'"))
    key = forget_key(make=not marks)
    if key is None:
        raise NoForgetKeyError(
            "There is no key by which forgotten people are known again: run docker/make_secrets.py, or set "
            "ROLLCALL_FORGET_KEY."
        )
    if marks and key.mark not in marks:
        raise NoForgetKeyError(
            "The key by which forgotten people are known again is not the one that was used before. Put the secret "
            "rollcall_forget_key back; docs/security.md says what to do if it is lost."
        )
    return key


def known_again(connection: Connection, district_id: str) -> tuple[frozenset[str], ForgetKey | None]:
    """The hashes of the ids that were forgotten in a district, and the key that they were made with, if it is at hand.

    Args:
        connection: A connection to the ledger.
        district_id: The district.
    """
    rows = connection.execute(
        "select key_mark, id_hashes from rollcall.forgetting where district_id = %s and key_mark <> %s",
        (district_id, LOST),
    ).fetchall()
    key = forget_key() if rows else None
    hashes = frozenset(each for _, of_person in rows for each in of_person)
    return hashes, key if key and all(mark == key.mark for mark, _ in rows) else None
