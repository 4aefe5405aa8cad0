"""The Rollcall page as an operator meets it: in Airflow's user interface, in a real browser.

Needs Chromium and its driver on the machine: `make test` leaves this file out where there is none, CI installs them.
"""

import shutil
from collections.abc import Callable, Iterator

import pytest
from selenium import webdriver
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By
from selenium.webdriver.remote.webelement import WebElement
from selenium.webdriver.support import expected_conditions as that
from selenium.webdriver.support.ui import WebDriverWait

from tests.e2e.conftest import NIGHT_1, FirstNights
from tests.e2e.operator_at_work import PATIENCE_SECONDS, Desk
from tests.e2e.test_decisions_through_the_scheduler import decisions, hold
from tests.e2e.test_page import PASSWORD, newcomer

FLAGS = (
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--no-first-run",
    "--disable-background-networking",
    "--window-size=1440,1000",
)


class Browser:
    """Chromium, and what a person does with it."""

    def __init__(self, driver: webdriver.Chrome, address: str) -> None:
        self.driver = driver
        self._address = address

    def log_in(self, user: str, password: str) -> None:
        self.driver.get(f"{self._address}/auth/login/")
        self.driver.delete_all_cookies()
        self.driver.get(f"{self._address}/auth/login/")
        self.find("input[name=username]").send_keys(user)
        self.find("input[name=password]").send_keys(password)
        self.find("input[type=submit]").click()
        self.until(lambda driver: "/auth/login" not in driver.current_url)

    def open(self, path: str) -> None:
        """A page of Airflow, and in it the frame that is ours."""
        self.driver.switch_to.default_content()
        self.driver.get(self._address + path)
        WebDriverWait(self.driver, PATIENCE_SECONDS).until(
            that.frame_to_be_available_and_switch_to_it((By.CSS_SELECTOR, "iframe"))
        )

    def find(self, css: str) -> WebElement:
        found = WebDriverWait(self.driver, PATIENCE_SECONDS).until(
            that.visibility_of_element_located((By.CSS_SELECTOR, css))
        )
        assert not isinstance(found, bool)
        return found

    def text(self) -> str:
        return self.find("main").text

    def lines(self) -> list[WebElement]:
        """The districts that the list shows."""
        rows = self.driver.find_elements(By.CSS_SELECTOR, "#districts tbody tr")
        return [row for row in rows if row.is_displayed()]

    def until(self, check: Callable[[webdriver.Chrome], bool]) -> None:
        WebDriverWait(self.driver, PATIENCE_SECONDS).until(check)


@pytest.fixture(scope="module")
def browser(desk: Desk) -> Iterator[Browser]:
    options = webdriver.ChromeOptions()
    for flag in FLAGS:
        options.add_argument(flag)
    options.binary_location = shutil.which("chromium") or ""
    options.set_capability("goog:loggingPrefs", {"browser": "SEVERE"})
    driver = webdriver.Chrome(options, Service(shutil.which("chromedriver")))
    yield Browser(driver, desk.state.airflow_url)
    driver.quit()


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
