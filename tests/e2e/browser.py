"""Chromium, as a person uses it."""

import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from selenium import webdriver
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By
from selenium.webdriver.remote.webelement import WebElement
from selenium.webdriver.support import expected_conditions as that
from selenium.webdriver.support.ui import WebDriverWait

from tests.e2e.operator_at_work import PATIENCE_SECONDS

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
        self.address = address

    def log_in(self, user: str, password: str) -> None:
        self.driver.get(f"{self.address}/auth/login/")
        self.driver.delete_all_cookies()
        self.driver.get(f"{self.address}/auth/login/")
        self.find("input[name=username]").send_keys(user)
        self.find("input[name=password]").send_keys(password)
        self.find("input[type=submit]").click()
        self.until(lambda driver: "/auth/login" not in driver.current_url)

    def open(self, path: str) -> None:
        """A page of Airflow, and in it the frame that is ours."""
        self.driver.switch_to.default_content()
        self.driver.get(self.address + path)
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


@contextmanager
def open_browser(address: str) -> Iterator[Browser]:
    """A browser without a window, which notes what a page was refused.

    Args:
        address: Of Airflow.
    """
    options = webdriver.ChromeOptions()
    for flag in FLAGS:
        options.add_argument(flag)
    options.binary_location = shutil.which("chromium") or ""
    options.set_capability("goog:loggingPrefs", {"browser": "SEVERE"})
    driver = webdriver.Chrome(options, Service(shutil.which("chromedriver")))
    try:
        yield Browser(driver, address)
    finally:
        driver.quit()
