"""``python -m tests.pictures``: take the pictures of docs/images/ anew, from the real page in the real Airflow.

Forty districts: some have two nights through the scheduler, the second one spoiled; the others are as the ledger says.
"""

import re
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

from helpers.on_record import delivered

from rollcall.ledger import record_night
from rollcall.settings import PROJECT_ROOT, working_on
from rollcall.stack import down, prepare_warehouse, up
from rollcall.warehouse import connect
from simulator import spoil
from tests.e2e.browser import Browser, open_browser
from tests.e2e.conftest import DEFAULTS, Export
from tests.e2e.operator_at_work import Desk

IMAGES = PROJECT_ROOT / "docs" / "images"


def _without_roles(folder: Path) -> None:
    """Name a column of users.csv otherwise."""
    path = folder / "users.csv"
    path.write_bytes(path.read_bytes().replace(b"role", b"roll", 1))


def _of_next_year(folder: Path) -> None:
    """Let the sessions be those of the school year after."""
    path = folder / "academicSessions.csv"
    path.write_text(re.sub(r"\b20\d\d\b", lambda year: str(int(year[0]) + 1), path.read_text()))


def _as_it_is(_: Path) -> None:
    """Leave a night as it is."""


HELD, REJECTED, REKEYED, MISSING, ROLL_OVER, BUILD = "alder", "birch", "catalpa", "dogwood", "hawthorn", "ironwood"
SPOILED: Mapping[str, Callable[[Path], None]] = {
    HELD: partial(spoil.truncate, file="enrollments", keep=0.5),
    REJECTED: _without_roles,
    REKEYED: spoil.rekey_users,
    ROLL_OVER: _of_next_year,
    BUILD: _as_it_is,
    MISSING: _as_it_is,
}
"""What became of the second night of those whose nights are real; of `MISSING` nothing comes."""
ON_A_PICTURE = {
    "rejected": REJECTED,
    "rekeyed": REKEYED,
    "missing": MISSING,
    "roll-over": ROLL_OVER,
    "build": BUILD,
}
ENDED: Mapping[str, tuple[str, str]] = {
    "cedar": ("incomplete", "classes.csv did not come."),
    "elm": ("unreachable", "The SFTP server did not answer for four hours."),
    "fir": ("audit_failed", "Two enrollments name a class that is not published."),
    "ginkgo": ("failed", "receive: the archive's disk is full."),
    "hazel": ("refused", "The SFTP server refused the login."),
    "juniper": ("unchanged", "The same as the night before."),
    "kapok": ("discarded", "Two schools were not ticked."),
    "larch": ("superseded", "A later delivery took its place."),
    "linden": ("not_expected", "Fall break."),
}
"""How the night of some ended, and why; all others are published."""
ALL_WELL = (
    *("magnolia", "maple", "mulberry", "nutmeg", "oak", "olive", "palm", "pear", "pecan", "pine", "plum", "poplar"),
    *("quince", "redwood", "rowan", "sequoia", "spruce", "sumac", "sycamore", "tamarack", "teak", "tulip", "walnut"),
    *("wattle", "willow", "witchhazel", "yew", "zelkova"),
)
PUBLISHED = "The roster is published."
NO_DELIVERY = {"incomplete", "unreachable", "refused", "failed", "not_expected"}
NIGHTS = 30
TONIGHT = (datetime.now(UTC) - timedelta(hours=9)).date()
"""The night that has ended last, by the districts' schedule."""
SCREEN, PHONE = (1440, 900), (420, 900)


def main() -> int:
    """Take them; needs Chromium and its driver."""
    with tempfile.TemporaryDirectory(prefix="rollcall-pictures-") as folder:
        work = Path(folder)
        work.chmod(0o711)  # as root, PostgreSQL runs as a user of its own, which has to get through
        with desk_with_districts(work) as desk, open_browser(desk.state.airflow_url) as browser:
            play_the_nights(desk, work / "export")
            write_the_others(desk)
            browser.log_in(desk.state.airflow_user, desk.state.airflow_password)
            take(browser, "page-districts", "/rollcall/", SCREEN)
            take(browser, "page-district", f"/rollcall/dags/roster__{HELD}", (1440, 1500))
            for name, district in ON_A_PICTURE.items():
                take(browser, f"page-{name}", f"/rollcall/dags/roster__{district}", (1440, 1000))
            take(browser, "page-phone", "/rollcall/", PHONE, theme="dark")
    return 0


@contextmanager
def desk_with_districts(work: Path) -> Iterator[Desk]:
    """The stack, with a file for each district, whose own runs are half a day away."""
    districts = work / "districts"
    districts.mkdir()
    (districts / DEFAULTS.name).write_bytes(DEFAULTS.read_bytes())
    for name in (*SPOILED, *ENDED, *ALL_WELL):
        (districts / f"{name}.yaml").write_text(f"name: {name.title()} Unified\nfirst_delivery: accept\n")
    with working_on(state_dir=work / "state", districts_dir=districts):
        state = up(
            work / "state",
            districts_dir=districts,
            stable_after_seconds=2,
            environment={},
            after_postgres=prepare_warehouse,
        )
        try:
            with working_on(warehouse=state.warehouse_url):
                yield Desk(state)
        finally:
            down(work / "state")


def play_the_nights(desk: Desk, folder: Path) -> None:
    """Two nights each through the scheduler, side by side; the second ends in a hold, rejected, or in its build."""
    exports = {name: Export(name, folder / name, students=400) for name in SPOILED}
    for number, night in ((1, TONIGHT - timedelta(days=1)), (2, TONIGHT)):
        if number == 2:
            refuse_the_build()
        runs = {}
        for name, sis in exports.items():
            delivery = sis.write(number)
            if number == 2:
                SPOILED[name](delivery.folder)
            if number == 2 and name == MISSING:
                runs[name] = desk.start(name, night, wait_seconds=2)
                continue
            runs[name] = desk.start(name, night)
            desk.upload(name, delivery.files)
        for name, run in runs.items():
            if number == 1 or name in (REJECTED, BUILD, MISSING):
                desk.ended(name, run)
            else:
                desk.until_task(name, run, "hold", "awaiting_input")


def refuse_the_build() -> None:
    """Have PostgreSQL refuse what one district's next build writes."""
    with connect(role=None) as connection:
        connection.execute(
            "alter table history.hist_users add constraint a_mistake_in_a_model"
            f" check (district_id <> '{BUILD}' or valid_from_seq < 2) not valid"
        )


def write_the_others(desk: Desk) -> None:
    """A month of good nights for each, and how the last one ended."""
    with connect(role=None) as connection:
        for number, name in enumerate((*ENDED, *ALL_WELL)):
            state, why = ENDED.get(name, ("published", PUBLISHED))
            for back in range(NIGHTS, 0, -1):
                students = 900 + 137 * number - back + (back * (number + 7)) % 11
                sent = partial(delivered, connection, name, rows=students * 9, students=students, set_aside=number % 4)
                sent(TONIGHT - timedelta(days=back), "published", why=PUBLISHED)
            if state in NO_DELIVERY:
                record_night(connection, name, TONIGHT, state, message=why)
            else:
                sent(TONIGHT, state, why=why)
        connection.execute("update rollcall.district set name = name || ' Unified' where name not like '% %'")
        connection.execute(
            "update rollcall.delivery set arrived_at = decided_at - interval '1 second' * (20 + delivery_id % 77)"
            " where run_id like 'run_%'"
        )


def take(browser: Browser, name: str, path: str, size: tuple[int, int], theme: str = "light") -> None:
    """Take one picture."""
    browser.driver.set_window_size(*size)
    browser.driver.execute_cdp_cmd(
        "Emulation.setEmulatedMedia", {"features": [{"name": "prefers-color-scheme", "value": theme}]}
    )
    browser.driver.get(browser.address + path)
    browser.find("main")
    browser.driver.save_screenshot(str(IMAGES / f"{name}.png"))
    print(f"docs/images/{name}.png")


if __name__ == "__main__":
    sys.exit(main())
