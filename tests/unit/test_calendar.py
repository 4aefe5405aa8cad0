"""Which school year the sessions put a night in, and when another one is expected."""

from datetime import date, timedelta

import pytest
from helpers.inbox import district

from rollcall.decision.calendar import compare_school_years
from rollcall.decision.forecast import Counts, FileForecast
from rollcall.decision.safeguards import Safeguards
from rollcall.decision.school_years import Session, school_year_on
from rollcall.ledger import DeliveryFile

OLD_FALL = Session(2027, date(2026, 8, 12), date(2026, 12, 18))
OLD_SPRING = Session(2027, date(2027, 1, 5), date(2027, 6, 4))
NEW_FALL = Session(2028, date(2027, 8, 16), date(2027, 12, 17))
NEW_SPRING = Session(2028, date(2028, 1, 4), date(2028, 6, 2))
OLD, NEW = [OLD_FALL, OLD_SPRING], [NEW_FALL, NEW_SPRING]


@pytest.mark.parametrize(
    ("night", "sessions", "year"),
    [
        (date(2026, 9, 1), OLD + NEW, 2027),
        (date(2026, 12, 25), OLD + NEW, 2027),
        (date(2027, 7, 4), OLD + NEW, 2027),
        (date(2027, 8, 16), OLD + NEW, 2028),
        (date(2026, 7, 4), NEW + OLD, 2027),
        (date(2029, 1, 1), OLD + NEW, 2028),
        (date(2026, 9, 1), [OLD_FALL, Session(2030, OLD_FALL.start, OLD_FALL.end)], 2030),
        (date(2027, 2, 1), [Session(2031, date(2026, 1, 1), date(2032, 1, 1)), OLD_FALL], 2031),
        (date(2026, 9, 1), [], None),
    ],
    ids=["in a session", "between two", "in summer", "the first day", "before the first", "after the last",
         "the later of two alike", "one that contains it before one that began later", "no session"],
)  # fmt: skip
def test_the_session_that_contains_the_night_tells_its_year_else_the_nearest(
    night: date, sessions: list[Session], year: int | None
) -> None:
    assert school_year_on(night, sessions) == year


@pytest.mark.parametrize(
    ("night", "is_expected"),
    [
        (date(2027, 4, 19), False),
        (date(2027, 4, 20), True),
        (date(2027, 7, 4), True),
        (date(2027, 9, 30), True),
        (date(2027, 10, 1), False),
    ],
)
def test_a_new_year_is_expected_from_before_the_old_ones_end_until_after_its_own_start(
    night: date, is_expected: bool
) -> None:
    years = compare_school_years(night, night - timedelta(days=1), 45, OLD, NEW)
    assert years.is_roll_over
    assert years.is_expected_on(night) is is_expected


def test_an_earlier_year_is_never_expected() -> None:
    night = date(2027, 8, 16)
    years = compare_school_years(night, night, 45, NEW, OLD)
    assert years.is_roll_over
    assert not years.is_expected_on(night)


@pytest.mark.parametrize(("published", "delivered"), [([], NEW), (OLD, []), (OLD, OLD), (OLD + NEW, OLD + NEW)])
def test_without_two_years_to_compare_there_is_no_roll_over(published: list[Session], delivered: list[Session]) -> None:
    night = date(2027, 3, 1)
    years = compare_school_years(night, night, 45, published, delivered)
    assert not years.is_roll_over
    assert not years.is_expected_on(night)


@pytest.mark.parametrize(
    ("file", "delivered", "is_expected"), [("classes", NEW, True), ("classes", OLD, False), ("users", NEW, False)]
)
def test_classes_that_look_like_last_years_have_no_other_ids_but_another_year(
    file: str, delivered: list[Session], is_expected: bool
) -> None:
    night = date(2026, 11, 29)
    safeguards = Safeguards(district().limits, compare_school_years(night, night, 45, OLD, delivered), night)
    found = FileForecast(DeliveryFile(1, file, "", "", "", 0, rows_landed=9), Counts(published=9, rekeyed=9), {}, True)
    assert safeguards.is_expected("rekeyed", found) is is_expected
