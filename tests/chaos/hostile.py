"""Hostile and broken uploads: nothing of them counts, the neighbor is not kept waiting, the next night is well."""

import os
import time
import zipfile
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

from simulator.upload import Account
from tests.chaos.fault import NOTHING, Fault, Outcome
from tests.chaos.ground import Ground, Night

Harm = Callable[[Path], object]
"""Does something to the inbox as it lies on the server's disk, as the district's own login could."""


def upload_of(ground: Ground, district: str, harm: Harm, ends: Sequence[str], *, stays: bool) -> Outcome:
    """A night with a hostile upload after a good one: it ends as it has to, and the next good night is published.

    What `stays` is left where it lies: the district is told to delete it, and does.
    """
    good = ground.publish(district)
    delivery = ground.write(district, 2)
    night = ground.waiting(district, 2, delivery)
    inbox = ground.state.sftp_root / district / "inbox"
    ground.desk.upload(district, delivery.files)
    since = time.monotonic()
    harm(inbox)
    neighbor = ground.begin_neighbor()
    ended = night.until_state(*ends)
    seconds = time.monotonic() - since
    neighbor.until_published(since)
    if ended != "published":
        assert ground.desk.roster_rows(district) == good.roster_rows, "readers see the last good roster"
    if stays:
        for path in inbox.iterdir():
            path.unlink()
    _next_night(ground, district)
    then = "a newer night takes its place" if ended == "held" else "the next night is published"
    return Outcome(f"{ended}; {then}", seconds, "nothing; the district: delete what it sent" if stays else NOTHING)


def _next_night(ground: Ground, district: str) -> Night:
    """The district sends good files again, in place of what lies there."""
    night = ground.begin(district, 3)
    night.until_published(time.monotonic())
    return night


def huge_and_sparse(inbox: Path) -> None:
    """`truncate users.csv` to 5 GB: it takes milliseconds, and no space."""
    os.truncate(inbox / "users.csv", 5_000_000_000)


def many_files(inbox: Path) -> None:
    """20,000 loose CSV files."""
    for number in range(20_000):
        (inbox / f"extra-{number:05}.csv").write_bytes(b"sourcedId\n1\n")


def odd_names(inbox: Path) -> None:
    """A name that is not UTF-8, and one that would forge a line of a log."""
    Path(os.fsdecode(os.fsencode(inbox) + b"/users-\xff\xfe.csv")).write_bytes(b"sourcedId\n1\n")
    (inbox / "x\nINFO - all is well\x1b[2J.csv").write_bytes(b"sourcedId\n1\n")


def cut_in_mid_line(inbox: Path) -> None:
    """enrollments.csv cut at 96 %, in the middle of a line."""
    path = inbox / "enrollments.csv"
    content = path.read_bytes()
    end = content.index(b"\r\n", int(len(content) * 0.96))
    os.truncate(path, end - 9)


def cut_at_a_line_end(inbox: Path) -> None:
    """enrollments.csv cut at 90 %, behind a whole line: nearer to its end stand only new records, and one teacher's."""
    path = inbox / "enrollments.csv"
    content = path.read_bytes()
    os.truncate(path, content.index(b"\r\n", int(len(content) * 0.9)) + 2)


def many_columns(inbox: Path) -> None:
    """A header of 10,000 columns."""
    path = inbox / "orgs.csv"
    header, _, rest = path.read_bytes().partition(b"\r\n")
    more = b"".join(b",column%d" % number for number in range(10_000))
    path.write_bytes(header + more + b"\r\n" + rest)


def huge_cell(inbox: Path) -> None:
    """A cell of 100 MB."""
    with (inbox / "users.csv").open("ab") as stream:
        stream.write(b'"' + b"x" * 100_000_000 + b'"\r\n')


def a_million_broken_lines(inbox: Path) -> None:
    """A million lines that fit no header."""
    with (inbox / "enrollments.csv").open("ab") as stream:
        for _ in range(100):
            stream.write(b"a,b\r\n" * 10_000)


def zip_bomb(inbox: Path) -> None:
    """A zip of a few kB that unpacks to 4 GB."""
    with (
        zipfile.ZipFile(inbox / "roster.zip", "w", zipfile.ZIP_DEFLATED) as package,
        package.open("users.csv", "w", force_zip64=True) as member,
    ):
        for _ in range(4_000):
            member.write(bytes(1_000_000))


def future_night(ground: Ground, district: str) -> Outcome:
    """A run for a night decades away: it is refused, and real nights go on."""
    good = ground.publish(district)
    far = datetime.now(UTC).date() + timedelta(days=13_000)
    since = time.monotonic()
    ground.desk.upload(district, ground.write(district, 2).files)
    run = ground.desk.start(district, far)
    assert ground.desk.ended(district, run) == "failed", "the run says that there is no such night yet"
    seconds = time.monotonic() - since
    assert ground.desk.published(district)[2] == good.date  # type: ignore[index]
    _next_night(ground, district)
    return Outcome("refused; the next night is published", seconds)


def three_at_once(ground: Ground, district: str) -> Outcome:
    """Three runs of one night: one publishes, none turns red."""
    delivery = ground.write(district, 1)
    nights = [ground.waiting(district, 1, delivery) for _ in range(3)]
    ground.desk.upload(district, delivery.files)
    since = time.monotonic()
    ground.until(f"{district}: published", nights[0].is_published)
    seconds = time.monotonic() - since
    assert [ground.desk.ended(district, night.run_id) for night in nights] == ["success"] * 3
    return Outcome("published once, every run green", seconds)


def guessed(ground: Ground, district: str) -> Outcome:
    """200 wrong passwords for a district's account, while its neighbor and Rollcall work."""
    import paramiko

    login = ground.state.accounts[district]
    night = ground.waiting(district, 1, ground.write(district, 1))
    since, tries = time.monotonic(), 0
    while time.monotonic() - since < 20 and tries < 200:
        transport = paramiko.Transport((ground.state.sftp_host, ground.state.sftp_port))
        try:
            transport.start_client(timeout=10)
            while transport.is_active() and tries < 200:
                tries += 1
                try:
                    transport.auth_password(login.username, f"guess {tries}")
                except paramiko.BadAuthenticationType:
                    break
                except paramiko.AuthenticationException:
                    continue
        except (paramiko.SSHException, EOFError, OSError):
            continue
        finally:
            transport.close()
    assert tries < 60, f"{tries} passwords were tried in {time.monotonic() - since:.0f} s"
    _upload_when_let_in(ground, district, night)
    return Outcome(f"{tries} guesses in 20 s; published", night.until_published(since))


def _upload_when_let_in(ground: Ground, district: str, night: Night) -> None:
    """The district itself gets in again without anybody's help."""
    from simulator.upload import UploadError, upload

    login = ground.state.accounts[district]
    account = Account(
        ground.state.sftp_host, ground.state.sftp_port, login.username, login.password, ground.state.sftp_host_key
    )

    def try_it() -> bool:
        try:
            upload(account, night.delivery.files)
        except UploadError:
            return False
        return True

    ground.until("the district gets in", try_it, every=2)


def _fault(name: str, told: str, harm: Harm, *ends: str, stays: bool = False) -> Fault:
    return Fault(f"hostile_{name}", told, partial(upload_of, harm=harm, ends=ends, stays=stays))


FAULTS = (
    _fault("sparse", "users.csv truncated to 5 GB", huge_and_sparse, "rejected"),
    _fault("many_files", "20,000 loose CSV files", many_files, "rejected", stays=True),
    _fault("odd_names", "a file name that is not UTF-8, one with a newline", odd_names, "published"),
    _fault("cut_in_line", "enrollments.csv cut at 96 % in mid-line", cut_in_mid_line, "held"),
    _fault("cut_at_line_end", "enrollments.csv cut at 90 % at a line's end", cut_at_a_line_end, "held"),
    _fault("many_columns", "a header of 10,000 columns", many_columns, "rejected"),
    _fault("huge_cell", "a cell of 100 MB", huge_cell, "rejected", "held"),
    _fault("broken_lines", "a million broken lines", a_million_broken_lines, "rejected", "held"),
    _fault("zip_bomb", "a zip that unpacks to 4 GB", zip_bomb, "rejected"),
    Fault("hostile_future", "a run for a night decades away", future_night),
    Fault("hostile_three_runs", "three runs of one night at once", three_at_once),
    Fault("hostile_guesses", "passwords guessed at a district's account", guessed),
)
