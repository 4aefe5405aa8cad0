"""The step ``report``: the receipt, the night's outcome, and who is told."""

import csv
import io
import json
import re
import shutil
from collections.abc import Callable, Iterator
from datetime import date
from html import unescape
from pathlib import Path

import pytest
from helpers.deliveries import execute, query
from helpers.inbox import Server, district, sftp_server
from helpers.logged import heard_by

from rollcall import findings, ledger
from rollcall.airflow.operators.hold import HoldOperator
from rollcall.decision.reasons import Reason
from rollcall.ledger import Delivery, DeliveryFile
from rollcall.report.posting import leave_receipt
from rollcall.report.receipt import Receipt, receipt_of
from rollcall.report.receipt_csv import findings_csv, summary_csv
from rollcall.report.receipt_page import receipt_html
from rollcall.report.report import report
from rollcall.settings import PROJECT_ROOT, working_on
from rollcall.states import DeliveryState
from rollcall.warehouse import connect

NIGHT = date(2026, 11, 23)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with sftp_server(tmp_path_factory.mktemp("sftp"), "maple") as running:
        yield running


@pytest.fixture(autouse=True)
def world(warehouse_url: str, tmp_path: Path) -> Iterator[None]:
    with working_on(archive_url=(tmp_path / "archive").as_uri()):
        yield


@pytest.fixture
def delivery(warehouse_url: str) -> Delivery:
    """A delivery of two files, judged."""
    with connect() as connection:
        ledger.record_district(connection, district())
        opened = ledger.open_delivery(connection, district(), NIGHT, "run_1", "inbox")
        files = [DeliveryFile(opened.delivery_id, name, f"{name}.csv", "", "", 0) for name in ("users", "orgs")]
        ledger.record_files(connection, opened.delivery_id, files)
        connection.execute("update rollcall.delivery_file set rows_landed = 9, rows_set_aside = 2 where file = 'users'")
        ledger.set_state(connection, opened.delivery_id, DeliveryState.RECEIVED)
        return ledger.delivery(connection, opened.delivery_id)


@pytest.fixture
def log() -> Iterator[list[str]]:
    """What is logged during the test."""
    lines: list[str] = []
    with heard_by(lines.append):
        yield lines


@pytest.fixture
def close_night(server: Server, log: list[str]) -> Callable[..., str]:
    def act(*failed_tasks: str, run_id: str = "run_1") -> str:
        return report(district(), NIGHT, run_id, server.account(), failed_tasks=failed_tasks)

    return act


def found(url: str, delivery_id: int, file: str, code: str, severity: str, *rows: tuple[int, str]) -> None:
    execute(
        url,
        "insert into rollcall.check_result values (%s, %s, %s, %s, 9, %s)",
        delivery_id,
        file,
        code,
        severity,
        len(rows),
    )
    for number, sourced_id in rows:
        execute(
            url,
            "insert into rollcall.row_finding values (%s, %s, %s, %s, %s, %s, 'role')",
            delivery_id,
            file,
            code,
            severity,
            number,
            sourced_id,
        )


def receipt(delivery: Delivery) -> Receipt:
    with connect() as connection:
        return receipt_of(connection, district(), ledger.delivery(connection, delivery.delivery_id))


def table(text: str) -> list[list[str]]:
    """A CSV's lines, which are as long as its header."""
    header, *lines = list(csv.reader(io.StringIO(text)))
    assert {len(line) for line in lines} <= {len(header)}
    return [header, *lines]


def visible(page: str) -> str:
    """What a reader of the page sees, on one line."""
    body = re.sub(r"<style>.*</style>|<[^>]+>", " ", page, flags=re.DOTALL)
    return " ".join(unescape(body).split())


def set_state(url: str, state: str, reason: str | None = None) -> None:
    execute(url, "update rollcall.delivery set state = %s, state_reason = %s", state, reason)


def hold(url: str, delivery: Delivery, *reasons: Reason) -> None:
    rows = json.dumps([reason.as_row() for reason in reasons])
    execute(url, "insert into rollcall.hold (delivery_id, reasons) values (%s, %s)", delivery.delivery_id, rows)
    set_state(url, "held")


def night(url: str) -> tuple[object, ...]:
    return query(url, "select outcome, message, delivery_id, run_id from rollcall.night")[0]


def test_the_findings_are_a_plain_table_first_things_first(warehouse_url: str, delivery: Delivery) -> None:
    number = delivery.delivery_id
    found(warehouse_url, number, "users", "users_role_invalid", "critical", (12, "7"), (3, "5"))
    found(warehouse_url, number, "users", "users_grades_unknown", "info", (4, "6"))
    found(warehouse_url, number, "orgs", "orgs_name_missing", "warning", (2, "1"))
    found(warehouse_url, number, "orgs", "orgs_type_invalid", "critical")  # passed
    found_in_all(warehouse_url, number, "delivery", "zip_in_folder", "info")
    header, *lines = table(findings_csv(receipt(delivery)))
    assert header == ["file", "row", "sourced_id", "column", "severity", "code", "message"]
    assert [line[:-1] for line in lines] == [
        ["delivery", "", "", "", "info", "zip_in_folder"],
        ["orgs", "2", "1", "role", "warning", "orgs_name_missing"],
        ["users", "3", "5", "role", "critical", "users_role_invalid"],
        ["users", "12", "7", "role", "critical", "users_role_invalid"],
        ["users", "4", "6", "role", "info", "users_grades_unknown"],
    ]
    assert all(line[-1] for line in lines)


def found_in_all(url: str, delivery_id: int, file: str, code: str, severity: str) -> None:
    """Something that was found in no row."""
    execute(url, "insert into rollcall.check_result values (%s, %s, %s, %s, 9, 1)", delivery_id, file, code, severity)


def test_a_long_list_ends_with_how_many_more(
    warehouse_url: str, delivery: Delivery, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(findings, "MOST_ROWS_PER_CODE", 2)
    rows = [(number, str(number)) for number in range(2, 27)]
    found(warehouse_url, delivery.delivery_id, "users", "users_role_invalid", "critical", *rows)
    found(warehouse_url, delivery.delivery_id, "orgs", "orgs_type_invalid", "critical", (2, "1"))
    lines = table(findings_csv(receipt(delivery)))[1:]
    assert [line[:2] for line in lines] == [["orgs", "2"], ["users", "2"], ["users", "3"], ["users", ""]]
    assert lines[-1][-1].startswith("And 23 more rows. ")
    assert "and 23 more" in visible(receipt_html(receipt(delivery)))


def test_an_id_is_no_formula(warehouse_url: str, delivery: Delivery) -> None:
    found(warehouse_url, delivery.delivery_id, "users", "users_role_invalid", "critical", (2, "=1+1"), (3, "-4"))
    assert [line[2] for line in table(findings_csv(receipt(delivery)))[1:]] == ["'=1+1", "-4"]


def test_the_page_escapes_what_it_shows_and_loads_nothing(warehouse_url: str, delivery: Delivery) -> None:
    found(warehouse_url, delivery.delivery_id, "users", "users_role_invalid", "critical", (2, "<script>alert(1)"))
    page = receipt_html(receipt(delivery))
    assert "<script" not in page
    assert "&lt;script&gt;alert(1)" in page
    assert not re.search(r"(src|href)=|@import|url\(", page)


def test_the_counts_of_a_published_delivery_are_what_it_changed(warehouse_url: str, delivery: Delivery) -> None:
    number = delivery.delivery_id
    execute(warehouse_url, "insert into rollcall.change_count values (%s, 'users', 3, 2, 1, 4)", number)
    set_state(warehouse_url, "published")
    header, orgs, users = table(summary_csv(receipt(delivery)))
    assert dict(zip(header, users, strict=True)) == {
        "district": "maple", "night": "2026-11-23", "delivery": str(number), "state": "published", "file": "users",
        "read": "9", "accepted": "7", "set_aside": "2", "changes_are": "were", "added": "3", "changed": "2",
        "removed": "1", "kept": "4",
    }  # fmt: skip
    assert orgs[4:] == ["orgs", "", "", "", "", "", "", "", ""]
    page = visible(receipt_html(receipt(delivery)))
    assert "Published: 7 of 9 records are in the roster, 2 were set aside." in page
    assert "records of the roster were" in page
    assert "users.csv 9 7 2 3 2 1 4" in page


def test_the_counts_of_a_held_delivery_are_what_it_would_change(warehouse_url: str, delivery: Delivery) -> None:
    for school, counts in ((None, (9, 1, 2, 5)), ("990", (9, 7, 7, 7))):
        execute(
            warehouse_url,
            "insert into rollcall.expected_change (delivery_id, file, school_source_id, published, added, changed, "
            "removed, set_aside, rekeyed) values (%s, 'users', %s, %s, %s, %s, %s, 0, 0)",
            delivery.delivery_id,
            school,
            *counts,
        )
    hold(warehouse_url, delivery, Reason("hold_removed", "users: 5 of 9 records would be removed.", "users"))
    assert table(summary_csv(receipt(delivery)))[2][8:] == ["would be", "1", "2", "5", ""]
    page = visible(receipt_html(receipt(delivery)))
    assert "On hold: a person looks at this delivery before it counts." in page
    assert "Why it is on hold users: 5 of 9 records would be removed." in page
    assert "records of the roster would be" in page
    assert table(findings_csv(receipt(delivery)))[1][:6] == ["users", "", "", "", "critical", "hold_removed"]


def test_after_an_approval_the_reasons_are_history(warehouse_url: str, delivery: Delivery) -> None:
    hold(warehouse_url, delivery, Reason("hold_first_delivery", "This is the first delivery."))
    set_state(warehouse_url, "published")
    assert "Why it was on hold" in visible(receipt_html(receipt(delivery)))
    assert table(findings_csv(receipt(delivery)))[1:] == []


@pytest.mark.parametrize("state", list(DeliveryState))
def test_every_state_says_how_it_stands_what_happens_and_what_to_do(
    warehouse_url: str, delivery: Delivery, state: str
) -> None:
    set_state(warehouse_url, state, "PRIVATE REMARK of an operator")
    page = visible(receipt_html(receipt(delivery)))
    assert re.search(r"[A-Z][a-z ]+: [^.]+\. What happens next \S.*\. What you have to do \S.*\.", page)
    assert "{" not in page
    assert "PRIVATE REMARK" not in page


def test_the_receipt_lies_in_the_districts_account_and_in_the_archive(
    server: Server, delivery: Delivery, close_night: Callable[..., str], tmp_path: Path
) -> None:
    close_night()
    kinds = ("receipt.html", "receipt.csv", "summary.csv")
    for name in (f"2026-11-23-{delivery.delivery_id}-{kind}" for kind in kinds):
        content = (server.receipts() / name).read_bytes()
        assert content
        assert (tmp_path / "archive" / "maple" / "receipts" / name).read_bytes() == content


def test_a_new_receipt_makes_old_ones_go_from_the_account_but_of_what_waits(
    warehouse_url: str, server: Server, delivery: Delivery, close_night: Callable[..., str]
) -> None:
    long_ago = "now() - interval '401 days'"
    statement = (
        "insert into rollcall.delivery (district_id, service_date, run_id, state, arrived_at, decided_at)"
        f" values ('maple', '2025-10-01', %s, %s, {long_ago}, {long_ago}) returning delivery_id"
    )
    ((rejected,), (held,)) = (query(warehouse_url, statement, state, state)[0] for state in ("rejected", "held"))
    names = [f"2025-10-01-{number}-summary.csv" for number in (rejected, held)] + ["2025-10-01-notes.txt"]
    for name in names:
        (server.receipts() / name).write_text("old")
    close_night()
    assert [(server.receipts() / name).exists() for name in names] == [False, True, True]
    assert (server.receipts() / f"2026-11-23-{delivery.delivery_id}-summary.csv").exists()


def test_a_receipt_is_replaced_when_the_delivery_is_settled(
    warehouse_url: str, server: Server, delivery: Delivery, close_night: Callable[..., str]
) -> None:
    page = server.receipts() / f"2026-11-23-{delivery.delivery_id}-receipt.html"
    hold(warehouse_url, delivery, Reason("hold_first_delivery", "This is the first delivery."))
    leave_receipt(district(), delivery.delivery_id, server.account())
    assert "On hold:" in page.read_text()
    set_state(warehouse_url, "published")
    close_night()
    assert "Published:" in page.read_text()
    assert "On hold:" not in page.read_text()


def test_an_account_that_is_away_costs_only_the_districts_copy(
    delivery: Delivery, log: list[str], tmp_path: Path, server: Server
) -> None:
    account = server.account(password="of last year")
    report(district(), NIGHT, "run_1", account, failed_tasks=())
    assert any(f"Delivery {delivery.delivery_id}: The receipt lies in the archive only: " in line for line in log)
    assert list((tmp_path / "archive" / "maple" / "receipts").iterdir())


@pytest.mark.parametrize(
    ("state", "told"),
    [
        ("published", False),
        ("unchanged", False),
        ("held", False),
        ("same_as_held", False),
        ("discarded", False),
        ("superseded", False),
        ("rejected", True),
        ("conform_failed", True),
        ("audit_failed", True),
    ],
)
def test_a_nights_outcome_is_its_deliverys_state_and_bad_news_is_told(
    warehouse_url: str, delivery: Delivery, close_night: Callable[..., str], log: list[str], state: str, told: bool
) -> None:
    execute(warehouse_url, "update rollcall.delivery set state = %s", state)
    assert close_night() == state
    outcome, message, number, run_id = night(warehouse_url)
    assert (outcome, number, run_id) == (state, delivery.delivery_id, "run_1")
    assert message
    assert any(line.startswith(f"maple, night of 2026-11-23: {state}: ") for line in log) is told


def test_the_reason_of_a_state_is_the_nights_message(
    warehouse_url: str, delivery: Delivery, close_night: Callable[..., str]
) -> None:
    execute(warehouse_url, "update rollcall.delivery set state = 'rejected', state_reason = 'No orgs.csv.'")
    close_night()
    assert night(warehouse_url)[1] == "No orgs.csv."


@pytest.mark.parametrize("outcome", ["missing", "incomplete", "unreachable", "refused"])
def test_a_night_without_a_delivery_ends_as_the_sensor_said(
    warehouse_url: str, close_night: Callable[..., str], log: list[str], outcome: str
) -> None:
    with connect() as connection:
        ledger.record_district(connection, district())
        ledger.record_night(connection, "maple", NIGHT, outcome, message="Nothing came.", run_id="run_1")
    assert close_night("wait_for_delivery") == outcome
    assert night(warehouse_url)[:2] == (outcome, "Nothing came.")
    assert (f"maple, night of 2026-11-23: {outcome}: Nothing came." in " ".join(log)) is (
        outcome in ("unreachable", "refused")
    ), "the silence of one district waits for the roll-up"


def test_a_task_that_failed_is_named_with_what_readers_see(
    warehouse_url: str, delivery: Delivery, close_night: Callable[..., str]
) -> None:
    assert close_night("check", "decide") == "failed"
    assert night(warehouse_url)[1] == (
        "check, decide failed. Read the task's log, then clear it. Nothing was ever published."
    )
    execute(
        warehouse_url,
        "insert into rollcall.publication values ('maple', 1, %s, '2026-11-20', now(), null)",
        delivery.delivery_id,
    )
    close_night("check")
    assert str(night(warehouse_url)[1]).endswith("Readers still see the roster of 2026-11-20.")


def test_law_4_reporting_again_writes_the_same(
    warehouse_url: str, delivery: Delivery, close_night: Callable[..., str], server: Server
) -> None:
    execute(warehouse_url, "update rollcall.delivery set state = 'published'")
    close_night()
    before = (night(warehouse_url), sorted(path.read_bytes() for path in server.receipts().iterdir()))
    close_night()
    assert (night(warehouse_url), sorted(path.read_bytes() for path in server.receipts().iterdir())) == before


def test_law_7_a_notice_goes_to_the_log_when_no_mail_server_is_configured(
    warehouse_url: str,
    delivery: Delivery,
    close_night: Callable[..., str],
    log: list[str],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    monkeypatch.setenv("AIRFLOW_HOME", str(tmp_path / "airflow"))
    with working_on(operators_email="operators@example.org"):
        execute(warehouse_url, "update rollcall.delivery set state = 'rejected'")
        close_night()
        assert any("rejected" in line for line in log)
        assert "could not be sent" not in " ".join(log)


def test_a_held_delivery_has_its_receipt_while_it_waits(
    warehouse_url: str, server: Server, delivery: Delivery, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    account = server.account()
    connection = {
        "conn_type": "sftp",
        "host": account.host,
        "port": account.port,
        "login": account.username,
        "password": account.password,
        "extra": {"host_key": account.host_key},
    }
    districts = Path(shutil.copytree(PROJECT_ROOT / "dags" / "districts", tmp_path / "districts"))
    (districts / "maple.yaml").write_text("name: Maple\n")
    monkeypatch.setenv("AIRFLOW_HOME", str(tmp_path / "airflow"))
    monkeypatch.setenv("AIRFLOW_CONN_SFTP_MAPLE", json.dumps(connection))
    with working_on(districts_dir=districts):
        hold(warehouse_url, delivery, Reason("hold_first_delivery", "This is the first delivery."))
        with pytest.raises(KeyError, match="task_instance"):  # the question itself needs a running task
            HoldOperator(task_id="hold", district_id="maple").execute({"run_id": "run_1"})
        page = server.receipts() / f"2026-11-23-{delivery.delivery_id}-receipt.html"
        assert "This is the first delivery." in page.read_text()
