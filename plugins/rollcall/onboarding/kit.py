"""The kit: what a district's data manager enters in their system, in words. It never holds a password."""

from dataclasses import dataclass
from datetime import UTC, date, datetime

from rollcall.districts import District
from rollcall.onboarding.clocks import SendBy, clock_time, send_by
from rollcall.onboarding.secret import fingerprint
from rollcall.settings import settings
from rollcall.stack.accounts import Address
from rollcall.stack.state import Account
from rollcall.zones import zone_in_words

AERIES_LABELS = {
    "academicSessions": "Academic Sessions",
    "classes": "Classes",
    "courses": "Courses",
    "demographics": "Demographics",
    "enrollments": "Enrollments",
    "orgs": "Organizations",
    "users": "Users",
}
"""The files as Aeries' form calls them, in its order."""
NEW_IDS = "Do not change which id is used for students and staff: every person would look new overnight."


@dataclass(frozen=True)
class Entry:
    """A field of a form, and what to enter there.

    Attributes:
        note: What else to know about it.
    """

    field: str
    value: str
    note: str = ""


@dataclass(frozen=True)
class Step:
    """One thing to do.

    Attributes:
        entries: What to enter, field by field.
        ticks: What to tick.
        lines: What else to know, a paragraph each.
    """

    title: str
    entries: tuple[Entry, ...] = ()
    ticks: tuple[str, ...] = ()
    lines: tuple[str, ...] = ()


@dataclass(frozen=True)
class Kit:
    """The page.

    Attributes:
        name: What its files are called, up to their kind: the district's id.
        about: What it is for, in a sentence.
        steps: What to do, in order.
        closing: What to know afterwards.
    """

    name: str
    title: str
    about: str
    steps: tuple[Step, ...]
    closing: str


def kit_of(district: District, account: Account, address: Address, today: date | None = None) -> Kit:
    """The kit as it is now.

    Args:
        district: The district.
        account: Its own login.
        address: Where it uploads to.
        today: The day that it is made on; the coming year's clocks count.
    """
    vendor = settings().vendor_name
    when = send_by(district, today or datetime.now(UTC).date())
    make_steps = _aeries if _is_aeries(district) else _any_system
    return Kit(
        name=district.district_id,
        title=f"{district.name}: how to send your roster to {vendor}",
        about=f"You set this up once. From then on {_system(district)} sends the files every night by itself.",
        steps=make_steps(district, _login(account, address), when),
        closing="If an upload is refused, the directory is not blank. Do not edit the files in Excel: it rewrites "
        f"dates and ids. An SFTP program recognizes our server by {fingerprint(address.host_key)}.",
    )


def _is_aeries(district: District) -> bool:
    """Whether the district's system is the one whose form is known."""
    return "aeries" in district.student_information_system.lower()


def _system(district: District) -> str:
    known = district.student_information_system
    return "your student information system" if known == "unknown" else known


def _login(account: Account, address: Address) -> tuple[Entry, ...]:
    server = (
        Entry("SFTP Server", address.host),
        Entry("SFTP Directory", "leave it blank"),
        Entry("SFTP Port", str(address.port)),
        Entry("Username", account.username),
    )
    if account.public_key:
        return (*server, Entry("SSH key", "log in with yours, no password", fingerprint(account.public_key)))
    if account.secret_link:
        return (*server, Entry("Password", account.secret_link, "the link may open only once"))
    return (*server, Entry("Password", "what we sent you separately"))


def _aeries(district: District, login: tuple[Entry, ...], when: SendBy) -> tuple[Step, ...]:
    """Aeries' form, from top to bottom."""
    if login[-1].field == "Password":
        login = (*login, Entry("Confirm Password", "the same"))
    return (
        Step(
            "School Info > Imports and Exports > OneRoster v1.1 Configuration > Add Vendor",
            (Entry("Vendor Name", settings().vendor_name), *login),
            lines=("Save.",),
        ),
        Step(
            "Extract Files: tick these, and leave the rest unticked",
            ticks=tuple(label for file, label in AERIES_LABELS.items() if file in district.files),
        ),
        Step("Schools: tick every school", lines=("A school that is not ticked looks to us as if it had closed.",)),
        Step(
            "Scheduled Process",
            (
                Entry("Days to run SFTP", when.days),
                _time(district, when),
                Entry("Email Address", "your own", "where Aeries confirms each export; several with commas"),
                Entry("Scheduled Process", "enable it"),
            ),
            lines=(f"Leave the Custom Fields alone. {NEW_IDS}",),
        ),
        Step("Save, and choose Run Now and Upload", lines=(_afterwards(),)),
    )


def _any_system(district: District, login: tuple[Entry, ...], when: SendBy) -> tuple[Step, ...]:
    """What every system's export asks for, whatever its form calls it."""
    return (
        Step("A new SFTP destination for the OneRoster 1.1 CSV export", login),
        Step(
            "The files: send all of these every time",
            ticks=tuple(f"{file}.csv" for file in district.files),
            lines=('Loose or in one zip, with or without manifest.csv, as full ("bulk") files, in UTF-8 if possible.',),
        ),
        Step("Schools: choose every school", lines=("A school that is not chosen looks to us as if it had closed.",)),
        Step("The schedule", (Entry("Days", when.days), _time(district, when)), lines=(NEW_IDS,)),
        Step("Save, and run it once", lines=(_afterwards(),)),
    )


def _time(district: District, when: SendBy) -> Entry:
    evening = ", the evening before" if when.days_off < 0 else ""
    due = f"{clock_time(when.due)} {zone_in_words(district.timezone)}"
    at = f"{clock_time(when.at)} {zone_in_words(district.local_zone.key)}"
    return Entry("Time", at + evening, f"or earlier, all year: {due} is the latest")


def _afterwards() -> str:
    asked = settings().operators_email
    return (
        f"Then tell us{f' ({asked})' if asked else ''}. We look at the first delivery by hand. After each delivery you "
        "find a receipt in the folder receipts of the same account: open the file that ends in receipt.html, and begin "
        "at its top."
    )
