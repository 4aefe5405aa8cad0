"""The Rollcall page in the real Airflow: who may see and press, forged forms, and each press on record."""

import json
import re
from collections.abc import Iterator
from datetime import timedelta
from urllib.parse import urlsplit

import httpx
import pytest

from tests.e2e.conftest import NIGHT_1, NIGHT_2, FirstNights
from tests.e2e.operator_at_work import Desk
from tests.e2e.test_decisions_through_the_scheduler import decisions, hold

PASSWORD = "correct horse battery"
BY_COOKIE = "_token"


def page_of(desk: Desk, user: str, password: str) -> httpx.Client:
    """A browser in which somebody has logged in: what it knows of them is Airflow's cookie."""
    login = httpx.post(f"{desk.state.airflow_url}/auth/token", json={"username": user, "password": password})
    cookies = {BY_COOKIE: login.raise_for_status().json()["access_token"]}
    return httpx.Client(
        base_url=f"{desk.state.airflow_url}/rollcall", cookies=cookies, follow_redirects=True, timeout=60
    )


@pytest.fixture(scope="module")
def operator(desk: Desk) -> Iterator[httpx.Client]:
    with page_of(desk, desk.state.airflow_user, desk.state.airflow_password) as browser:
        yield browser


def newcomer(desk: Desk, name: str, role: str) -> httpx.Client:
    """Somebody with an account of their own, logged in."""
    names = {"username": name, "email": f"{name}@example.org", "first_name": name.title(), "last_name": "Example"}
    desk.api("POST", "/auth/fab/v1/users", json=names | {"password": PASSWORD, "roles": [{"name": role}]})
    return page_of(desk, name, PASSWORD)


@pytest.fixture(scope="module")
def viewer(desk: Desk) -> Iterator[httpx.Client]:
    """Somebody who may read every DAG and edit none."""
    with newcomer(desk, "vera", "Viewer") as browser:
        yield browser


def token_in(html: str) -> str:
    found = re.search(r'name="token" value="([^"]+)"', html)
    assert found is not None
    return found.group(1)


def test_nobody_sees_or_presses_anything_without_a_login(desk: Desk) -> None:
    url = f"{desk.state.airflow_url}/rollcall"
    for path in ("/", "/metrics", "/rules/users", "/dags/roster__alder", "/dags/roster__alder/deliveries/1/receipt",
                 "/dags/roster__alder/deliveries/1/archive.json",
                 "/dags/roster__alder/deliveries/1/changes.csv"):  # fmt: skip
        assert httpx.get(url + path).status_code == 401, path
    for path in ("/dags/roster__alder/deliveries/1/decision", "/dags/roster__alder/deliveries/1/again",
                 "/dags/roster__alder/rollback", "/dags/roster__alder/pause",
                 "/dags/roster__alder/resume"):  # fmt: skip
        assert httpx.post(url + path, data={"why": "because"}).status_code == 401, path


def test_a_hold_is_read_and_approved_on_the_page_and_by_nobody_who_may_not_edit_its_dag(
    desk: Desk, operator: httpx.Client, viewer: httpx.Client, first_nights: FirstNights
) -> None:
    run, number = hold(desk, "quince", first_nights)
    path = f"/dags/roster__quince/deliveries/{number}/decision"
    form = {"choice": "approved", "why": "<b>confirmed</b> by telephone"}

    seen = viewer.get("/dags/roster__quince")
    assert seen.status_code == 200
    assert "Why it is on hold" in seen.text
    assert "hold_first_delivery" in seen.text
    assert "<form" not in seen.text
    page = operator.get("/dags/roster__quince").text
    token = token_in(page)
    with newcomer(desk, "otto", "Op") as otto:
        refusals = [
            viewer.post(path, data=form | {"token": token}),
            otto.post(path, data=form | {"token": token}),  # made for another operator
            operator.post(path, data=form),
            operator.post(path, data=form | {"token": token + "x"}),
            operator.post(path.replace("quince", "alder"), data=form | {"token": token}),
        ]
    assert [refused.status_code for refused in refusals] == [403, 403, 403, 403, 404]
    assert operator.post(path, data=form | {"token": token, "why": "  "}).status_code == 422
    assert decisions(desk, number) == []

    after = operator.post(path, data=form | {"token": token})
    assert urlsplit(str(after.url)).path == "/rollcall/dags/roster__quince"
    assert "It is accepted as sequence 1 of quince" in after.text
    assert f"Its run {run} goes on, and reports." in after.text
    assert "&lt;b&gt;confirmed&lt;/b&gt;" in after.text
    assert decisions(desk, number) == [("approved", "admin", "page", "settled")]
    assert "It is accepted" not in operator.get("/dags/roster__quince").text, "told once"
    again = operator.post(path, data=form | {"token": token, "choice": "discarded"})
    assert "Somebody was faster" in again.text
    assert desk.ended("quince", run) == "success"
    desk.until_night("quince", NIGHT_1, "published")
    assert [answer[3] for answer in decisions(desk, number)] == ["settled", "overtaken"]
    entry = operator.get(f"/dags/roster__quince/deliveries/{number}/archive.json").json()
    assert set(entry["files"]) == {path.name for path in first_nights["quince"].delivery.files}
    assert operator.get(f"/dags/roster__alder/deliveries/{number}/archive.json").status_code == 404
    logged = [json.loads(line) for line in desk.task_log("quince", run, "check").splitlines()]
    landed = [line for line in logged if line["event"].startswith(f"Delivery {number}: Landed")]
    assert {line["delivery_id"] for line in landed} == {number}


def test_who_may_read_one_dag_sees_one_district(desk: Desk, operator: httpx.Client) -> None:
    role = {"name": "quince only", "actions": [
        {"action": {"name": "can_read"}, "resource": {"name": "DAG:roster__quince"}},
        {"action": {"name": "can_read"}, "resource": {"name": "Website"}},
    ]}  # fmt: skip
    desk.api("POST", "/auth/fab/v1/roles", json=role)
    everybody = operator.get("/").text
    with newcomer(desk, "quin", "quince only") as quin:
        listed = quin.get("/").text
        assert "roster__quince" in listed
        assert "roster__alder" in everybody
        assert "alder" not in listed.lower()
        assert quin.get("/dags/roster__alder").status_code == 403
        assert quin.get("/dags/roster__quince").status_code == 200
        asked = {"json": {"username": "quin", "password": PASSWORD}}
        token = desk.api("POST", "/auth/token/cli", **asked)["access_token"]
        quin.cookies.clear()
        measured = quin.get("/metrics", headers={"Authorization": f"Bearer {token}"}).text  # as Prometheus does
        assert 'rollcall_district_state{district="quince"' in measured
        assert "alder" not in measured


def test_the_page_says_what_it_may_load_and_is_in_the_navigation(desk: Desk, operator: httpx.Client) -> None:
    policy = operator.get("/").headers["content-security-policy"]
    assert policy.startswith("default-src 'none'; script-src 'self'; style-src 'self'")
    assert "unsafe" not in policy
    views = [
        (view["destination"], view["href"])
        for plugin in desk.api("GET", "/api/v2/plugins")["plugins"]
        for view in plugin["external_views"]
        if view["name"] == "Rollcall"
    ]
    assert views == [("nav", "rollcall/"), ("dag", "rollcall/dags/{DAG_ID}")]
    for name in ("page.js", "page.css", "icon.svg"):
        assert operator.get(f"/static/{name}").status_code == 200
    assert operator.get("/static/..%2fapp.py").status_code == 404
    assert 'id="file_missing"' in operator.get("/rules/arrival").text
    assert operator.get("/rules/..%2f..%2fpasswd").status_code == 404
    assert operator.get("/dags/conform").status_code == 404
    assert operator.get("/", params={"q": "", "state": "", "night": ""}).status_code == 200, "what the form sends"
    assert "How the night of 2026-11-16 ended" in operator.get("/", params={"night": "2026-11-16"}).text
    unreadable = operator.get("/", params={"night": "<b>"})
    assert unreadable.status_code == 422
    assert "<b>" not in unreadable.text


def test_a_roster_is_gone_back_from_a_delivery_taken_again_a_district_paused_and_resumed(
    desk: Desk, operator: httpx.Client
) -> None:
    ((rejected,),) = desk.sql(
        "insert into rollcall.delivery (district_id, service_date, run_id, state, content_hash)"
        " values ('quince', %s, 'gone', 'rejected', 'x') returning delivery_id",
        NIGHT_2 + timedelta(days=1),
    )
    page = operator.get(f"/dags/roster__quince?delivery={rejected}").text
    form = {"token": token_in(page), "why": "its rules are others now"}
    told = operator.post(f"/dags/roster__quince/deliveries/{rejected}/again", data=form).text
    ((run, by),) = desk.sql("select run_id, asked_by from rollcall.delivery_again where delivery_id = %s", rejected)
    assert by == "admin"
    assert f"Run {run} takes delivery {rejected}" in told
    assert desk.api("GET", f"/api/v2/dags/roster__quince/dagRuns/{run}")["conf"]["source"] == f"archive/{rejected}"
    refused = operator.post("/dags/roster__quince/rollback", data=form | {"sequence": "1"}).text
    assert "was never published" in refused or "not older than sequence" in refused
    assert desk.ended("quince", run) == "failed", "it has no files"

    paused = operator.post("/dags/roster__quince/pause", data=form | {"first_night": "", "last_night": "2999-12-31"})
    assert "quince is paused from" in paused.text
    resumed = operator.post("/dags/roster__quince/resume", data=form)
    assert "quince is expected again" in resumed.text
