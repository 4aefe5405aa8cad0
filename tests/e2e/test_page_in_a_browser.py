"""The Rollcall page as an operator meets it: in Airflow's user interface, in a real browser.

Needs Chromium and its driver on the machine: `make test` leaves this file out where there is none, CI installs them.
"""

from collections.abc import Iterator

import psycopg
import pytest
from selenium.webdriver.common.by import By

from rollcall.report.next_steps import NEXT_STEPS
from tests.e2e.browser import Browser, open_browser
from tests.e2e.conftest import NIGHT_1, FirstNights
from tests.e2e.operator_at_work import Desk
from tests.e2e.test_decisions_through_the_scheduler import decisions, hold
from tests.e2e.test_page import PASSWORD, newcomer

TEN_STATES = (
    *("failed", "incomplete", "missing", "not_expected", "published"),
    *("refused", "rejected", "superseded", "unchanged", "unreachable"),
)
A_THOUSAND = """
    insert into rollcall.district (district_id, name)
    select 'no-' || number, 'District No. ' || number from generate_series(1, 1000) as number;
    insert into rollcall.night (district_id, service_date, outcome)
    select 'no-' || number, %(night)s, (%(states)s::text[])[1 + number %% 10] from generate_series(1, 1000) as number;
"""
LOWEST_LINK = """
    const links = [...document.querySelectorAll("#districts th a")].slice(0, 5);
    return Math.min(...links.map((link) => link.getBoundingClientRect().height));
"""
BY_STATE = """
    const counts = {};
    for (const state of document.querySelectorAll("#districts .state"))
      counts[state.textContent] = (counts[state.textContent] || 0) + 1;
    return counts;
"""


@pytest.fixture
def a_thousand_districts(desk: Desk) -> Iterator[None]:
    """On record only: no other story meets them."""
    with psycopg.connect(desk.state.warehouse_url, cursor_factory=psycopg.ClientCursor) as connection:
        connection.execute(A_THOUSAND, {"night": NIGHT_1, "states": list(TEN_STATES)})
    yield
    with psycopg.connect(desk.state.warehouse_url) as connection:
        for table in ("night", "district"):
            connection.execute(f"delete from rollcall.{table} where district_id like 'no-%'")


@pytest.fixture(scope="module")
def browser(desk: Desk) -> Iterator[Browser]:
    with open_browser(desk.state.airflow_url) as opened:
        yield opened


def test_log_in_see_the_held_district_read_why_approve_and_see_it_published(
    desk: Desk, browser: Browser, first_nights: FirstNights
) -> None:
    run, number = hold(desk, "sycamore", first_nights)
    newcomer(desk, "victor", "Viewer").close()

    browser.log_in("victor", PASSWORD)
    browser.driver.get(f"{desk.state.airflow_url}/rollcall/dags/roster__sycamore")
    assert "Why it is on hold" in browser.text()
    assert browser.driver.find_elements(By.CSS_SELECTOR, "button[name=choice]") == []

    browser.log_in(desk.state.airflow_user, desk.state.airflow_password)
    browser.open("/plugin/rollcall")
    browser.find("input[name=q]").send_keys("Sycamore")
    browser.until(lambda _: len(browser.lines()) == 1)
    (line,) = browser.lines()
    assert f"Delivery {number} of {NIGHT_1} still waits for a decision." in line.text
    line.find_element(By.CSS_SELECTOR, "a").click()

    assert "hold_first_delivery" in browser.find(".hold").text
    browser.find("input[name=why]").send_keys("first night, as agreed")
    browser.find("button[value=approved]").click()
    assert "It is accepted as sequence 1 of sycamore" in browser.find(".told").text
    assert desk.ended("sycamore", run) == "success"
    desk.until_night("sycamore", NIGHT_1, "published")
    browser.open("/dags/roster__sycamore/plugin/district")
    assert "Published" in browser.find("#delivery").text
    assert f"the night of {NIGHT_1}, sequence 1" in browser.text()
    assert decisions(desk, number) == [("approved", "admin", "page", "settled")]
    refused = [
        entry
        for entry in browser.driver.execute("getLog", {"type": "browser"})["value"]
        if "Content Security Policy" in entry["message"]
    ]
    assert [entry for entry in refused if "/rollcall/" in entry["message"]] == []


def test_a_thousand_districts_in_ten_states_are_one_list(
    desk: Desk, browser: Browser, a_thousand_districts: None
) -> None:
    browser.log_in(desk.state.airflow_user, desk.state.airflow_password)
    browser.driver.get(f"{desk.state.airflow_url}/rollcall/?q=District+No.")
    count_lines = "return [...document.querySelectorAll('#districts tbody tr')].filter((line) => !line.hidden).length"
    assert browser.driver.execute_script(count_lines) == 1000
    assert "1,000 districts" in browser.find("caption").text
    assert browser.driver.execute_script(BY_STATE) == {NEXT_STEPS[state].words: 100 for state in TEN_STATES}
    for width in (1440, 420):
        browser.driver.set_window_size(width, 1000)
        assert browser.driver.execute_script("return document.documentElement.scrollWidth <= innerWidth"), width
        assert browser.driver.execute_script(LOWEST_LINK) >= 24, "large enough for a finger"

    browser.find("input[name=q]").send_keys(" 77")
    assert browser.driver.execute_script(count_lines) == 11, "77, and 770 to 779"
    browser.driver.get(f"{desk.state.airflow_url}/rollcall/?q=District+No.&state=unreachable")
    assert browser.driver.execute_script(count_lines) == 100
