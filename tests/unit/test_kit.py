"""The kit: what a district enters, and when it sends, on its own clocks."""

import re
import zlib
from datetime import date
from typing import Any

import pytest

from rollcall.districts import District, district_saying
from rollcall.onboarding.clocks import clock_time, send_by
from rollcall.onboarding.kit import Entry, Kit, kit_of
from rollcall.onboarding.kit_page import kit_html
from rollcall.onboarding.kit_pdf import kit_pdf
from rollcall.settings import PROJECT_ROOT, working_on
from rollcall.stack import Account
from rollcall.stack.accounts import Address

KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJIc9rrEOOEEqnvQvESCYVUK6djK5Ss4cyV5yPBMzXhD"
ADDRESS = Address("sftp.example.org", 2222, KEY)
ACCOUNT = Account(username="maple", password="not-to-be-told", district="maple", role="district")
TODAY = date(2026, 11, 29)
PACIFIC = "America/Los_Angeles"


def district(**values: Any) -> District:
    path = PROJECT_ROOT / "dags" / "districts" / "maple.yaml"
    return district_saying(path, {"name": "Maple", "student_information_system": "Aeries"} | values)


def entries(kit: Kit) -> dict[str, Entry]:
    return {entry.field: entry for step in kit.steps for entry in step.entries}


@pytest.mark.parametrize(
    ("local", "clock", "days_off"),
    [
        (PACIFIC, "10:30 PM", -1),
        ("America/Phoenix", "11:30 PM", -1),
        ("America/Chicago", "12:30 AM", 0),
        ("America/New_York", "1:30 AM", 0),
        ("Pacific/Honolulu", "8:30 PM", -1),
        ("", "1:30 AM", 0),
    ],
)
@pytest.mark.parametrize("today", [TODAY, date(2026, 7, 1)])
def test_one_time_is_early_enough_on_every_night_of_the_year(
    local: str, clock: str, days_off: int, today: date
) -> None:
    found = send_by(district(local_timezone=local), today)
    assert (clock_time(found.at), found.days_off) == (clock, days_off)


def test_clocks_that_stand_still_while_the_nights_move_get_the_earlier_time() -> None:
    night = {"timezone": "America/New_York", "local_timezone": "America/Phoenix"}
    assert clock_time(send_by(district(**night), TODAY).at) == "10:30 PM"


def test_the_days_of_the_export_are_those_before_the_nights() -> None:
    school_nights = {"expected_weekdays": ["tuesday", "wednesday", "sunday"]}
    assert send_by(district(local_timezone=PACIFIC, **school_nights), TODAY).days == "Monday, Tuesday, Saturday"
    assert send_by(district(**school_nights), TODAY).days == "Tuesday, Wednesday, Sunday"


def test_the_kit_for_aeries_says_every_field_of_its_form() -> None:
    with working_on(vendor_name="Acme Rosters", operators_email="ops@example.org"):
        kit = kit_of(district(local_timezone=PACIFIC), ACCOUNT, ADDRESS, TODAY)
    assert {field: entry.value for field, entry in entries(kit).items()} == {
        "Vendor Name": "Acme Rosters",
        "SFTP Server": "sftp.example.org",
        "SFTP Directory": "leave it blank",
        "SFTP Port": "2222",
        "Username": "maple",
        "Password": "what we sent you separately",
        "Confirm Password": "the same",
        "Days to run SFTP": "every day",
        "Time": "10:30 PM Pacific time, the evening before",
        "Email Address": "your own",
        "Scheduled Process": "enable it",
    }
    assert "1:30 AM EST is the latest" in entries(kit)["Time"].note
    (ticks,) = [step.ticks for step in kit.steps if step.ticks]
    assert ticks == (
        "Academic Sessions", "Classes", "Courses", "Demographics", "Enrollments", "Organizations", "Users",
    )  # fmt: skip
    page = kit_html(kit)
    for words in ("tick every school", "Run Now and Upload", "leave the rest unticked", "ops@example.org", "SHA256:"):
        assert words in page


def test_the_kit_for_another_system_names_the_files_and_no_field_of_aeries() -> None:
    kit = kit_of(district(student_information_system="Infinite Campus"), ACCOUNT, ADDRESS, TODAY)
    page = kit_html(kit)
    assert {"Aeries", "Vendor Name", "Confirm Password"} & set(page.split()) == set()
    assert all(f"{name}.csv" in page for name in ("orgs", "academicSessions", "demographics"))
    assert "Infinite Campus sends the files every night" in page


def test_no_password_is_in_a_kit_and_a_link_or_key_takes_its_place() -> None:
    link = "https://share.example.org/abc"
    linked = kit_of(district(), ACCOUNT.handed_over(link), ADDRESS, TODAY)
    keyed = kit_of(district(), ACCOUNT.renewed(KEY), ADDRESS, TODAY)
    assert entries(linked)["Password"].value == link
    assert "Password" not in entries(keyed)
    assert entries(keyed)["SSH key"].note.startswith("SHA256:")
    for kit in (linked, keyed, kit_of(district(), ACCOUNT, ADDRESS, TODAY)):
        assert ACCOUNT.password not in kit_html(kit)


def test_what_a_district_is_called_stays_text_on_the_page() -> None:
    page = kit_html(kit_of(district(name="<script>alert(1)</script>"), ACCOUNT, ADDRESS, TODAY))
    assert "<script" not in page


def text_of(pdf: bytes) -> str:
    """What a PDF shows, without what lies between two pieces of a line."""
    streams = re.findall(rb"stream\r?\n(.*?)\r?\nendstream", pdf, re.DOTALL)
    shown = b"".join(zlib.decompress(stream) for stream in streams if stream.startswith(b"x"))
    return b" ".join(re.findall(rb"\((.*?)\) Tj", shown)).decode("latin-1").replace("\\", "")


@pytest.mark.parametrize("system", ["Aeries", "Infinite Campus"])
def test_the_pdf_is_one_sheet_that_says_the_same(system: str) -> None:
    long_name = "Hawai\N{MODIFIER LETTER TURNED COMMA}i and Ca\xf1on Joint Unified School District of " + "Maple " * 10
    given = district(name=long_name, student_information_system=system, local_timezone="Pacific/Honolulu")
    kit = kit_of(given, ACCOUNT.handed_over("https://share.example.org/" + "x" * 200), ADDRESS, TODAY)
    pdf = kit_pdf(kit)
    assert len(re.findall(rb"/Type /Page\b", pdf)) == 1
    shown = text_of(pdf)
    assert "Hawai'i and Ca\xf1on" in shown
    for words in ("sftp.example.org", "2222", "8:30 PM Hawaii time, the evening before", "leave it blank"):
        assert words in shown
    assert ACCOUNT.password not in shown
