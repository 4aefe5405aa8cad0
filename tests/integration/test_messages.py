"""Messages to people, by a real SMTP server and a real HTTP receiver: what they say, to whom, and how often."""

import json
from collections.abc import Iterator
from datetime import UTC, date, datetime
from pathlib import Path

import pytest
from helpers.deliveries import execute, query
from helpers.inbox import Server, district, sftp_server
from helpers.logged import heard_by
from helpers.on_record import rekeyed
from helpers.post import Post, operators_post

from rollcall import ledger
from rollcall.ledger import DeliveryFile
from rollcall.report.notices import MOST_A_NIGHT, tell_at_once
from rollcall.report.notify import Message, notify
from rollcall.report.posting import leave_receipt
from rollcall.report.rekeyings import tell_of_failed_rekeyings
from rollcall.report.report import report
from rollcall.report.roll_up import send_roll_up
from rollcall.settings import PROJECT_ROOT, working_on
from rollcall.states import DeliveryState
from rollcall.warehouse import WarehouseError, connect

NIGHT = date(2026, 11, 23)
MORNING = datetime(2026, 11, 23, 11, 15, tzinfo=UTC)
DEFAULTS = PROJECT_ROOT / "dags" / "districts" / "_defaults.yaml"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with sftp_server(tmp_path_factory.mktemp("sftp"), "maple") as running:
        yield running


@pytest.fixture
def post(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Post]:
    """A mail server and a chat, both of them the operators'."""
    with operators_post(monkeypatch, tmp_path / "airflow") as arrived:
        yield arrived


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    """A folder of district files."""
    place = tmp_path / "districts"
    place.mkdir()
    (place / "_defaults.yaml").write_bytes(DEFAULTS.read_bytes())
    with working_on(districts_dir=place, archive_url=(tmp_path / "archive").as_uri()):
        yield place


def one_night(name: str, outcome: str, set_aside: int = 0) -> int:
    """A district's night that ended so; its delivery's number, or 0."""
    known = district(name)
    with connect(role=None) as connection:
        ledger.record_district(connection, known)
        if outcome in ("missing", "unreachable", "failed"):
            ledger.record_night(connection, name, NIGHT, outcome, message=f"{name} has a reason.", run_id="run")
            return 0
        opened = ledger.open_delivery(connection, known, NIGHT, "run", "inbox")
        file = DeliveryFile(opened.delivery_id, "users", "users.csv", "", "", 0)
        ledger.record_files(connection, opened.delivery_id, [file])
        connection.execute(
            "update rollcall.delivery_file set rows_landed = 90, rows_set_aside = %s where delivery_id = %s",
            (set_aside, opened.delivery_id),
        )
        connection.execute(
            "update rollcall.delivery set set_aside = %s where delivery_id = %s", (set_aside, opened.delivery_id)
        )
        ledger.set_state(connection, opened.delivery_id, DeliveryState(outcome), f"{name} has a reason.")
        ledger.record_night(connection, name, NIGHT, outcome, delivery_id=opened.delivery_id)
        return opened.delivery_id


def test_the_roll_up_names_what_needs_a_person_and_counts_the_rest(
    warehouse_url: str, post: Post, folder: Path
) -> None:
    one_night("alder", "published")
    one_night("birch", "published", set_aside=1_234)
    one_night("cedar", "unchanged")
    one_night("dogwood", "held")
    one_night("elm", "missing")
    (folder / "elm.yaml").write_text("name: Elm\n")
    (folder / "fir.yaml").write_text("name: Fir\npauses: [{first_night: 2026-11-01, last_night: 2026-12-31}]\n")
    with working_on(airflow_url="https://airflow.example.org"):
        assert send_roll_up(MORNING)
        assert not send_roll_up(MORNING), "once a night"
    ((recipients, mail),) = post.mails
    assert recipients == ["ops@example.org", "night@example.org"]
    assert mail["subject"] == (
        "Rollcall: night of 2026-11-23: 1 on hold, 1 missing, 2 published, 1 unchanged, 1 paused"
    )
    text = post.texts()
    for words in (
        "On hold, 1. You: Read why, then press Approve or Discard.",
        "- dogwood: never published. dogwood has a reason.",
        "- elm: never published. elm has a reason.",
        "Records set aside: 1,234. birch 1,234.",
        "https://airflow.example.org/rollcall/",
        "You: Read why, then press Approve or Discard. https://airflow.example.org/rollcall/operate/held",
    ):
        assert words in text
    assert "fir" not in text
    ((chat),) = post.posted
    assert chat["title"] == mail["subject"]
    assert "dogwood has a reason." in chat["message"]


def test_new_ids_that_could_not_be_built_are_told_at_once_and_in_the_roll_up(
    warehouse_url: str, post: Post, folder: Path
) -> None:
    one_night("alder", "published")
    with connect(role=None) as connection:
        rekeyed(connection, "alder", NIGHT, 1, "conform_failed", "hist_users: SQLSTATE 23514")
    for _ in range(2):
        tell_of_failed_rekeyings()
    send_roll_up(MORNING)
    assert [str(mail["subject"]) for _, mail in post.mails] == [
        "Rollcall: alder, new ids: conform_failed",
        "Rollcall: night of 2026-11-23: 1 build failed",
    ]
    assert post.texts().count("are not published: hist_users: SQLSTATE 23514. Readers keep the old ones.") >= 2


def test_a_roll_up_of_many_districts_stays_short(warehouse_url: str, post: Post, folder: Path) -> None:
    for number in range(30):
        one_night(f"d{number:02}", "missing")
    send_roll_up(MORNING)
    text = post.texts()
    assert "and 10 more" in text
    assert "d29" not in text


def test_what_all_districts_share_is_told_once_a_night(
    warehouse_url: str, post: Post, folder: Path, server: Server
) -> None:
    for outcome in ("unreachable", "failed"):
        for number in range(12):
            one_night(f"d{number:02}", outcome)
            report(district(f"d{number:02}"), NIGHT, "run", server.account(), failed_tasks=())
    assert [str(mail["subject"]) for _, mail in post.mails] == [
        "Rollcall: d00, night of 2026-11-23: unreachable",
        "Rollcall: d00, night of 2026-11-23: failed",
    ]
    assert "no other message comes" in post.texts()
    assert len(post.posted) == 2


def test_holds_and_rejections_are_told_at_once_each_once_and_not_without_end(warehouse_url: str, post: Post) -> None:
    for _ in range(2):
        for number in range(MOST_A_NIGHT + 5):
            with working_on(airflow_url="http://inside:8080", airflow_public_url="https://airflow.example.org"):
                tell_at_once(NIGHT, "held", str(number), Message(f"delivery {number} is held", ("Why.",)))
    assert [str(mail["subject"]) for _, mail in post.mails] == [
        f"Rollcall: delivery {number} is held" for number in range(MOST_A_NIGHT)
    ]
    assert post.texts().count("the roll-up names those that follow") == 1
    assert post.texts().count("What to do: https://airflow.example.org/rollcall/operate/held") == MOST_A_NIGHT


def test_while_the_warehouse_is_away_nobody_hears_a_thing(warehouse_url: str, post: Post, server: Server) -> None:
    with working_on(warehouse="postgresql://nobody@127.0.0.1:1/nowhere"):
        for number in range(3):
            with pytest.raises(WarehouseError):
                report(district(f"d{number}"), NIGHT, "run", server.account(), failed_tasks=("check",))
    assert (post.mails, post.posted) == ([], [])


CONTACTS = {"contacts": ("data@maple.example",)}


def test_the_contacts_get_their_receipt_once_when_it_is_for_them(
    warehouse_url: str, post: Post, folder: Path, server: Server
) -> None:
    told = (("rejected", 0), ("held", 0), ("published", 2))
    fine = (("published", 0), ("unchanged", 0))
    hears = [("when_needed", *each, True) for each in told] + [("when_needed", *each, False) for each in fine]
    hears += [("each_night", *each, True) for each in fine] + [("never", *told[0], False)]
    for place, (wish, outcome, set_aside, is_told) in enumerate(hears):
        post.mails.clear()
        number = one_night(f"maple-{place}", outcome, set_aside)
        maple = district(f"maple-{place}", **CONTACTS, tell_contacts=wish)
        for _ in range(2):
            leave_receipt(maple, number, server.account())
        expected = [["data@maple.example"]] if is_told else []
        assert [recipients for recipients, _ in post.mails] == expected, (wish, outcome, set_aside)
        for _, mail in post.mails:
            assert str(mail["subject"]).startswith("Rollcall: your roster of 2026-11-23: ")
            (attached,) = mail.iter_attachments()
            assert attached.get_filename() == f"2026-11-23-{number}-receipt.html"
            assert "What you have to do: " in post.texts()
    assert post.posted == [], "the operators' chat is not the district's"


def test_a_district_hears_again_once_its_delivery_stands_otherwise(
    warehouse_url: str, post: Post, folder: Path, server: Server
) -> None:
    number = one_night("maple", "held")
    maple = district("maple", **CONTACTS, tell_contacts="each_night")
    leave_receipt(maple, number, server.account())
    execute(warehouse_url, "update rollcall.delivery set state = 'published'")
    leave_receipt(maple, number, server.account())
    assert [str(mail["subject"]).split(": ")[2] for _, mail in post.mails] == ["On hold", "Published"]


def test_law_7_no_address_is_in_the_log_or_the_ledger_and_no_trouble_with_mail_stops_a_night(
    warehouse_url: str, post: Post, folder: Path, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    lines: list[str] = []
    where = {"conn_type": "smtp", "host": "127.0.0.1", "port": 1, "extra": {"retry_limit": 0, "disable_ssl": True}}
    monkeypatch.setenv("AIRFLOW_CONN_SMTP_DEFAULT", json.dumps(where))
    number = one_night("maple", "rejected")
    with heard_by(lines.append), working_on(operators_urls="json://127.0.0.1:1/secret nonsense://"):
        assert report(district("maple", **CONTACTS), NIGHT, "run", server.account(), failed_tasks=()) == "rejected"
        notify(Message("A subject", ("A line.",)))
    told = " ".join([*lines, *map(str, query(warehouse_url, "select * from rollcall.notice"))])
    assert "could not be sent" in told
    assert "receipt_rejected" in told
    for secret in ("maple.example", "ops@example.org", "secret"):
        assert secret not in told
    assert number
