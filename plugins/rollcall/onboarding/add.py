"""Bringing a district in and out. Each step looks first whether it is done: killed anywhere, run it again."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rollcall.districts import District, removed_file
from rollcall.onboarding.district_file import OnboardingError, ensure_file, file_of, remove_file, require_district
from rollcall.onboarding.kit import kit_of
from rollcall.onboarding.kit_page import write_kit
from rollcall.onboarding.secret import link_from
from rollcall.stack.accounts import Accounts
from rollcall.stack.state import Account

Tell = Callable[[str], None]
Show = Callable[[Account], bool]
"""Shows a person what the district logs in with; whether there was one to see it."""


@dataclass(frozen=True)
class HandOver:
    """How what the district logs in with is handed over.

    Attributes:
        show: Used where no command is given.
        secret_command: The operator's own command, which makes a link of a password; blank for none.
        public_key: The district's SSH key, in the place of a password; blank for none.
    """

    show: Show
    secret_command: str = ""
    public_key: str = ""


@dataclass(frozen=True)
class BroughtIn:
    """What a district has got.

    Attributes:
        kit: The kit's files.
    """

    district: District
    account: Account
    kit: tuple[Path, ...]


def add(
    accounts: Accounts, district_id: str, values: dict[str, Any], how: HandOver, tell: Tell, folder: Path | None = None
) -> BroughtIn:
    """Bring a district in.

    Args:
        accounts: Those of this installation.
        district_id: The district.
        values: What its file says: keys and values as YAML has them.
        how: How what it logs in with is handed over.
        tell: Told of each step once it is done.
        folder: Where the kit goes; ``<state_dir>/kits`` by default.

    Raises:
        DistrictFileError: the values do not make a district; nothing was written.
        OnboardingError: it is there already and says something else, or a step cannot be done.
        StackError: the account cannot be made.
    """
    accounts.address()  # says now what would be missing later
    district = ensure_file(district_id, values)
    tell(f"The file {district_id}.yaml is in the districts' folder.")
    account = ensure_account(accounts, district_id, how.public_key)
    tell(f"The account {account.username} and the connection {district.sftp_connection_id} are there.")
    return finish(accounts, district, account, how, tell, folder)


def finish(
    accounts: Accounts, district: District, account: Account, how: HandOver, tell: Tell, folder: Path | None = None
) -> BroughtIn:
    """Hand over what the district logs in with, if that is still to be done, and write its kit."""
    account = hand_over(accounts, account, how)
    tell(_said_of(account))
    return BroughtIn(district, account, write_kit_of(accounts, district, account, tell, folder))


def write_kit_of(
    accounts: Accounts, district: District, account: Account, tell: Tell, folder: Path | None = None
) -> tuple[Path, ...]:
    """Write a district's kit, as its file and its account are now."""
    kit = write_kit(kit_of(district, account, accounts.address()), folder)
    tell(f"The kit is {', '.join(map(str, kit))}.")
    return kit


def rotate(accounts: Accounts, district: District, how: HandOver, tell: Tell) -> Account:
    """Give a district a new password or key, still to be handed over: `finish` does. The old one is refused.

    Args:
        accounts: Those of this installation.
        district: The district.
        how: How what the district logs in with from now on is handed over.
        tell: Told once it is done.

    Raises:
        StackError: the district has no account.
    """
    accounts.address()  # says now what would be missing later
    account = accounts.change(district.district_id, lambda known: known.renewed(how.public_key))
    tell(f"What {account.username} logged in with until now is refused.")
    return account


def remove(accounts: Accounts, district_id: str, tell: Tell) -> None:
    """Take a district out: first its file, so that nothing gives it an account again, then the account.

    Args:
        accounts: Those of this installation.
        district_id: The district; nothing happens to one that is gone already.
        tell: Told of each step once it is done, and of what stays.

    Raises:
        OnboardingError: there never was such a district, or its file cannot be taken away.
    """
    if not file_of(district_id).is_file() and not removed_file(file_of(district_id)).is_file():
        require_district(district_id)
    gone = remove_file(district_id)
    tell(f"Its file is {gone.name} now, which nobody reads; its DAG leaves Airflow within a minute.")
    accounts.remove(district_id)
    tell(f"The account {district_id} is gone: what the district sends is refused.")
    tell("What it published stays for readers; its history, deliveries and receipts stay in warehouse and archive.")


def require_account(accounts: Accounts, district_id: str) -> Account:
    """A district's own login.

    Raises:
        OnboardingError: it has none.
    """
    account = accounts.of(district_id)
    if account is None:
        raise OnboardingError(f"{district_id} has no SFTP account yet. `rollcall districts add` makes it.")
    return account


def ensure_account(accounts: Accounts, district_id: str, public_key: str = "") -> Account:
    """The district's own login, made if there is none.

    Raises:
        OnboardingError: it is there, and logs in with something else.
    """
    before = accounts.of(district_id)
    if before is not None and before.is_handed_over and public_key not in ("", before.public_key):
        raise OnboardingError(
            f"{district_id} has what it logs in with already. Give it the key with `rollcall districts rotate`."
        )
    accounts.sync()
    account = require_account(accounts, district_id)
    if public_key and account.public_key != public_key:
        return accounts.change(district_id, lambda known: known.renewed(public_key))
    return account


def hand_over(accounts: Accounts, account: Account, how: HandOver) -> Account:
    """Show the password once, or have a link made of it; a district that has what it needs is left alone."""
    if account.is_handed_over:
        return account
    link = link_from(how.secret_command, account.password) if how.secret_command else ""
    if not link and not how.show(account):
        return account
    return accounts.change(account.district, lambda known: known.handed_over(link))


def _said_of(account: Account) -> str:
    if account.public_key:
        return "The district logs in with its SSH key."
    if account.secret_link:
        return "The link to the password stands in the kit."
    if account.is_handed_over:
        return f"The password was shown once. `rollcall districts rotate {account.district}` makes a new one."
    return "The password is still to be handed over: run the same command in a terminal, or with --secret-command."
