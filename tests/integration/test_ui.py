"""The Rollcall page: what it says of every district, and what it makes of what districts wrote."""

import json
import re
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import psycopg
import pytest
from fastapi import Request
from helpers.inbox import district
from helpers.on_record import delivered
from prometheus_client.parser import text_string_to_metric_families

from rollcall import ledger
from rollcall.decision.holds import Answer, open_hold
from rollcall.decision.reasons import Reason
from rollcall.districts import DistrictFileError
from rollcall.onboarding.acts import acts_of
from rollcall.onboarding.district_file import OnboardingError
from rollcall.pages.rule_book import PAGES
from rollcall.report.next_steps import NEXT_STEPS
from rollcall.report.status import BAD_NEWS, states_of_night
from rollcall.settings import PROJECT_ROOT, settings, working_on
from rollcall.states import DeliveryState, NightOutcome
from rollcall.ui import district as district_page
from rollcall.ui import metrics, overview, pressing
from rollcall.ui.pages import duration, page
from rollcall.ui.runbooks import picture, runbook
from rollcall.ui.sparkline import sparkline
from rollcall.warehouse import Connection, connect

NIGHT = date(2026, 11, 20)
HOSTILE = "<script>alert(1)</script>'\"><img src=x onerror=alert(2)>"


@pytest.fixture(autouse=True)
def world(warehouse_url: str, tmp_path: Path) -> Iterator[None]:
    with working_on(districts_dir=tmp_path):
        yield


def request() -> Request:
    return Request({"type": "http", "method": "GET", "path": "/", "root_path": "/rollcall", "headers": []})


def write_file(text: str) -> Path:
    """The file of alder."""
    folder = settings().districts_dir
    (folder / "_defaults.yaml").write_bytes((settings().home / "dags/districts/_defaults.yaml").read_bytes())
    (folder / "alder.yaml").write_text(text)
    return folder / "alder.yaml"


class Elements(HTMLParser):
    """The elements of a page, with their attributes."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))


def test_every_state_has_words_a_color_and_who_acts_next() -> None:
    """And those that need a person come first, and say what the person does."""
    of_the_ledger = {state.value for state in DeliveryState} | {outcome.value for outcome in NightOutcome}
    in_progress = {"receiving", "received", "accepted", "waiting"}
    assert of_the_ledger - in_progress | BAD_NEWS | {"late", "paused", "new", "removed", "rolled_back"} == set(
        NEXT_STEPS
    )
    assert all(NEXT_STEPS[state].what for state in BAD_NEWS)
    assert {NEXT_STEPS[state].mood for state in BAD_NEWS} == {"bad", "wait"}


def test_what_to_do_about_a_state_is_a_page_and_every_link_of_a_runbook_leads_somewhere() -> None:
    pages = {path.stem: runbook(path.stem) or "" for path in (settings().home / "docs" / "operate").glob("*.md")}
    places = {name: [attributes for _, attributes in Elements(html).found] for name, html in pages.items()}
    ids = {name: {str(attributes.get("id")) for attributes in place} for name, place in places.items()}
    books = {step.runbook for step in NEXT_STEPS.values() if step.runbook}
    assert {state for state in BAD_NEWS if not NEXT_STEPS[state].runbook} == set()
    linked = {(name, str(each["href"])) for name, place in places.items() for each in place if "href" in each}
    for here, link in {("README", book) for book in books} | linked:
        target, _, heading = link.partition("#")
        name = target.removesuffix(".md") or here
        if name.startswith("../rules/"):
            assert name.removeprefix("../rules/") in PAGES, (here, link)
        else:
            assert not heading or heading in ids[name], (here, link)
    shown = {str(each["src"]).rpartition("/")[2] for place in places.values() for each in place if "src" in each}
    assert shown
    assert all(picture(name) for name in shown)
    for stranger in ("../architecture", "..", "nothing"):
        assert (runbook(stranger), picture(stranger)) == (None, None)


def test_the_list_has_a_line_for_each_district_what_needs_a_person_first() -> None:
    with connect(role=None) as connection:
        delivered(connection, "alder", NIGHT, "published", rows=1000, students=800, set_aside=3)
        delivered(connection, "alder", NIGHT + timedelta(days=1), "unchanged")
        delivered(connection, "birch", NIGHT, "held")
        delivered(connection, "cedar", NIGHT, "rejected")
        connection.execute("update rollcall.delivery set records = null, set_aside = null where delivery_id = 2")
        found = overview.states(connection, None)
        shown = overview.overview(connection, found, NIGHT + timedelta(days=1))
        assert [line.state.district for line in shown.lines] == ["birch", "cedar", "alder"]
        assert shown.counts == {"held": 1, "rejected": 1, "unchanged": 1}
        assert shown.needing == 2
        figures = shown.lines[-1].figures
        assert (figures.rows, figures.students, figures.set_aside) == (1000, 800, 3), "the unchanged night has the same"
        assert len(figures.line.split()) == 2

        def names(**filters: str) -> list[str]:
            return [line.state.district for line in overview.overview(connection, found, NIGHT, **filters).lines]

        assert names(wanted="needs_a_person") == ["birch", "cedar"]
        assert names(wanted="held") == ["birch"]
        assert names(search="EDA") == ["cedar"]
        html = page("districts", request(), shown=shown, night=None, wanted="", search="")
    assert "<strong>2 need a person</strong>" in html
    assert "<b>You:</b> Read why, then press Approve or Discard." in html
    assert '<a href="/rollcall/dags/roster__birch">' in html


def test_a_look_back_shows_a_night_as_it_ended_whatever_came_later() -> None:
    with connect(role=None) as connection:
        delivered(connection, "alder", NIGHT, "published")
        delivered(connection, "alder", NIGHT + timedelta(days=1), "rejected")
        delivered(connection, "alder", NIGHT + timedelta(days=2), "published")
        (then,) = states_of_night(connection, NIGHT + timedelta(days=1))
        assert (then.state, then.last_good, then.nights_since, then.delivery) == ("rejected", NIGHT, 1, 2)
        (before,) = states_of_night(connection, NIGHT - timedelta(days=1))
        assert (before.state, before.last_good) == ("new", None)
        write_file("name: Alder\npauses: [{first_night: 2026-11-24, last_night: 2026-11-24}]")
        (unknown,) = states_of_night(connection, NIGHT + timedelta(days=3))
        assert (unknown.state, unknown.nights_since, unknown.message) == ("missing", 1, "No run was started.")
        (paused,) = states_of_night(connection, NIGHT + timedelta(days=4))
        assert paused.state == "not_expected"


def test_a_fixed_number_of_queries_however_many_districts(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[object] = []
    execute_for_real = psycopg.Cursor.execute

    def counting(self: psycopg.Cursor[Any], query: Any, *rest: Any, **options: Any) -> Any:
        asked.append(query)
        return execute_for_real(self, query, *rest, **options)

    with connect(role=None) as connection:
        for name in ("alder", "birch", "cedar"):
            delivered(connection, name, NIGHT, "published")
        monkeypatch.setattr(psycopg.Cursor, "execute", counting)
        for night in (None, NIGHT):
            asked.clear()
            overview.overview(connection, overview.states(connection, night), night)
            assert len(asked) == 3


def hostile_delivery(connection: Connection) -> int:
    """A held delivery in which every word of a district's or an operator's is an attack."""
    number = delivered(connection, "alder", NIGHT, "published")
    number = delivered(connection, "alder", NIGHT + timedelta(days=1), "received")
    ledger.record_district(connection, district("alder", name=HOSTILE))
    reasons = (Reason("hold_removed", f"{HOSTILE} is gone.", file="users"),)
    open_hold(connection, ledger.delivery(connection, number), reasons, HOSTILE, f"alder/changes/{HOSTILE}.csv")
    connection.execute(
        "insert into rollcall.check_result (delivery_id, file, code, severity, rows_failed, detail)"
        " values (%s, 'users', %s, 'critical', 1, %s), (%s, 'users', 'a_note', 'info', 1, null)",
        (number, "unknown_" + HOSTILE, HOSTILE, number),
    )
    connection.execute(
        "insert into rollcall.row_finding values (%s, 'users', %s, 'critical', 7, %s, %s, %s)",
        (number, "unknown_" + HOSTILE, HOSTILE, HOSTILE, HOSTILE),
    )
    connection.execute(
        "insert into rollcall.expected_change values (%s, 'users', %s, 1, 9, 0, 0, 9, 0, 0)", (number, HOSTILE)
    )
    connection.execute("update rollcall.night set message = %s", (HOSTILE,))
    write_file(json.dumps({"name": HOSTILE, "first_delivery": "accept"}))
    pressing.pause("alder", None, date(2999, 12, 31), "ada", HOSTILE)
    connection.execute("update rollcall.delivery_file set verdict = 'reject', verdict_reason = %s", (HOSTILE,))
    return number


def the_page(connection: Connection, number: int, *, may_press: bool = True) -> str:
    standing = next(each for each in overview.states(connection, None) if each.district == "alder")
    return page(
        "district",
        request(),
        dag_id="roster__alder",
        line=overview.overview(connection, [standing], None).lines[0],
        nights=district_page.nights(connection, "alder"),
        shown=district_page.in_full(connection, ledger.delivery(connection, number)),
        publications=district_page.publications_before(connection, "alder"),
        pauses=district_page.pauses_of("alder"),
        acts=acts_of(connection, "alder"),
        may_press=may_press,
        token="token",
        told=[HOSTILE],
        before=None,
    )


def test_what_a_district_wrote_is_shown_word_for_word_and_nothing_in_it_is_obeyed() -> None:
    with connect(role=None) as connection:
        number = hostile_delivery(connection)
        html = the_page(connection, number)
        found = overview.states(connection, None)
        html += page(
            "districts", request(), shown=overview.overview(connection, found, None), night=None, wanted="",
            search=HOSTILE,
        )  # fmt: skip
    elements = Elements(html).found
    assert {attributes.get("src") for tag, attributes in elements if tag == "script"} == {"/rollcall/static/page.js"}
    assert not [tag for tag, _ in elements if tag == "img"]
    assert not [name for _, attributes in elements for name in attributes if name.startswith("on") or name == "style"]
    assert html.count("&lt;script&gt;alert(1)") >= 12
    assert all(
        url.startswith(("/", "?"))
        for _, attributes in elements
        for name, url in attributes.items()
        if name in ("href", "action", "src") and url is not None
    ), "nothing is asked of another server"


def test_a_hold_is_told_with_its_reasons_and_pressed_only_by_who_may() -> None:
    with connect(role=None) as connection:
        number = hostile_delivery(connection)
        html = the_page(connection, number)
        assert 'action="/rollcall/dags/roster__alder/deliveries/2/decision"' in html
        assert 'href="/rollcall/rules/safeguards#hold_removed"' in html
        assert "Notes, which hold nothing up: 1<" in html
        forms = [attributes for tag, attributes in Elements(html).found if tag == "form"]
        assert [(form["method"], str(form["action"]).rpartition("/")[2]) for form in forms] == [
            ("post", "decision"),
            ("post", "resume"),
            ("post", "pause"),
        ]
        fields = {attributes.get("name") for tag, attributes in Elements(html).found if tag in ("input", "button")}
        assert fields - {None} == {"token", "why", "choice", "first_night", "last_night"}
        viewer = the_page(connection, number, may_press=False)
        assert "<form" not in viewer
        assert "takes the permission to edit the DAG roster__alder" in viewer
        from rollcall.decision.settle import settle

        settle(connection, number, Answer("discarded", "ada", HOSTILE, "page"))
        settled = the_page(connection, number)
        assert "Discarded by <b>ada</b>, on this page" in settled
        assert "Approve</button>" not in settled


def test_a_district_is_paused_and_resumed_as_on_the_command_line() -> None:
    path = write_file("name: Alder  # a person's remark\nfirst_delivery: accept\ntimezone: Etc/UTC\n")
    tonight = datetime.now(UTC).date()
    pauses = district_page.pauses_of("alder")
    assert pauses is not None
    assert (pauses.tonight, pauses.listed) == (tonight, ())
    with connect(role=None) as connection:
        number = delivered(connection, "alder", NIGHT, "published")
        assert "/pause" in the_page(connection, number)
        assert "/pause" not in the_page(connection, number, may_press=False)

        told = pressing.pause("alder", None, tonight + timedelta(days=9), "ada", "fall break")
        assert told == [
            f"alder is paused from {tonight} to {tonight + timedelta(days=9)}; the night after that is expected again."
        ]
        assert overview.states(connection, None)[0].state == "paused"
        html = the_page(connection, number)
        assert "fall break" in html
        assert "/resume" in html
        with pytest.raises(DistrictFileError, match="last_night lies before first_night"):
            pressing.pause("alder", tonight, tonight - timedelta(days=1), "ada", "a slip")
        assert [(act.action, act.done_by, act.why) for act in acts_of(connection, "alder")] == [
            ("paused", "ada", "fall break")
        ], "what was not done is not on record"

        next_month = tonight + timedelta(days=30)
        pressing.pause("alder", next_month, next_month, "ada", "the wrong district")
        pressing.resume("alder", next_month, "ada", "the wrong district")
        pressing.resume("alder", None, "ada", "they came back early")
        assert (again := district_page.pauses_of("alder"))
        assert again.listed == ()
        assert overview.states(connection, None)[0].state != "paused"
        assert f"Resumed from {tonight} by <b>ada</b>" in the_page(connection, number)
        assert "remark" in path.read_text()
        path.unlink()
        assert "Pauses" not in the_page(connection, number), "a district without a file has none"
        with pytest.raises(OnboardingError, match="There is no district 'alder'"):
            pressing.resume("alder", None, "ada", "too late")


def test_a_delivery_of_another_district_is_not_shown() -> None:
    with connect(role=None) as connection:
        delivered(connection, "alder", NIGHT, "published")
        other = delivered(connection, "birch", NIGHT, "published")
        with pytest.raises(ledger.UnknownDeliveryError, match=f"alder has no delivery {other}"):
            district_page.delivery_to_show(connection, "alder", other)
        chosen = district_page.delivery_to_show(connection, "birch", None)
    assert chosen is not None
    assert chosen.delivery_id == other


def test_what_waits_for_a_person_is_shown_before_what_came_later() -> None:
    with connect(role=None) as connection:
        held = delivered(connection, "alder", NIGHT, "held")
        delivered(connection, "alder", NIGHT + timedelta(days=1), "rejected")
        chosen = district_page.delivery_to_show(connection, "alder", None)
    assert chosen is not None
    assert chosen.delivery_id == held


def test_a_sparkline_goes_from_the_lowest_count_to_the_highest() -> None:
    assert sparkline([10, None, 20, 15]) == "2,22 79,2 118,12"
    assert sparkline([7, 7]) == "2,12 118,12"
    assert sparkline([None, 7]) == ""


def test_a_command_looks_like_one_and_nothing_else_is_obeyed() -> None:
    with connect(role=None) as connection:
        number = delivered(connection, "alder", NIGHT, "rejected", why="<b> says `<i>`; `rollcall rekey <map>` again.")
        html = the_page(connection, number)
    assert "&lt;b&gt; says `&lt;i&gt;`; <code>rollcall rekey &lt;map&gt;</code> again." in html


def test_durations_as_people_say_them() -> None:
    assert [duration(seconds) for seconds in (None, 47.6, 185, 7800)] == [
        "\N{EN DASH}",
        "48 s",
        "3 min 5 s",
        "2 h 10 min",
    ]


def test_metrics_say_how_the_nights_go_of_the_districts_that_may_be_shown() -> None:
    tonight = district("alder").service_date(datetime.now(UTC))
    with connect(role=None) as connection:
        number = delivered(connection, "alder", tonight, "published", rows=1000, students=800, set_aside=3)
        delivered(connection, "birch", tonight - timedelta(days=1), "published")
        held = delivered(connection, "birch", tonight, "received")
        open_hold(connection, ledger.delivery(connection, held), (Reason("hold_removed", "Gone."),), "", None)
        ledger.set_state(connection, held, DeliveryState.HELD, "Gone.")
        delivered(connection, "cedar", tonight, "rejected")
        connection.execute(
            "update rollcall.delivery set accepted_at = arrived_at, published_at = arrived_at + interval '50 seconds'"
            " where delivery_id = %s",
            (number,),
        )
        connection.execute(
            "insert into rollcall.check_result (delivery_id, file, code, severity, rows_failed)"
            " select delivery_id, 'users', 'rule', 'critical', delivery_id from rollcall.delivery"
        )
        found = overview.states(connection, None)
        text = metrics.metrics(connection, [each for each in found if each.district != "cedar"]).decode()
    assert "cedar" not in text
    families = list(text_string_to_metric_families(text))
    measured = {
        (sample.name.removeprefix("rollcall_"), *sample.labels.values()): sample.value
        for family in families
        for sample in family.samples
    }
    assert measured["districts", "good", "published"] == 1
    assert measured["districts", "wait", "held"] == 1
    assert measured["districts", "bad", "rejected"] == 0
    assert measured["districts_needing_a_person",] == 1
    assert measured["district_state", "birch", "held"] == 1
    assert measured["district_nights_without", "birch"] == 1
    assert measured["district_rows", "alder"] == 1000
    assert measured["district_students", "alder"] == 800
    assert measured["district_rows_set_aside", "alder"] == 3
    assert ("district_students", "birch") not in measured, "they were not counted"
    assert measured["findings", "rule", "users", "critical"] == number + held
    assert measured["findings_districts", "rule", "users", "critical"] == 2
    assert measured["step_seconds", "100", "build"] == 50
    assert measured["step_deliveries", "check"] == 3
    assert (measured["waiting", "decision"], measured["waiting", "build"], measured["waiting", "delivery"]) == (1, 0, 0)

    emitted = {family.name for family in families}
    docs = PROJECT_ROOT / "docs" / "operate"
    described, *asked = (
        set(re.findall(r"\brollcall_[a-z_]+", (docs / name).read_text()))
        for name in ("watch.md", "alerts.yml", "grafana-dashboard.json")
    )
    assert described == emitted
    assert set.union(*asked) <= emitted
