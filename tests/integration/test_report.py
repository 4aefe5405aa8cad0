"""The step ``report``: the receipt, the night's outcome, and who is told."""

import csv
import io
from collections.abc import Callable, Iterator
from datetime import date
from pathlib import Path

import pytest
from helpers.deliveries import execute, query
from helpers.inbox import Server, district, sftp_server

from rollcall import ledger
from rollcall.ledger import Delivery, DeliveryFile
from rollcall.report import receipt as receipt_module
from rollcall.report.receipt import receipt_csv
from rollcall.report.report import report
from rollcall.settings import settings
from rollcall.warehouse import connect

NIGHT = date(2026, 11, 23)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with sftp_server(tmp_path_factory.mktemp("sftp"), "maple") as running:
        yield running


@pytest.fixture(autouse=True)
def world(warehouse_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("AIRFLOW_CONN_WAREHOUSE", warehouse_url)
    monkeypatch.setenv("ROLLCALL_ARCHIVE_URL", (tmp_path / "archive").as_uri())
    settings.cache_clear()
    yield
    settings.cache_clear()


@pytest.fixture
def delivery(warehouse_url: str) -> Delivery:
    """A delivery of two files, judged."""
    with connect() as connection:
        ledger.record_district(connection, district())
        opened = ledger.open_delivery(connection, "maple", NIGHT, "run_1", "inbox")
        files = [DeliveryFile(opened.delivery_id, name, f"{name}.csv", "", "", 0) for name in ("users", "orgs")]
        ledger.record_files(connection, opened.delivery_id, files)
        connection.execute("update rollcall.delivery_file set rows_landed = 9, rows_set_aside = 2 where file = 'users'")
        ledger.set_state(connection, opened.delivery_id, "received")
        return ledger.delivery(connection, opened.delivery_id)


@pytest.fixture
def log() -> list[str]:
    return []


@pytest.fixture
def close_night(server: Server, log: list[str]) -> Callable[..., str]:
    def act(*failed_tasks: str, run_id: str = "run_1") -> str:
        return report(district(), NIGHT, run_id, server.account(), failed_tasks=failed_tasks, log=log.append)

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


def lines(delivery: Delivery) -> list[list[str]]:
    with connect() as connection:
        return list(csv.reader(io.StringIO(receipt_csv(connection, delivery))))


def night(url: str) -> tuple[object, ...]:
    return query(url, "select outcome, message, delivery_id, run_id from rollcall.night")[0]


def test_the_receipt_says_what_was_read_and_what_is_wrong_first_things_first(
    warehouse_url: str, delivery: Delivery
) -> None:
    number = delivery.delivery_id
    found(warehouse_url, number, "users", "user_role", "critical", (12, "7"), (3, "5"))
    found(warehouse_url, number, "users", "user_email", "info", (4, "6"))
    found(warehouse_url, number, "users", "user_grades", "warning", (5, "8"))
    found(warehouse_url, number, "orgs", "org_name", "warning", (2, "1"))
    found(warehouse_url, number, "orgs", "org_type", "critical")  # passed
    assert lines(delivery) == [
        ["delivery", str(number), "night", "2026-11-23", "verdict", "received", ""],
        ["users", "read", "9", "set aside", "2", "", ""],
        ["file", "row", "sourcedId", "column", "severity", "code", "records"],
        ["orgs", "", "", "", "warning", "org_name", "1"],
        ["orgs", "2", "1", "role", "warning", "org_name", "1"],
        ["users", "", "", "", "critical", "user_role", "2"],
        ["users", "3", "5", "role", "critical", "user_role", "1"],
        ["users", "12", "7", "role", "critical", "user_role", "1"],
        ["users", "", "", "", "warning", "user_grades", "1"],
        ["users", "5", "8", "role", "warning", "user_grades", "1"],
        ["users", "", "", "", "info", "user_email", "1"],
        ["users", "4", "6", "role", "info", "user_email", "1"],
    ]


def test_a_long_receipt_keeps_the_worst_rows_and_every_count(
    warehouse_url: str, delivery: Delivery, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(receipt_module, "MOST_ROWS", 1)
    found(warehouse_url, delivery.delivery_id, "orgs", "org_name", "info", (2, "1"), (3, "2"))
    found(warehouse_url, delivery.delivery_id, "users", "user_role", "warning", (4, "5"), (5, "6"))
    assert [line[:2] + line[5:] for line in lines(delivery)[3:]] == [
        ["orgs", "", "org_name", "2"],
        ["users", "", "user_role", "2"],
        ["users", "4", "user_role", "1"],
    ]


def test_the_receipt_lies_in_the_districts_account_and_in_the_archive(
    server: Server, delivery: Delivery, close_night: Callable[..., str], tmp_path: Path
) -> None:
    close_night()
    name = f"2026-11-23-{delivery.delivery_id}-receipt.csv"
    content = (server.receipts() / name).read_bytes()
    assert content.startswith(b"delivery,")
    assert (tmp_path / "archive" / "maple" / "receipts" / name).read_bytes() == content


def test_an_account_that_is_away_costs_only_the_districts_copy(
    delivery: Delivery, log: list[str], tmp_path: Path, server: Server
) -> None:
    account = server.account(password="of last year")
    report(district(), NIGHT, "run_1", account, failed_tasks=(), log=log.append)
    assert any(line.startswith("The receipt lies in the archive only: ") for line in log)
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
    assert f"maple, night of 2026-11-23: {outcome}: Nothing came." in log


def test_a_task_that_failed_is_named_with_what_readers_see(
    warehouse_url: str, delivery: Delivery, close_night: Callable[..., str]
) -> None:
    assert close_night("gate", "land") == "failed"
    assert night(warehouse_url)[1] == (
        "gate, land failed. Read the task's log, then clear it. Nothing was ever published."
    )
    execute(
        warehouse_url,
        "insert into rollcall.publication values ('maple', 1, %s, '2026-11-20', now(), null)",
        delivery.delivery_id,
    )
    close_night("gate")
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
    monkeypatch.setenv("ROLLCALL_OPERATORS_EMAIL", "operators@example.org")
    settings.cache_clear()
    execute(warehouse_url, "update rollcall.delivery set state = 'rejected'")
    close_night()
    assert any("rejected" in line for line in log)
    assert "The e-mail could not be sent" not in " ".join(log)
