"""A night is judged by what changed; what was found about the other rows is taken over."""

from datetime import timedelta
from typing import Any

import pytest
from helpers.deliveries import execute, query
from helpers.gating import DISTRICT, NO_LIMIT, NO_LIMITS, deliver, found, gate_file, good
from helpers.judged_twice import Twice

from rollcall import ledger
from rollcall.gate import gate_delivery, recording
from rollcall.gate.inspection import Inspection
from rollcall.landing.typed import make_missing_typed
from rollcall.oneroster import FILE_NAMES
from rollcall.suites import suite_path
from rollcall.upkeep.landed import drop_landed
from rollcall.warehouse import connect

Rows = list[dict[str, str | None]]
Files = dict[str, Rows]

CLASSES = [f"990_{number}" for number in range(1, 5)]
STUDENTS = [f"100{number}" for number in range(1, 7)]


def district(**changed: Rows) -> Files:
    """A district with nothing wrong in it, but for the files given."""
    files: Files = {name: [good(name)] for name in FILE_NAMES}
    files["classes"] = [good("classes", sourced_id=each) for each in CLASSES]
    files["users"] = [good("users", sourced_id=each, username=each, identifier=each, email=None) for each in STUDENTS]
    files["enrollments"] = [enrollment(school_class, person) for school_class in CLASSES for person in STUDENTS[:2]]
    return {**files, **changed}


def enrollment(school_class: str, person: str, **changes: str | None) -> dict[str, str | None]:
    keys = {"sourced_id": f"{school_class}_{person}", "class_sourced_id": school_class, "user_sourced_id": person}
    return good("enrollments", **{**keys, **changes})


def night(url: str, files: Files, **modes: str) -> int:
    """A delivery, landed."""
    delivery_id = deliver(url, files, modes=modes)
    with connect(url) as connection:
        make_missing_typed(connection, ledger.delivery(connection, delivery_id))
    return delivery_id


def judge(url: str, files: Files, *, in_full: bool = False, **modes: str) -> int:
    """A delivery, landed and judged; what is said of it by what changed is said in full, too."""
    delivery_id = night(url, files, **modes)
    for name in files:
        gate_file(delivery_id, name, NO_LIMIT, in_full=in_full)
    gate_delivery(delivery_id, NO_LIMITS)
    return delivery_id


def publish(url: str, delivery_id: int, sequence: int = 1) -> int:
    """Have readers see a delivery, as far as the ledger says."""
    execute(
        url,
        "update rollcall.delivery set state = 'published', accepted_sequence = %s where delivery_id = %s",
        sequence,
        delivery_id,
    )
    execute(
        url,
        "insert into rollcall.publication (district_id, sequence, delivery_id, effective_date, published_at)"
        " values (%s, %s, %s, '2026-11-16', now()) on conflict (district_id) do update"
        " set sequence = excluded.sequence, delivery_id = excluded.delivery_id",
        DISTRICT,
        sequence,
        delivery_id,
    )
    return delivery_id


def since(url: str, delivery_id: int) -> dict[str, int | None]:
    """From which delivery the judgements on each file were taken over."""
    return dict(query(url, "select file, judged_since from rollcall.delivery_file where delivery_id = %s", delivery_id))


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> dict[str, set[str]]:
    """Which tables were looked at, by the code of a rule."""
    tables: dict[str, set[str]] = {}
    evaluate = Inspection.evaluate

    def listening(self: Inspection, table: str, rules: Any) -> Any:
        for rule in rules:
            tables.setdefault(rule.code, set()).add(table)
        return evaluate(self, table, rules)

    monkeypatch.setattr(Inspection, "evaluate", listening)
    return tables


def test_an_unchanged_row_is_not_asked_again_and_its_finding_moves_along(
    warehouse_url: str, asked: dict[str, set[str]]
) -> None:
    broken = good("users", sourced_id="77", username="x77", identifier="77", email=None, role="wizard")
    misspelt = good("users", sourced_id="7+8", username="x78", identifier="78", email=None, role="Student")
    people = district()["users"]
    first = publish(warehouse_url, judge(warehouse_url, district(users=[*people, broken, misspelt])))
    asked.clear()

    newcomer = good("users", sourced_id="7+9", username="x79", identifier="79", email=None, enabled_user=None)
    second = judge(warehouse_url, district(users=[newcomer, misspelt, *people[1:], broken, people[0]]))

    assert set(since(warehouse_url, second).values()) == {first}
    assert found(warehouse_url, second, "users") == {
        2: {"users_sourced_id_characters": "warning", "users_enabled_user_missing": "warning"},
        3: {"users_sourced_id_characters": "warning", "users_role_spelling": "warning"},
        9: {"users_role_invalid": "critical"},
    }
    assert query(warehouse_url, f"select code, row_number, sourced_id from delivery_{second}.row_set_aside") == [
        ("users_role_invalid", 9, "77")
    ]
    assert asked["users_role_invalid"] == {"new_users"}
    assert asked["users_row_repeated"] == {"alike_users"}
    assert "classes_title_missing" not in asked
    assert query(warehouse_url, f"select _row, sourced_id from delivery_{second}.new_users") == [(2, "7+9")]
    assert query(warehouse_url, f"select _row, source_id from delivery_{second}.gone_users") == []
    Twice(warehouse_url).judge(second, NO_LIMITS)


def person(sourced_id: str, **changes: str | None) -> dict[str, str | None]:
    own = {"sourced_id": sourced_id, "username": sourced_id, "identifier": sourced_id, "email": None}
    return good("users", **{**own, **changes})


SAME = person("1")
NIGHTS_OF_COPIES: dict[str, tuple[Files, dict[str, int]]] = {
    "one of everything": ({"users": [SAME, person("2"), person("3")], "enrollments": [enrollment("c", "2")]}, {}),
    "a row stands there twice, and another says something else of its record": (
        {
            "users": [SAME, SAME, person("2"), person("2", email="b@x.org"), person("3")],
            "enrollments": [enrollment("c", "2")],
        },
        {"users_row_repeated": 1, "users_sourced_id_duplicate": 2},
    ),
    "three times; the one who said something else is gone; two share a name and a place": (
        {
            "users": [SAME, SAME, SAME, person("2"), person("3"), person("4", username="3")],
            "enrollments": [enrollment("c", "2"), enrollment("c", "2", sourced_id="again")],
        },
        {"users_row_repeated": 2, "users_username_repeated": 2, "enrollments_person_repeated": 2},
    ),
    "a third copy is another's first; of those who share a name one is gone": (
        {
            "users": [person("2"), SAME, person("2"), SAME, person("4", username="3"), person("5", username="5 ")],
            "enrollments": [enrollment("c", "2", sourced_id="again")],
        },
        {"users_row_repeated": 2},
    ),
    "the copies differ now, and somebody takes the name of one who was there": (
        {
            "users": [
                person("2"), SAME, person("1", email="c@x.org"), SAME, person("6", username=" 5"),
                person("5", username="5 "),
            ],
            "enrollments": [enrollment("c", "2", sourced_id="again"), enrollment("c", "2")],
        },
        {"users_sourced_id_duplicate": 3, "users_username_repeated": 2, "enrollments_person_repeated": 2},
    ),
    "those that differ are gone": (
        {"users": [SAME, SAME, person("5", username="5 ")], "enrollments": [enrollment("c", "2")]},
        {"users_row_repeated": 1},
    ),
}  # fmt: skip


def test_rows_that_are_alike_are_found_among_all_rows(warehouse_url: str, asked: dict[str, set[str]]) -> None:
    codes = (
        "users_row_repeated",
        "users_sourced_id_duplicate",
        "users_username_repeated",
        "enrollments_person_repeated",
    )
    for sequence, (night_of, (files, expected)) in enumerate(NIGHTS_OF_COPIES.items(), 1):
        asked.clear()
        delivery_id = judge(warehouse_url, files)
        rows = query(
            warehouse_url,
            "select code, rows_failed from rollcall.check_result"
            " where delivery_id = %s and code = any(%s) and rows_failed > 0",
            delivery_id,
            list(codes),
        )
        assert dict(rows) == expected, night_of
        if sequence > 1:
            assert all(since(warehouse_url, delivery_id).values())
            assert {table for code in codes for table in asked.get(code, ())} <= {"alike_users", "alike_enrollments"}
            Twice(warehouse_url).judge(delivery_id, NO_LIMITS)
        publish(warehouse_url, delivery_id, sequence)


BROKEN_CLASSES = {
    "removed": [],
    "set aside alone": [good("classes", sourced_id="990_1", school_sourced_id=None)],
    "set aside for its school": [good("classes", sourced_id="990_1", school_sourced_id="404")],
}


@pytest.mark.parametrize("how", BROKEN_CLASSES)
def test_rows_that_name_what_is_otherwise_are_asked_again(warehouse_url: str, how: str) -> None:
    """The enrollments are those of the night before; the class that two of them name is gone, and comes back."""
    broken = [*BROKEN_CLASSES[how], *district()["classes"][1:]]
    first = publish(warehouse_url, judge(warehouse_url, district()))

    second = publish(warehouse_url, judge(warehouse_url, district(classes=broken)), sequence=2)
    third = judge(warehouse_url, district())

    unknown = {"enrollments_class_unknown": "critical"}
    assert since(warehouse_url, second)["enrollments"] == first
    assert found(warehouse_url, second, "enrollments") == {2: unknown, 3: unknown}
    assert query(warehouse_url, f"select _row, source_id from delivery_{second}.gone_classes") == [(2, "990_1")]
    assert since(warehouse_url, third)["enrollments"] == second
    assert found(warehouse_url, third, "enrollments") == {}
    Twice(warehouse_url).judge(second, NO_LIMITS)
    Twice(warehouse_url).judge(third, NO_LIMITS)


def test_a_class_whose_term_moves_takes_its_enrollments_along(warehouse_url: str) -> None:
    first = publish(warehouse_url, judge(warehouse_url, district()))

    shorter = [good("academicSessions", end_date="2026-12-11")]
    second = judge(warehouse_url, district(academicSessions=shorter))

    assert since(warehouse_url, second)["enrollments"] == first
    codes = [*found(warehouse_url, second, "enrollments").values()]
    assert codes == [{"enrollments_beyond_terms": "info"}] * 8
    Twice(warehouse_url).judge(second, NO_LIMITS)


def test_a_rule_with_more_rows_than_are_listed_is_asked_of_all(
    warehouse_url: str, asked: dict[str, set[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recording, "ROWS_LISTED", 2)
    people = [{**each, "role": "Student"} for each in district()["users"]]
    publish(warehouse_url, judge(warehouse_url, district(users=people)))
    asked.clear()

    second = judge(warehouse_url, district(users=people[1:]))

    assert asked["users_role_spelling"] == {"users"}
    assert "users_role_invalid" not in asked
    assert query(
        warehouse_url,
        "select rows_failed from rollcall.check_result where delivery_id = %s and code = 'users_role_spelling'",
        second,
    ) == [(5,)]


TWO_FILES: Files = {name: district()[name] for name in ("courses", "users")}


def test_everything_is_judged_in_full_when_somebody_says_so(warehouse_url: str) -> None:
    publish(warehouse_url, judge(warehouse_url, TWO_FILES))

    second = judge(warehouse_url, TWO_FILES, in_full=True)

    assert set(since(warehouse_url, second).values()) == {None}


def test_everything_is_judged_in_full_after_the_rules_changed(
    warehouse_url: str, tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = publish(warehouse_url, judge(warehouse_url, TWO_FILES))
    copy = tmp_path / "users.json"
    copy.write_text(suite_path("users").read_text().replace("Student", "Learner") + "\n")
    monkeypatch.setattr(
        "rollcall.gate.judged.suite_path", lambda suite: copy if suite == "users" else suite_path(suite)
    )

    second = judge(warehouse_url, TWO_FILES)

    assert since(warehouse_url, second) == {"courses": first, "users": None}


def test_everything_is_judged_in_full_after_a_rollback(warehouse_url: str) -> None:
    first = publish(warehouse_url, judge(warehouse_url, TWO_FILES))
    publish(warehouse_url, judge(warehouse_url, {**TWO_FILES, "users": TWO_FILES["users"][1:]}), sequence=2)
    publish(warehouse_url, first, sequence=1)

    third = judge(warehouse_url, TWO_FILES)

    assert set(since(warehouse_url, third).values()) == {None}


def test_everything_is_judged_in_full_after_a_crash_emptied_what_was_judged(warehouse_url: str) -> None:
    first = publish(warehouse_url, judge(warehouse_url, TWO_FILES))
    execute(warehouse_url, f"truncate delivery_{first}.fingerprint_users")

    second = judge(warehouse_url, TWO_FILES)

    assert since(warehouse_url, second) == {"courses": first, "users": None}


def test_a_file_that_is_sent_in_another_way_is_judged_in_full(warehouse_url: str) -> None:
    first = publish(warehouse_url, judge(warehouse_url, TWO_FILES))

    second = judge(warehouse_url, {**TWO_FILES, "courses": [good("courses", status="active")]}, courses="delta")

    assert since(warehouse_url, second) == {"courses": None, "users": first}


def test_law_07_of_a_roster_that_stands_for_long_no_names_are_kept_to_compare_with(warehouse_url: str) -> None:
    """The raw rows of what readers see go after the days of grace; the next night is judged by what changed still."""
    misspelt = good("users", sourced_id="78", username="x78", identifier="78", email=None, role="Student")
    first = publish(warehouse_url, judge(warehouse_url, district(users=[*district()["users"], misspelt])))

    for _ in range(2):
        assert drop_landed(timedelta(0)) == []

    columns = query(
        warehouse_url,
        "select distinct table_name::text, column_name::text from information_schema.columns where table_schema = %s",
        f"delivery_{first}",
    )
    assert {name for table, name in columns if table.startswith("fingerprint_")} == {"_row", "source_id", "fingerprint"}
    assert {table.partition("_")[0] for table, _ in columns} == {"fingerprint", "kept", "row"}
    assert not {name for _, name in columns} & {"given_name", "family_name", "email", "birth_date", "username"}

    second = judge(warehouse_url, district(users=[misspelt, *district()["users"]], classes=district()["classes"][1:]))

    assert set(since(warehouse_url, second).values()) == {first}
    assert found(warehouse_url, second, "users") == {2: {"users_role_spelling": "warning"}}
    assert len(found(warehouse_url, second, "enrollments")) == 2
    Twice(warehouse_url).judge(second, NO_LIMITS)


def test_what_was_taken_over_from_may_be_gone_before_the_files_are_judged_together(warehouse_url: str) -> None:
    """Upkeep has dropped it, because another delivery was published meanwhile."""
    first = publish(warehouse_url, judge(warehouse_url, district()))
    second = night(warehouse_url, district(classes=district()["classes"][1:]))
    for name in FILE_NAMES:
        gate_file(second, name, NO_LIMIT)
    execute(warehouse_url, f"drop schema delivery_{first} cascade")

    gate_delivery(second, NO_LIMITS)

    unknown = {"enrollments_class_unknown": "critical"}
    assert found(warehouse_url, second, "enrollments") == {2: unknown, 3: unknown}
