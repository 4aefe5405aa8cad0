"""A file without a person: what the district would have sent if it did not know them, byte for byte."""

import io
import zipfile
from collections.abc import Callable

import pytest

from rollcall.forget.erasure import Eraser, UnsearchableError
from rollcall.forget.packed import without

ID = "S-1"
USERS = "sourcedId,status,enabledUser,orgSourcedIds,role,username,givenName,familyName,agentSourcedIds"
ENROLLMENTS = "sourcedId,status,classSourcedId,schoolSourcedId,userSourcedId,role"


def rewritten(content: bytes, *ids: str) -> tuple[bytes, Eraser]:
    eraser = Eraser(ids or [ID])
    return b"".join(without(io.BytesIO(content), eraser)), eraser


def text(*lines: str, end: str = "\r\n") -> str:
    return "".join(line + end for line in lines)


def user(source_id: str, agents: str = "", name: str = "Ann") -> str:
    return f"{source_id},,true,994,student,u-{source_id}x,{name},Lee,{agents}"


CASES: dict[str, tuple[str, str]] = {
    "a record": (text(USERS, user("S-0"), user(ID), user("S-2")), text(USERS, user("S-0"), user("S-2"))),
    "a record with blanks around its id": (text(USERS, user(f" {ID} ")), text(USERS)),
    "a record of several lines": (
        text(USERS, user("S-0", name='"A\r\nB"'), user(ID, name='"A\r\nS-9,x\r\nB"'), user("S-2")),
        text(USERS, user("S-0", name='"A\r\nB"'), user("S-2")),
    ),
    "one of a list in quotation marks": (
        text(USERS, user("S-0", f'"{ID},S-2,S-3"'), user("S-1-1", f'"S-2,{ID}"'), user("S-4", ID)),
        text(USERS, user("S-0", '"S-2,S-3"'), user("S-1-1", "S-2"), user("S-4")),
    ),
    "every cell in quotation marks": (
        text(
            USERS, '"S-0","","true","994","student","u","A","B","S-1,S-2"', '"S-1","","true","994","student","","",""'
        ),
        text(USERS, '"S-0","","true","994","student","u","A","B","S-2"'),
    ),
    "the columns in another order, and one that nobody knows": (
        text("homeroom,userSourcedId,sourcedId,classSourcedId,role", "S-1,S-0,e-1,c,student", f"x,{ID},e-2,c,student"),
        text("homeroom,userSourcedId,sourcedId,classSourcedId,role", "S-1,S-0,e-1,c,student"),
    ),
    "an id of another kind of record": (
        text(ENROLLMENTS, f"{ID},,{ID},{ID},S-0,student", f"e-2,,c-1,994,{ID},student"),
        text(ENROLLMENTS, f"{ID},,{ID},{ID},S-0,student"),
    ),
    "a record that does not fit": (text(USERS, user("S-0"), f"{ID},Lee,1999-01-01"), text(USERS, user("S-0"))),
    "behind a quotation mark that nothing closes": (
        text(USERS, user("S-0", name='"Ann'), user(ID), user("S-2")),
        text(USERS, user("S-0", name='"Ann'), user("S-2")),
    ),
    "the last record of a file without a line end": (text(USERS, user("S-0")) + user(ID), text(USERS) + user("S-0")),
    "another format": (
        text("Student_id,School_id,Last_name", "S-0,994,Lee", f"{ID},994,Lee"),
        text("Student_id,School_id,Last_name", "S-0,994,Lee"),
    ),
    "a file without a header": (text(user("S-0"), user(ID)), text(user("S-0"))),
    "a file that does not name them": (text(USERS, user("S-0"), user("S-11")), text(USERS, user("S-0"), user("S-11"))),
}

ENCODED: dict[str, Callable[[str], bytes]] = {
    "utf-8": str.encode,
    "utf-8 with a mark": lambda content: content.encode("utf-8-sig"),
    "utf-16": lambda content: content.encode("utf-16"),
    "utf-16 without a mark": lambda content: content.encode("utf-16-be"),
    "windows-1252": lambda content: content.replace("Lee", "L\xe9e").encode("cp1252"),
    "plain line ends": lambda content: content.replace("\r\n", "\n").encode(),
    "line ends of old": lambda content: content.replace("\r\n", "\r").encode(),
    "damaged": lambda content: content.encode().replace(b"Lee", b"L\xff\xc3\xa9\xc3\xa9"),
}


@pytest.mark.parametrize("encoded", ENCODED.values(), ids=ENCODED.keys())
@pytest.mark.parametrize(("sent", "expected"), CASES.values(), ids=CASES.keys())
def test_all_that_is_not_theirs_stays_byte_for_byte(sent: str, expected: str, encoded: Callable[[str], bytes]) -> None:
    content, eraser = rewritten(encoded(sent))
    assert content == encoded(expected)
    assert bool(eraser.changes) == (sent != expected)
    assert eraser.may_be_in([encoded(sent)[:70], encoded(sent)[70:]]) or sent == expected


def test_what_went_is_told_by_file() -> None:
    _, eraser = rewritten(text(ENROLLMENTS, f"e-1,,c-1,994,{ID},student", "e-2,,c-1,994,S-0,student").encode())
    assert (eraser.removed, eraser.last_id) == ({"enrollments": {"e-1"}}, "e-2")


def test_every_id_of_a_person_goes_and_one_with_signs_in_it_too() -> None:
    odd = 'a"b(c)*'
    sent = text(USERS, user("S-0"), user(ID), user('"a""b(c)*"'))
    assert rewritten(sent.encode(), ID, odd)[0] == text(USERS, user("S-0")).encode()


def zipped(*members: tuple[str, str]) -> bytes:
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as package:
        for name, content in members:
            package.writestr(zipfile.ZipInfo(name, (2026, 11, 1, 0, 0, 0)), content)
    return target.getvalue()


def test_a_zip_is_written_anew_with_its_members_as_they_were_sent_and_the_same_each_time() -> None:
    sent, expected = CASES["a record"]
    content, eraser = rewritten(zipped(("x/users.csv", sent), ("readme.txt", "No one.")))
    with zipfile.ZipFile(io.BytesIO(content)) as package:
        assert [(info.filename, info.date_time) for info in package.infolist()] == [
            ("x/users.csv", (2026, 11, 1, 0, 0, 0)),
            ("readme.txt", (2026, 11, 1, 0, 0, 0)),
        ]
        assert package.read("x/users.csv").decode() == expected
    assert eraser.removed == {"users": {ID}}
    assert rewritten(zipped(("x/users.csv", sent), ("readme.txt", "No one.")))[0] == content


@pytest.mark.parametrize(
    "content",
    [b"%PDF-1.7 ", b"PK\x03\x04 broken", b"\x1f\x8b\x08", zipped(("inner.zip", "PK\x03\x04")), b"x" * 2_000_000],
    ids=["pdf", "broken zip", "gzip", "zip in a zip", "no lines"],
)
def test_what_nobody_can_search_is_said(content: bytes) -> None:
    with pytest.raises(UnsearchableError):
        rewritten(content)
