"""The safeguards: what a delivery would change, and what of it a person is asked about."""

import csv
from collections.abc import Iterator, Mapping, Sequence
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest
from helpers.deliveries import accept as accepted
from helpers.deliveries import execute, hash_versions, land, put_aside, query, reland_nothing
from helpers.inbox import district
from helpers.schools import Rows, record, school_district
from markdown_it import MarkdownIt
from psycopg import sql

from rollcall.airflow.operators.hold import _body
from rollcall.conform import conform
from rollcall.decision.decide import Decision, decide
from rollcall.decision.holds import hold_of
from rollcall.escaping import csv_cell, csv_cell_in_sql
from rollcall.oneroster import FILE_BY_NAME
from rollcall.settings import settings, working_on
from rollcall.warehouse import connect

NIGHT = date(2024, 11, 23)
Row = Mapping[str, Any]


@pytest.fixture(autouse=True)
def world(warehouse_url: str, tmp_path: Path) -> Iterator[None]:
    with working_on(archive_url=tmp_path.as_uri()):
        yield


@pytest.fixture
def url(warehouse_url: str) -> str:
    return warehouse_url


def publish(url: str, files: Mapping[str, Sequence[Row]], night: date = NIGHT - timedelta(days=1)) -> None:
    """Have readers see some versions; the rows' keys are history's columns."""
    with psycopg.connect(url) as connection:
        connection.execute("insert into rollcall.district values ('maple', 'Maple')")
        row = connection.execute(
            "insert into rollcall.delivery (district_id, service_date, run_id, state, accepted_sequence)"
            " values ('maple', %s, 'first', 'published', 1) returning delivery_id",
            [night],
        ).fetchone()
        assert row
        connection.execute("insert into rollcall.publication values ('maple', 1, %s, %s, now(), null)", [row[0], night])
        for file, rows in files.items():
            for one in rows:
                columns = ["district_id", "valid_from_seq", "row_hash", *one]
                connection.execute(
                    f"insert into history.hist_{FILE_BY_NAME[file].table_name} ({', '.join(columns)})"
                    f" values ('maple', 1, gen_random_uuid(){', %s' * len(one)})",
                    list(one.values()),
                )
        hash_versions(connection, *files)


def deliver(url: str, files: Mapping[str, Sequence[Row]], *, night: date = NIGHT, mode: str = "bulk") -> int:
    """Leave a delivery as the gate leaves it: landed and judged."""
    with psycopg.connect(url) as connection:
        row = connection.execute(
            "insert into rollcall.delivery (district_id, service_date, run_id, state)"
            " values ('maple', %s, gen_random_uuid(), 'received') returning delivery_id",
            [night],
        ).fetchone()
        assert row
        land(connection, row[0], files)
        for file, rows in files.items():
            connection.execute(
                "insert into rollcall.delivery_file (delivery_id, file, sent_name, archive_path, sha256, size_bytes,"
                " mode, rows_landed, rows_ragged, rows_set_aside, verdict, gated)"
                " values (%s, %s, '', '', '', 0, %s, %s, 0, 0, 'accept', 'together')",
                [row[0], file, mode, len(rows)],
            )
    return int(row[0])


def set_aside(url: str, delivery_id: int, file: str, *row_numbers: int) -> None:
    """Set rows of a file aside, under the ids that they have."""
    table = f"delivery_{delivery_id}.{FILE_BY_NAME[file].table_name}"
    with psycopg.connect(url) as connection:
        for number in row_numbers:
            row = connection.execute(f"select sourced_id from {table} where _row = %s", [number]).fetchone()
            put_aside(connection, delivery_id, file, number, row[0] if row else None)


def told(decision: Decision) -> list[tuple[Any, ...]]:
    """The reasons of a decision."""
    return [(one.code, one.file, one.school_source_id, one.count, one.of) for one in decision.reasons]


def expected(url: str, delivery_id: int) -> dict[tuple[str, str | None], tuple[int, ...]]:
    """The forecast in the ledger, per file and school: added, changed, removed, set aside, rekeyed."""
    rows = query(
        url,
        "select file, school_source_id, added, changed, removed, set_aside, rekeyed from rollcall.expected_change"
        " where delivery_id = %s",
        delivery_id,
    )
    return {(file, school): tuple(numbers) for file, school, *numbers in rows}


def users(count: int, school: str = "994", first: int = 0, **more: Any) -> list[dict[str, Any]]:
    """Published users of a school."""
    return [{"source_id": f"{school}-{first + number}", "org_source_ids": [school], **more} for number in range(count)]


def as_sent(published: Sequence[Row], **more: Any) -> list[dict[str, Any]]:
    """Published users as landing has them."""
    return [
        {
            **{key.replace("source_id", "sourced_id"): value for key, value in one.items() if key != "org_source_ids"},
            "org_sourced_ids": ",".join(one["org_source_ids"]),
            **more,
        }
        for one in published
    ]


def test_too_many_new_records_hold_the_delivery(url: str) -> None:
    publish(url, {"users": users(200)})
    delivery_id = deliver(url, {"users": as_sent([*users(200), *users(51, first=200)])})
    assert told(decide(district(), delivery_id)) == [("hold_added", "users", None, 51, 200)]
    assert expected(url, delivery_id) == {("users", None): (51, 0, 0, 0, 0), ("users", "994"): (51, 0, 0, 0, 0)}


def test_a_file_of_which_nothing_is_published_has_nothing_to_be_compared_with(url: str) -> None:
    publish(url, {"users": users(200)})
    rows = [{"sourced_id": one["source_id"], "sex": "female"} for one in users(200)]
    delivery_id = deliver(url, {"users": as_sent(users(200)), "demographics": rows})
    assert decide(district(), delivery_id).verdict == "accept"
    assert expected(url, delivery_id)["demographics", None] == (200, 0, 0, 0, 0)


def test_too_many_changed_records_hold_the_delivery(url: str) -> None:
    publish(url, {"users": users(100, phone="1") + users(51, school="995", phone="1")})
    delivery_id = deliver(url, {"users": as_sent(users(100, phone="1")) + as_sent(users(51, school="995", phone="2"))})
    assert told(decide(district(), delivery_id)) == [("hold_changed", "users", "995", 51, 51)]
    assert expected(url, delivery_id)["users", "995"] == (0, 51, 0, 0, 0)


def test_a_school_with_too_many_rows_set_aside_is_held_where_the_district_is_not(url: str) -> None:
    publish(url, {"orgs": [{"source_id": "994"}, {"source_id": "995"}]})
    rows = as_sent(users(600)) + as_sent(users(20, school="995"))
    delivery_id = deliver(url, {"users": rows})
    set_aside(url, delivery_id, "users", *range(602, 613))
    assert told(decide(district(), delivery_id)) == [("hold_set_aside", "users", "995", 11, 20)]
    assert expected(url, delivery_id)["users", "995"] == (9, 0, 0, 11, 0)


def test_law_7_a_school_that_nobody_knows_is_not_named(url: str) -> None:
    """In a ragged record the school may be a name."""
    publish(url, {"orgs": [{"source_id": "994"}]})
    delivery_id = deliver(url, {"users": [*as_sent(users(30)), *as_sent(users(30, school="Ada Lovelace"))]})
    set_aside(url, delivery_id, "users", *range(32, 62))
    decide(district(), delivery_id)
    assert {school for _, school in expected(url, delivery_id)} == {None, "994"}


@pytest.mark.parametrize(
    "known_by",
    [{"identifier": "i"}, {"username": "Name"}, {"email": "who@maple.example"}],
    ids=["identifier", "username", "email"],
)
def test_people_who_come_back_under_new_ids_are_told(url: str, known_by: dict[str, str]) -> None:
    ((attribute, value),) = known_by.items()

    def people(first: int) -> list[dict[str, Any]]:
        return [
            {**one, attribute: f"{value}{number}"} for number, one in enumerate(users(11, first=first, role="student"))
        ]

    publish(url, {"users": [*users(200), *people(300)]})
    delivery_id = deliver(url, {"users": [*as_sent(users(200)), *as_sent(people(400))]})
    assert told(decide(district(), delivery_id)) == [("hold_rekeyed", "users", None, 11, 211)]
    assert expected(url, delivery_id)["users", "994"] == (11, 0, 11, 0, 11)
    lines = change_list(url, delivery_id)
    pairs = {(line["sourced_id"], line["new_sourced_id"]) for line in lines if line["change"] == "rekeyed"}
    assert pairs == {(f"994-{300 + number}", f"994-{400 + number}") for number in range(11)}


@pytest.mark.parametrize(("gone", "new"), [(11, 11), (11, 1), (1, 11)])
def test_what_several_people_share_is_no_sign_that_they_are_the_same(url: str, gone: int, new: int) -> None:
    publish(url, {"users": [*users(200), *users(gone, first=300, email="office@maple.example")]})
    delivery_id = deliver(
        url, {"users": [*as_sent(users(200)), *as_sent(users(new, first=400), email="office@maple.example")]}
    )
    assert decide(district(), delivery_id).verdict == "accept"
    assert expected(url, delivery_id)["users", None] == (new, 0, gone, 0, 0)


def test_schools_and_enrollments_are_known_again_too(url: str) -> None:
    enrollment = {"class_source_id": "c", "role": "student", "school_year": 2025}
    publish(
        url,
        {
            "orgs": [{"source_id": "994", "type": "school", "name": "Maple"}],
            "enrollments": [{"source_id": f"e{n}", "user_source_id": f"u{n}", **enrollment} for n in range(11)],
        },
    )
    delivery_id = deliver(
        url,
        {
            "orgs": [{"sourced_id": "0994", "type": "School", "name": "Maple"}],
            "enrollments": [
                {"sourced_id": f"new{n}", "user_sourced_id": f"u{n}", "class_sourced_id": "c", "role": "student"}
                for n in range(11)
            ],
        },
    )
    assert sorted(told(decide(district(), delivery_id))) == [
        ("hold_rekeyed", "enrollments", None, 11, 11),
        ("hold_removed", "enrollments", None, 11, 11),
        ("hold_removed", "orgs", None, 1, 1),  # so few, and yet all of them
    ]
    assert expected(url, delivery_id)["orgs", None] == (1, 0, 1, 0, 1)


def test_a_school_that_vanishes_is_held_however_small_it_is(url: str) -> None:
    publish(url, {"users": [*users(200), *users(2, school="995")]})
    decision = decide(district(), deliver(url, {"users": as_sent(users(200))}))
    assert told(decision) == [("hold_school_vanished", None, "995", 2, 2)]
    assert decision.sentences[0].startswith("School 995 has 2 published records, and none in tonight's bulk files.")


def test_law_5_a_delta_makes_no_school_vanish(url: str) -> None:
    publish(url, {"users": [*users(200), *users(2, school="995")]})
    assert decide(district(), deliver(url, {"users": as_sent(users(1))}, mode="delta")).verdict == "accept"


def test_a_school_that_is_no_org_any_more_is_held(url: str) -> None:
    publish(url, {"orgs": [{"source_id": "994"}, {"source_id": "995"}], "users": users(3)})
    gone = deliver(url, {"orgs": [{"sourced_id": "995"}], "users": as_sent(users(3))})
    assert told(decide(district(), gone)) == [("hold_school_vanished", None, "994", 3, 3)]
    unused = deliver(url, {"orgs": [{"sourced_id": "994"}], "users": as_sent(users(3))})
    assert decide(district(), unused).verdict == "accept", "nothing names the other one"


def test_many_schools_over_a_limit_are_told_by_the_worst(url: str) -> None:
    schools = [str(number) for number in range(100, 112)]
    published = users(10_000) + [one for school in schools for one in users(22, school=school, phone="1")]
    publish(url, {"users": published})
    sent = as_sent(users(10_000)) + [
        one for school in schools for one in as_sent(users(22, school=school, phone="1")[:1])
    ]
    decision = decide(district(), deliver(url, {"users": sent}))
    assert [reason.code for reason in decision.reasons] == ["hold_removed"] * 10
    assert "So it is in 2 more schools." in decision.sentences[-1]


def change_list(url: str, delivery_id: int) -> list[dict[str, str]]:
    with connect(url) as connection:
        hold = hold_of(connection, delivery_id)
    assert hold
    assert hold.change_list
    path = Path(settings().archive_root.removeprefix("file://")) / hold.change_list
    with path.open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))


def test_the_change_list_names_every_record_and_nothing_else(url: str) -> None:
    publish(url, {"users": [*users(30, phone="1"), *users(3, school="995", phone="1")]})
    sent = [
        *as_sent(users(1, phone="1")),
        *as_sent(users(1, first=1, phone="2")),
        *as_sent(users(1, first=2, phone="3")),
        *as_sent(users(3, school="995", phone="1")),
        *as_sent(users(1, school="995", first=9)),
    ]
    delivery_id = deliver(url, {"users": sent})
    set_aside(url, delivery_id, "users", 4)
    assert decide(district(), delivery_id).verdict == "hold"
    removed = [("users", "removed", "994", f"994-{number}", "") for number in range(3, 30)]
    assert sorted(tuple(line.values()) for line in change_list(url, delivery_id)) == sorted(
        [
            *removed,
            ("users", "changed", "994", "994-1", ""),
            ("users", "added", "995", "995-9", ""),
            ("users", "set_aside", "", "994-2", ""),
        ]
    )
    again = decide(district(), delivery_id)
    assert again.verdict == "hold"
    with connect(url) as connection:
        hold = hold_of(connection, delivery_id)
    assert hold
    body = _body(delivery_id, hold)
    assert "| users | all | 33 | 1 | 1 | 27 | 1 | 0 |\n| users | 994 | 30 | 0 | 1 | 27 | 1 | 0 |" in body
    assert f"/maple/changes/2024-11-23-{delivery_id}-changes.csv`" in body
    assert len(change_list(url, delivery_id)) == 30, "deciding again writes the same list"


def test_no_id_is_a_formula_in_the_change_list_nor_markup_in_the_approval_form(url: str) -> None:
    """The list and the form say what the district wrote; a spreadsheet and Airflow's pages obey nothing of it."""
    link, formula = "[Approve here](http://evil.example)|", '=HYPERLINK("http://evil.example")'
    publish(url, {"users": [*users(30, school=link), *users(30, school=formula)]})
    delivery_id = deliver(url, {"users": as_sent(users(1, school="+1"))})
    assert decide(district(), delivery_id).verdict == "hold"
    lines = [tuple(line.values()) for line in change_list(url, delivery_id)]
    assert {(school, ids[:3]) for _, _, school, ids, _ in lines} == {
        (link, link[:3]), (f"'{formula}", "'=H"), ("'+1", "'+1")
    }  # fmt: skip
    with connect(url) as connection:
        hold = hold_of(connection, delivery_id)
    assert hold
    body = _body(delivery_id, hold)
    blocks = MarkdownIt("commonmark").enable("table").parse(body)
    assert "link_open" not in {token.type for block in blocks for token in block.children or []}
    assert "| users | \\[Approve here\\](http<!-- -->://evil.example)\\| | 30 | 0 | 0 | 30 | 0 | 0 |" in body


FORMULAS = (
    "=1", "+1", "-1", "-1.5", "-1,5", "-1+1", "--1", "-", "@a", "\t=1", "\r", "\n=1", "＝1", "a=1", "", " =1", "-1\n",  # noqa: RUF001
)  # fmt: skip


def test_postgresql_and_python_agree_on_what_a_formula_is(url: str) -> None:
    with connect(url) as connection:
        rows = connection.execute(
            sql.SQL("select {} from unnest(%s::text[]) with ordinality as t (cell, place) order by place").format(
                csv_cell_in_sql("cell")
            ),
            [list(FORMULAS)],
        ).fetchall()
    assert [cell for (cell,) in rows] == [csv_cell(cell) for cell in FORMULAS]


FALL, SPRING = (date(2024, 8, 12), date(2024, 11, 20)), (date(2024, 11, 21), date(2025, 6, 4))


def sessions(*spans: tuple[date, date], year: int = 2025) -> list[dict[str, Any]]:
    return [
        {"source_id": f"994_{number}", "school_year": year, "start_date": start, "end_date": end}
        for number, (start, end) in enumerate(spans)
    ]


def sessions_as_sent(published: Sequence[Row]) -> list[dict[str, Any]]:
    return [
        {"sourced_id": one["source_id"]} | {key: str(one[key]) for key in ("school_year", "start_date", "end_date")}
        for one in published
    ]


def classes(count: int, session: int, school: str = "994") -> list[dict[str, Any]]:
    return [
        {
            "source_id": f"{school}_{session}_{number}",
            "school_source_id": school,
            "school_year": 2025,
            "term_source_ids": [f"994_{session}"],
        }
        for number in range(count)
    ]


def classes_as_sent(published: Sequence[Row]) -> list[dict[str, Any]]:
    return [
        {
            "sourced_id": one["source_id"],
            "school_sourced_id": one["school_source_id"],
            "term_sourced_ids": ",".join(one["term_source_ids"]),
        }
        for one in published
    ]


def test_classes_of_a_term_that_has_ended_drop_out_and_others_take_their_place(url: str) -> None:
    terms = sessions(FALL, SPRING)
    publish(url, {"academicSessions": terms, "classes": classes(60, 0) + classes(40, 1)})
    sent = {"academicSessions": sessions_as_sent(terms), "classes": classes_as_sent(classes(110, 1))}
    delivery_id = deliver(url, sent)
    assert decide(district(), delivery_id).verdict == "accept"
    assert expected(url, delivery_id)["classes", "994"] == (70, 0, 60, 0, 0)


def test_classes_of_a_term_that_goes_on_do_not(url: str) -> None:
    terms = sessions(FALL, SPRING)
    publish(url, {"academicSessions": terms, "classes": classes(60, 0) + classes(40, 1)})
    sent = {"academicSessions": sessions_as_sent(terms), "classes": classes_as_sent(classes(10, 1))}
    assert told(decide(district(), deliver(url, sent))) == [("hold_removed", "classes", None, 30, 40)]


def test_enrollments_of_an_ended_class_or_past_their_end_drop_out(url: str) -> None:
    terms = sessions(FALL, SPRING)
    enrollments = [
        {
            "source_id": f"e{number}",
            "school_source_id": "994",
            "school_year": 2025,
            "class_source_id": "994_0_0" if number < 50 else "994_1_0",
            "end_date": NIGHT - timedelta(days=1) if number >= 75 else None,
        }
        for number in range(100)
    ]
    publish(url, {"academicSessions": terms, "classes": classes(1, 0) + classes(1, 1), "enrollments": enrollments})
    sent = [
        {"sourced_id": f"e{number}", "school_sourced_id": "994", "class_sourced_id": "994_1_0"}
        for number in range(50, 75)
    ]
    assert decide(district(), deliver(url, {"enrollments": sent})).verdict == "accept"
    execute(url, "update history.hist_enrollments set end_date = null, class_source_id = '994_1_0'")
    assert told(decide(district(), deliver(url, {"enrollments": sent}))) == [
        ("hold_removed", "enrollments", None, 75, 100)
    ]


NEW_YEAR = (date(2025, 8, 12), date(2026, 6, 2))


def a_new_year(url: str, night: date, *, year: int = 2026, people_gone: int = 0) -> Decision:
    """Decide on a delivery of a new school year: other sessions, other classes, some people less."""
    publish(
        url,
        {"academicSessions": sessions(FALL, SPRING), "classes": classes(100, 0), "users": users(200)},
        night=date(2025, 6, 5),
    )
    sent = {
        "academicSessions": sessions_as_sent(sessions(NEW_YEAR, year=year)),
        "classes": classes_as_sent(classes(90, 7)),
        "users": as_sent(users(200 - people_gone), phone="9"),
    }
    return decide(district(), deliver(url, sent, night=night))


@pytest.mark.parametrize("night", [date(2025, 6, 20), date(2025, 8, 1), date(2025, 9, 20)])
def test_a_new_school_year_is_expected_around_the_dates_of_the_sessions(url: str, night: date) -> None:
    assert a_new_year(url, night, people_gone=70).verdict == "accept"


def test_people_have_a_limit_of_their_own_when_a_new_school_year_comes(url: str) -> None:
    assert told(a_new_year(url, date(2025, 8, 1), people_gone=90)) == [("hold_removed", "users", None, 90, 200)]


@pytest.mark.parametrize(("night", "year"), [(date(2025, 10, 1), 2026), (date(2025, 8, 1), 2024)])
def test_a_new_school_year_at_another_time_or_an_old_one_is_held(url: str, night: date, year: int) -> None:
    decision = a_new_year(url, night, year=year)
    assert told(decision)[0] == ("hold_roll_over_unexpected", "academicSessions", None, 0, 0)
    assert "from school year 2024-25 to " in decision.sentences[0]


def test_while_a_school_year_begins_classes_may_be_added_but_not_removed(url: str) -> None:
    terms = sessions(NEW_YEAR, year=2026)
    published = [one | {"school_year": 2026} for one in classes(100, 0)]
    publish(url, {"academicSessions": terms, "classes": published}, night=date(2025, 8, 14))
    sent = {"academicSessions": sessions_as_sent(terms), "classes": classes_as_sent(classes(300, 0))}
    assert told(decide(district(), deliver(url, sent, night=date(2025, 8, 15)))) == []
    sent["classes"] = classes_as_sent(classes(50, 0))
    assert told(decide(district(), deliver(url, sent, night=date(2025, 8, 15)))) == [
        ("hold_removed", "classes", None, 50, 100)
    ]
    sent["classes"] = classes_as_sent(classes(300, 0))
    assert told(decide(district(), deliver(url, sent, night=date(2025, 11, 15)))) == [
        ("hold_added", "classes", None, 200, 100)
    ]


def spelled_otherwise() -> Rows:
    """The same content in other spellings: nothing of it is a change."""
    rows = school_district()
    for user in rows["users"]:
        user |= {
            "role": f" {user['role'].title()} ",
            "enabled_user": "TRUE",
            "org_sourced_ids": f" {user['org_sourced_ids']} , ",
            "given_name": "Ada ",
            "phone": "",
        }
    for each in rows["classes"]:
        each |= {"term_sourced_ids": each["term_sourced_ids"].replace(" ", ""), "class_type": "Scheduled"}
    for session in rows["academicSessions"]:
        session |= {"type": "Term", "start_date": f" {session['start_date']}"}
    for person in rows["demographics"]:
        person |= {"sex": "female", "birth_date": "2012-02-29 "}
    return rows


def test_a_cell_is_read_as_conform_reads_it(url: str) -> None:
    """Forecast and build agree on what is a change, on every file; and on the columns that nobody knows."""
    before = school_district()
    record(before, "users", "994_1000_S1")["_metadata"] = '{"house": "Elm"}'
    accepted(url, "maple", 1, before, service_date=NIGHT - timedelta(days=1))
    conform(reland=reland_nothing)
    after = spelled_otherwise()
    changes = {
        "orgs": ("994", {"name": "School of 994"}),
        "academicSessions": ("994_F", {"end_date": "2024-12-19"}),
        "courses": ("MATH", {"grades": "07, 08"}),
        "users": ("994_1000_S0", {"enabled_user": "false"}),
        "classes": ("994_1000", {"periods": "2,1"}),
        "enrollments": ("994_1000:TCH_994_1000", {"is_primary": "false"}),
        "demographics": ("994_1000_S0", {"asian": "yes"}),
    }
    for file, (sourced_id, change) in changes.items():
        record(after, file, sourced_id).update(change)
    record(after, "users", "994_1000_S1")["_metadata"] = '{"house": "Oak"}'
    delivery_id = deliver(url, after)
    decide(district(), delivery_id)
    forecast = {file: numbers[:3] for (file, school), numbers in expected(url, delivery_id).items() if school is None}
    assert forecast == {file: (0, 2 if file == "users" else 1, 0) for file in changes}
    execute(
        url,
        "update rollcall.delivery set state = 'accepted', accepted_sequence = 2 where delivery_id = %s",
        delivery_id,
    )
    execute(url, "update rollcall.delivery_file set absence_is_evidence = true where delivery_id = %s", delivery_id)
    conform(reland=reland_nothing)
    done = query(
        url, "select entity, added, changed, removed from rollcall.change_count where delivery_id = %s", delivery_id
    )
    assert {entity: tuple(numbers) for entity, *numbers in done} == forecast
