"""What a run claimed that ended inside ``receive``: on a real SFTP server, a real archive and a real ledger."""

import hashlib
import os
from collections.abc import Callable, Iterator
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from helpers.deliveries import execute, query
from helpers.inbox import Server, district, everything_in, put, sftp_server
from helpers.logged import heard_by

from rollcall.archive.receive import put_claims_back
from rollcall.ledger import has_broken_off
from rollcall.settings import working_on
from rollcall.steps import Receipt, receive
from rollcall.warehouse import connect

NIGHT = 1_763_900_000
HOURS = 3600
FILES = {"orgs.csv": b"sourcedId\n1\n", "users.csv": b"sourcedId\n7\n"}
TONIGHT = {"orgs.csv": b"sourcedId\n1\n2\n", "users.csv": b"sourcedId\n7\n8\n"}


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    with sftp_server(tmp_path / "sftp", "maple") as running:
        yield running


@pytest.fixture
def inbox(server: Server) -> Path:
    return server.inbox()


@pytest.fixture(autouse=True)
def archive(warehouse_url: str, tmp_path: Path) -> Iterator[Path]:
    with working_on(archive_url=(tmp_path / "archive").as_uri()):
        yield tmp_path / "archive"


@pytest.fixture
def take_in(server: Server) -> Callable[..., Receipt]:
    def run(run_id: str = "run_2", **changes: Any) -> Receipt:
        return receive(district(**changes), server.account(), service_date=date(2026, 11, 24), run_id=run_id)

    return run


TakeIn = Callable[..., Receipt]


@pytest.fixture
def broken_off(warehouse_url: str) -> int:
    """The number of a delivery that a run opened, and was killed before it could archive a file."""
    execute(
        warehouse_url, "insert into rollcall.district values ('maple', 'Maple', 'inclusive') on conflict do nothing"
    )
    query(warehouse_url, "select setval(pg_get_serial_sequence('rollcall.delivery', 'delivery_id'), 10)")
    execute(
        warehouse_url,
        "insert into rollcall.delivery (district_id, service_date, run_id, source)"
        " values ('maple', '2026-11-23', 'run_1', 'inbox')",
    )
    return int(query(warehouse_url, "select max(delivery_id) from rollcall.delivery")[0][0])


def claim(inbox: Path, number: int | str, files: dict[str, bytes], *, moment: int = NIGHT) -> None:
    """What a killed run leaves: files in its claim."""
    folder = inbox / ".rollcall" / str(number)
    folder.mkdir(parents=True, exist_ok=True)
    lay(folder, files, moment)


def lay(folder: Path, files: dict[str, bytes], moment: int = NIGHT) -> None:
    """Have files in a folder, last changed at a moment."""
    put(folder, files)
    for name in files:
        os.utime(folder / name, (moment, moment))


def kept(archive: Path) -> set[bytes]:
    return {path.read_bytes() for path in archive.glob("maple/??/*")}


def come_back(server: Server) -> list[str]:
    """What is said before a run waits."""
    lines: list[str] = []
    with heard_by(lines.append):
        put_claims_back(district(), server.account())
    return lines


def left_behind(url: str, receipt: Receipt) -> list[str]:
    statement = "select file from rollcall.delivery_file where delivery_id = %s and file like 'left%%' order by file"
    return [file for (file,) in query(url, statement, receipt.delivery.delivery_id)]


def test_law_1_what_an_interrupted_run_claimed_is_in_the_inbox_again_before_the_next_one_waits(
    server: Server, inbox: Path, broken_off: int
) -> None:
    claim(inbox, broken_off, FILES)
    assert come_back(server) == ["An earlier run was interrupted; in the inbox again: orgs.csv, users.csv."]
    assert everything_in(inbox) == FILES
    assert not (inbox / ".rollcall").exists()
    assert come_back(server) == []


def test_the_other_half_of_a_claim_lies_beside_it_again(inbox: Path, broken_off: int, take_in: TakeIn) -> None:
    claim(inbox, broken_off, {"orgs.csv": FILES["orgs.csv"]})
    lay(inbox, {"users.csv": FILES["users.csv"]}, NIGHT + 60)
    assert take_in().files == ("orgs", "users")
    assert everything_in(inbox) == {}


def test_law_1_what_a_newer_set_has_overtaken_is_archived_and_told(
    inbox: Path, archive: Path, broken_off: int, take_in: TakeIn, warehouse_url: str
) -> None:
    claim(inbox, broken_off, FILES | {"results.csv": b"of that night"})
    lay(inbox, TONIGHT, NIGHT + 24 * HOURS)
    receipt = take_in()
    assert receipt.files == ("orgs", "users")
    assert everything_in(inbox) == {}
    assert kept(archive) == {*FILES.values(), *TONIGHT.values(), b"of that night"}
    hashes = {name: hashlib.sha256(content).hexdigest()[:8] for name, content in FILES.items()}
    hashes["results.csv"] = hashlib.sha256(b"of that night").hexdigest()[:8]
    assert left_behind(warehouse_url, receipt) == [
        f"left_behind/{broken_off}/{name}/{start}" for name, start in sorted(hashes.items())
    ]
    told = query(warehouse_url, "select severity, detail from rollcall.check_result where code = 'file_left_behind'")
    assert told == [("info", "It was orgs.csv, results.csv, users.csv.")]
    assert receipt.delivery.packaging == "loose"


def test_a_claimed_zip_does_not_come_before_a_newer_set(
    inbox: Path, archive: Path, broken_off: int, take_in: TakeIn
) -> None:
    claim(inbox, broken_off, {"night.zip": b"of last night"})
    lay(inbox, TONIGHT, NIGHT + HOURS)
    receipt = take_in()
    assert (receipt.files, receipt.delivery.packaging) == (("orgs", "users"), "loose")
    assert b"of last night" in kept(archive)
    assert everything_in(inbox) == {}


def test_claims_of_several_runs_come_back_without_mixing_nights(server: Server, inbox: Path, broken_off: int) -> None:
    claim(inbox, broken_off, TONIGHT, moment=NIGHT + 24 * HOURS)
    claim(inbox, broken_off - 1, FILES | {"classes.csv": b"of old"}, moment=NIGHT)
    come_back(server)
    assert {path.name: path.read_bytes() for path in inbox.glob("*.csv")} == TONIGHT
    assert {path.name for path in (inbox / ".rollcall").rglob("*.csv")} == {*FILES, "classes.csv"}


def test_a_run_that_is_cleared_finds_its_files_wherever_they_are_now(
    server: Server, inbox: Path, broken_off: int, take_in: TakeIn
) -> None:
    claim(inbox, broken_off, FILES)
    come_back(server)
    assert take_in("run_1").delivery.delivery_id == broken_off
    assert everything_in(inbox) == {}


def test_a_run_that_is_cleared_keeps_its_claim_from_one_before_it(
    inbox: Path, archive: Path, broken_off: int, take_in: TakeIn
) -> None:
    claim(inbox, broken_off, TONIGHT, moment=NIGHT + 60)
    claim(inbox, broken_off - 1, FILES, moment=NIGHT)
    assert take_in("run_1").files == ("orgs", "users")
    assert everything_in(inbox) == {}
    assert kept(archive) == {*FILES.values(), *TONIGHT.values()}


def test_what_the_ledger_has_of_a_claim_is_dropped_and_what_changed_since_is_kept(
    inbox: Path, archive: Path, take_in: TakeIn, warehouse_url: str
) -> None:
    """A run that was killed after it had archived its claim, and before it had deleted it."""
    lay(inbox, FILES)
    first = take_in("run_1").delivery.delivery_id
    claim(inbox, first, {"orgs.csv": FILES["orgs.csv"]})
    claim(inbox, first, {"users.csv": b"changed"}, moment=NIGHT + 1)
    lay(inbox, TONIGHT, NIGHT + 24 * HOURS)
    receipt = take_in("run_2")
    assert [path.rsplit("/", 1)[0] for path in left_behind(warehouse_url, receipt)] == [
        f"left_behind/{first}/users.csv"
    ]
    assert kept(archive) == {*FILES.values(), *TONIGHT.values(), b"changed"}
    assert everything_in(inbox) == {}


def test_while_a_run_is_at_work_its_claim_is_left_alone(
    server: Server, inbox: Path, broken_off: int, warehouse_url: str
) -> None:
    import psycopg

    claim(inbox, broken_off, FILES)
    with psycopg.connect(warehouse_url, autocommit=True) as at_work:
        at_work.execute("select pg_advisory_lock(hashtextextended('rollcall.receive.maple', 0))")
        assert come_back(server) == []
        assert not list(inbox.glob("*.csv"))
    assert len(come_back(server)) == 1


def test_an_ordinary_night_has_no_reason_to_look(
    inbox: Path, broken_off: int, take_in: TakeIn, warehouse_url: str
) -> None:
    def has_reason(run_id: str) -> bool:
        with connect() as connection:
            return has_broken_off(connection, "maple", run_id)

    assert has_reason("run_2")
    assert not has_reason("run_1"), "the run itself goes on where it stopped"
    lay(inbox, FILES)
    take_in("run_2")
    assert not has_reason("run_3"), "whatever lay in claims was seen to"
    execute(warehouse_url, "update rollcall.delivery set source = 'injected/0'")
    assert not has_reason("run_4")


def test_an_account_that_is_away_keeps_no_run_from_waiting(server: Server, inbox: Path, broken_off: int) -> None:
    claim(inbox, broken_off, FILES)
    server.stop()
    (line,) = come_back(server)
    assert line.startswith("What an earlier run may have claimed stays claimed: ")
    server.start()


def test_what_is_more_than_a_district_may_send_stays_where_it_is(
    inbox: Path, archive: Path, broken_off: int, take_in: TakeIn
) -> None:
    small = {"file_mib": 0.001, "delivery_mib": 0.001, "unpacked_mib": 1, "files": 2}
    claim(inbox, broken_off, FILES | {"vast.csv": b"x" * 2000, "third.csv": b"3"})
    lay(inbox, TONIGHT, NIGHT + 24 * HOURS)
    upload = type(district().upload).model_validate(small)
    assert take_in(upload=upload).files == ("orgs", "users")
    assert {Path(name).name for name in everything_in(inbox) if not name.endswith("/")} == {"users.csv", "vast.csv"}
    lay(inbox, FILES, NIGHT + 48 * HOURS)
    take_in("run_3", upload=upload)
    assert {Path(name).name for name in everything_in(inbox) if not name.endswith("/")} == {"vast.csv"}


@pytest.mark.parametrize(
    "make",
    [
        lambda claims: claims.write_bytes(b"a file"),
        lambda claims: claims.symlink_to("../receipts"),
        lambda claims: claims.symlink_to("."),
        lambda claims: (claims / "007").mkdir(parents=True),
        lambda claims: (claims / ("9" * 30)).mkdir(parents=True),
        lambda claims: (claims / "mine" / "deeper").mkdir(parents=True),
        lambda claims: (claims / "77" / "deeper").mkdir(parents=True),
        lambda claims: (claims.mkdir(), (claims / "77").symlink_to("../../receipts")),
        lambda claims: (claims.mkdir(), (claims / "77").write_bytes(b"a file")),
        lambda claims: (claims.mkdir(), (claims / os.fsdecode(b"\xff")).mkdir()),
    ],
)
def test_what_a_district_makes_of_the_folder_of_claims_keeps_no_delivery_out(
    server: Server, inbox: Path, broken_off: int, take_in: TakeIn, make: Callable[[Path], object]
) -> None:
    (server.receipts() / "receipt.html").write_bytes(b"a receipt")
    make(inbox / ".rollcall")
    lay(inbox, FILES)
    assert come_back(server) == []
    assert take_in().files == ("orgs", "users")
    assert not list(inbox.glob("*.csv"))
    assert (server.receipts() / "receipt.html").read_bytes() == b"a receipt"


def test_names_that_are_no_text_come_back_as_what_they_are(server: Server, inbox: Path, broken_off: int) -> None:
    claim(inbox, broken_off, {os.fsdecode(b"caf\xe9.csv"): b"x"})
    assert come_back(server) == [r"An earlier run was interrupted; in the inbox again: caf\xe9.csv."]
    assert everything_in(inbox) == {os.fsdecode(b"caf\xe9.csv"): b"x"}
