"""What a district wrote, where it leaves Rollcall: every format shows it, and obeys nothing of it."""

import re
from collections.abc import Iterator

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from markdown_it.token import Token

from rollcall.escaping import csv_cell, markdown

# As in Airflow's pages: CommonMark with GitHub's tables and strikethrough, HTML left out.
RENDERER = MarkdownIt("commonmark").enable(["table", "strikethrough"])
# As Airflow's renderer (remark-gfm) has it: what it makes a link of wherever it stands in a piece of text.
BARE_LINKS = (
    re.compile(r"(https?://|www(?=\.))([-.\w]+)([^ \t\r\n]*)", re.IGNORECASE),
    re.compile(r"([-.\w+]+)@([-\w]+(?:\.[-\w]+)+)"),
)
HOSTILE = (
    "[Approve here](http://evil.example/approve)",
    "![](http://evil.example/seen.png)",
    "![x][y] [y]: http://evil.example",
    "<http://evil.example>",
    "HTTPS://evil.example/approve",
    "see www.evil.example now",
    "approve@evil.example",
    "<img src=x onerror=alert(1)>",
    "<!-- gone",
    "`code` ``more`` ~~struck~~ **loud** __loud__",
    "994 | 0 | 0 | 0 |",
    "994\n\n# Approved\n\n---",
    "994\r\n| a |\n| - |",
    "    four blanks",
    "1. one",
    "2) two",
    "- [x] done",
    "> quoted",
    "&lt;b&gt; &#91;x&#93;",
    "trailing \\",
    "\u202egnp.exe\u2066",
    "back\x08\x1b[31mred",
)
OURS = frozenset({"text", "text_special", "html_inline"})


def shown(text: str) -> str:
    """What a reader sees of text: on one line, and what is invisible, or a byte that is no text, as an escape."""
    line = " ".join(text.split())
    return "".join(sign if sign.isprintable() else escape(sign) for sign in line)


def escape(sign: str) -> str:
    if "\udc80" <= sign <= "\udcff":
        return repr(sign.encode("utf-8", "surrogateescape"))[2:-1]
    return sign.encode("unicode_escape").decode()


def inline(tokens: list[Token]) -> Iterator[Token]:
    for token in tokens:
        if token.type == "inline":
            yield from token.children or []


def pieces(tokens: list[Token]) -> list[str]:
    """The text that is shown, parted where something else stands between."""
    parts = [""]
    for token in inline(tokens):
        if token.type == "html_inline":
            assert token.content == "<!-- -->"
            parts.append("")
        else:
            parts[-1] += token.content
    return parts


def must_be_shown_word_for_word(source: str, text: str) -> None:
    tokens = RENDERER.parse(source)
    assert {token.type for token in inline(tokens)} <= OURS
    parts = pieces(tokens)
    assert "".join(parts) == shown(text)
    assert not [part for part in parts for link in BARE_LINKS if link.search(part)]


@pytest.mark.parametrize("text", HOSTILE)
def test_markdown_shows_what_a_district_wrote_and_obeys_nothing_of_it(text: str) -> None:
    tokens = RENDERER.parse(markdown(text))
    assert [token.type for token in tokens] == ["paragraph_open", "inline", "paragraph_close"]
    must_be_shown_word_for_word(markdown(text), text)


@example("\udc80")
@given(st.text(min_size=1, alphabet=st.one_of(st.sampled_from("[]()!<>|`*_~#-+=.&\\@:/ \nwhtps1"), st.characters())))
def test_markdown_obeys_nothing_of_any_text(text: str) -> None:
    if shown(text):
        must_be_shown_word_for_word(markdown(text), text)


@pytest.mark.parametrize("text", HOSTILE)
def test_a_cell_of_a_markdown_table_stays_one_cell(text: str) -> None:
    tokens = RENDERER.parse(f"| file | school |\n| --- | --- |\n| users | {markdown(text)} |")
    assert sum(token.type == "td_open" for token in tokens) == 2
    cells = [token for token in tokens if token.type == "inline"]
    assert "".join(pieces(cells[3:])) == shown(text)


def test_an_ordinary_sentence_is_ordinary_markdown() -> None:
    sentence = "users of school 995: 21 of 50 records would be removed (42.0 %, the limit is 10 %). Check the export."
    assert markdown(sentence) == sentence


@pytest.mark.parametrize("cell", ["=1+1", "+1", "@SUM(A1)", "\t=1", "\r=1", "\n=1", "-1+cmd|'/C calc'!A0", "-a", "＝1"])  # noqa: RUF001
def test_no_spreadsheet_takes_a_csv_cell_for_a_formula(cell: str) -> None:
    assert csv_cell(cell) == f"'{cell}"


@pytest.mark.parametrize("cell", ["994", "-4", "-4.5", "-4,5", "a=b", "", " x", 4, -4, None])
def test_what_is_no_formula_is_left_as_it_is(cell: object) -> None:
    assert csv_cell(cell) == cell
