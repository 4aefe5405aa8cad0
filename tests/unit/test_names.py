"""Names that somebody else chose, as a person reads them."""

import pytest

from rollcall.names import LONGEST, is_text, listed, named, shown


@pytest.mark.parametrize(
    ("name", "as_shown"),
    [
        ("users.csv", "users.csv"),
        ("Schüler 2026.csv", "Schüler 2026.csv"),
        ("学生.csv", "学生.csv"),
        ("a\nINFO all is well.csv", r"a\nINFO all is well.csv"),
        ("\x1b[2J\x1b[31mred.csv", r"\x1b[2J\x1b[31mred.csv"),
        ("\u202evsc.sresu", r"\u202evsc.sresu"),
        ("no\u00a0break\u200bspace\u2028.csv", r"no\xa0break\u200bspace\u2028.csv"),
        (b"caf\xe9.csv", r"caf\xe9.csv"),
        (b"caf\xe9.csv".decode(errors="surrogateescape"), r"caf\xe9.csv"),
        ("\ud800", r"\ud800"),
        ("\U000e0001tag", r"\U000e0001tag"),
    ],
)
def test_what_is_not_seen_as_itself_is_escaped(name: str | bytes, as_shown: str) -> None:
    assert shown(name) == as_shown
    assert shown(name).isprintable()


@pytest.mark.parametrize("name", ["x" * 255, "\n" * 255, "é" * 127, b"\xff" * 255])
def test_a_long_name_is_cut_and_the_cut_is_seen(name: str | bytes) -> None:
    assert len(shown(name)) == LONGEST
    assert shown(name).endswith("…")
    assert not shown("x" * LONGEST).endswith("…")


def test_of_many_names_the_first_are_listed() -> None:
    names = [f"{number:03}" for number in range(1234)]
    assert listed(names)[-2:] == ["009", "1,224 more"]
    assert named(names).endswith("008, 009 and 1,224 more")
    assert named(names[:10]) == ", ".join(names[:10])
    assert named(["b\n", "a"]) == r"a, b\n"
    assert (named([]), listed([])) == ("", [])


def test_bytes_that_are_no_text_are_told_from_text() -> None:
    assert is_text("Schüler\n.csv")
    assert not is_text(b"caf\xe9.csv".decode(errors="surrogateescape"))
