"""What lies in an inbox, seen as a delivery; and for how long it has been stable."""

import pytest

from rollcall.arrival.listing import InboxFile, Stability, assess, canonical_name, is_finished

EXPECTED = ("orgs", "users", "classes")


def listing(*names: str) -> list[InboxFile]:
    return [InboxFile(name, 10, 1_700_000_000) for name in names]


def names(files: tuple[InboxFile, ...]) -> list[str]:
    return [file.name for file in files]


def test_every_expected_file_makes_a_delivery() -> None:
    found = assess(listing("users.csv", "orgs.csv", "classes.csv"), EXPECTED)
    assert found.is_complete
    assert names(found.files) == ["classes.csv", "orgs.csv", "users.csv"]


def test_what_is_missing_is_named_in_the_expected_order() -> None:
    found = assess(listing("orgs.csv"), EXPECTED)
    assert not found.is_complete
    assert found.missing == ("users", "classes")


def test_what_a_manifest_calls_absent_is_not_missing_in_a_loose_set() -> None:
    loose = listing("orgs.csv", "Manifest.CSV")
    found = assess(loose, EXPECTED, absent={"users", "orgs"})
    assert (found.missing, found.manifest) == (("classes",), loose[1])
    assert assess(listing("orgs.csv"), EXPECTED).manifest is None
    assert assess(listing("night.zip", "manifest.csv"), EXPECTED).manifest is None
    assert not assess([], EXPECTED, absent=set(EXPECTED)).is_complete


def test_an_empty_inbox_is_no_delivery_even_of_nothing() -> None:
    assert not assess([], ()).is_complete
    assert not assess(listing("readme.txt"), ()).is_complete


def test_more_files_than_expected_are_part_of_the_delivery() -> None:
    found = assess(listing("orgs.csv", "users.csv", "classes.csv", "manifest.csv", "results.csv", "log.txt"), EXPECTED)
    assert names(found.files) == ["classes.csv", "manifest.csv", "orgs.csv", "results.csv", "users.csv"]
    assert names(found.strays) == ["log.txt"]


@pytest.mark.parametrize("name", [b"users\xe9.csv", b"n\xff.zip"])
def test_a_file_whose_name_is_no_text_is_taken_by_nobody(name: bytes) -> None:
    stray = name.decode(errors="surrogateescape")
    found = assess(listing("orgs.csv", "users.csv", "classes.csv", stray), EXPECTED)
    assert names(found.files) == ["classes.csv", "orgs.csv", "users.csv"]
    assert names(found.strays) == [stray]


@pytest.mark.parametrize("name", ["USERS.CSV", "Users.csv", "users.CSV"])
def test_names_count_in_any_case(name: str) -> None:
    assert assess(listing("orgs.csv", "classes.csv", name), EXPECTED).is_complete


@pytest.mark.parametrize(
    "name", ["users.csv.filepart", "users.csv.FILEPART", "users.csv.tmp", ".users.csv", "users.csv.part", ".users.csv~"]
)
def test_a_file_under_way_does_not_count(name: str) -> None:
    assert not is_finished(name)
    assert assess(listing("orgs.csv", "classes.csv", name), EXPECTED).missing == ("users",)


def test_a_zip_under_way_does_not_count() -> None:
    assert not assess(listing("oneroster.zip.filepart"), EXPECTED).files


def test_a_zip_is_a_whole_delivery() -> None:
    found = assess(listing("OneRoster.ZIP"), EXPECTED)
    assert found.is_complete
    assert names(found.files) == ["OneRoster.ZIP"]


def test_of_several_zips_the_newest_counts_and_the_older_ones_are_overtaken() -> None:
    zips = [InboxFile("z.zip", 1, 100), InboxFile("a.zip", 1, 300), InboxFile("m.zip", 1, 200)]
    found = assess(zips, EXPECTED)
    assert names(found.files) == ["a.zip"]
    assert names(found.overtaken) == ["m.zip", "z.zip"]


def test_loose_files_older_than_a_zip_are_overtaken_and_newer_ones_wait() -> None:
    inbox = [InboxFile("orgs.csv", 1, 100), InboxFile("a.zip", 1, 200), InboxFile("users.csv", 1, 300)]
    found = assess(inbox, EXPECTED)
    assert names(found.files) == ["a.zip"]
    assert names(found.overtaken) == ["orgs.csv"]


NIGHT = 1_700_000_000
LAST_NIGHT = NIGHT - 24 * 3600


def mixed(**moments: int) -> list[InboxFile]:
    return [InboxFile(f"{name}.csv", 10, moment) for name, moment in moments.items()]


def test_files_that_lie_further_apart_than_a_night_are_stale() -> None:
    found = assess(mixed(orgs=LAST_NIGHT, users=NIGHT, classes=NIGHT - 3600), EXPECTED, one_night_hours=12)
    assert found.is_complete
    assert names(found.stale) == ["orgs.csv"]


@pytest.mark.parametrize("hours", [24, float("inf")])
def test_how_far_apart_a_night_may_be_is_the_districts_to_say(hours: float) -> None:
    listing_ = mixed(orgs=LAST_NIGHT, users=NIGHT, classes=NIGHT)
    assert assess(listing_, EXPECTED, one_night_hours=hours).stale == ()


def test_only_the_files_times_count_and_not_what_day_it_is() -> None:
    """A client may keep the times of its own disk, and the server's clock may be years off."""
    assert assess(mixed(orgs=5, users=10, classes=20), EXPECTED, one_night_hours=12).stale == ()


def test_a_file_that_nobody_knows_makes_no_other_stale() -> None:
    found = assess(
        [*mixed(orgs=LAST_NIGHT, users=LAST_NIGHT, classes=LAST_NIGHT), InboxFile("log.csv", 1, NIGHT)],
        EXPECTED,
        one_night_hours=12,
    )
    assert found.stale == ()


def test_what_was_read_already_is_no_delivery() -> None:
    files = listing("orgs.csv", "users.csv", "classes.csv")
    found = assess(files, EXPECTED, read=frozenset(files))
    assert not found.is_complete
    assert found.files == ()


def test_one_new_file_among_those_read_is_a_delivery_of_all_of_them() -> None:
    old = mixed(orgs=LAST_NIGHT, users=LAST_NIGHT, classes=LAST_NIGHT)
    now = mixed(orgs=LAST_NIGHT, users=NIGHT, classes=LAST_NIGHT)
    found = assess(now, EXPECTED, one_night_hours=12, read=frozenset(old))
    assert found.is_complete
    assert names(found.stale) == ["classes.csv", "orgs.csv"]


def test_a_zip_that_was_read_is_passed_over() -> None:
    read = InboxFile("monday.zip", 1, 100)
    assert not assess([read], EXPECTED, read={read}).is_complete
    tuesday = InboxFile("tuesday.zip", 1, 90)
    found = assess([read, tuesday], EXPECTED, read={read})
    assert (found.files, found.overtaken) == ((tuesday,), ())


def test_loose_files_beside_a_zip_that_was_read_are_a_delivery() -> None:
    read = InboxFile("monday.zip", 1, 100)
    found = assess([read, *mixed(orgs=200, users=200, classes=200)], EXPECTED, read={read})
    assert names(found.files) == ["classes.csv", "orgs.csv", "users.csv"]


def test_another_format_is_never_complete_and_can_be_judged_all_the_same() -> None:
    found = assess(listing("School.csv", "Student.csv", "Section.csv"), EXPECTED)
    assert (found.is_complete, found.can_be_judged) == (False, True)
    assert not assess(listing("orgs.csv", "students.csv"), EXPECTED).can_be_judged


@pytest.mark.parametrize(
    ("sent", "canonical"),
    [
        ("USERS.CSV", "users"),
        ("academicsessions.csv", "academicSessions"),
        ("export/users.csv", "users"),
        ("Manifest.csv", "manifest"),
        ("results.csv", "results.csv"),
        ("users.csv.zip", "users.csv.zip"),
    ],
)
def test_files_are_called_by_the_standards_names(sent: str, canonical: str) -> None:
    assert canonical_name(sent) == canonical


def test_rest_is_counted_from_the_first_look_that_saw_the_same() -> None:
    stability, files = Stability(), listing("orgs.csv", "users.csv")
    assert stability.seconds_stable(files, 1000.0) == 0
    assert stability.seconds_stable(files, 1030.0) == 30
    assert stability.seconds_stable(list(reversed(files)), 1060.0) == 60


@pytest.mark.parametrize(
    "later",
    [
        [InboxFile("orgs.csv", 11, 1_700_000_000)],
        [InboxFile("orgs.csv", 10, 1_700_000_001)],
        listing("orgs.csv", "users.csv"),
        [],
    ],
)
def test_any_change_ends_the_rest(later: list[InboxFile]) -> None:
    stability = Stability()
    stability.seconds_stable(listing("orgs.csv"), 1000.0)
    assert stability.seconds_stable(later, 1030.0) == 0
    assert stability.seconds_stable(later, 1040.0) == 10
