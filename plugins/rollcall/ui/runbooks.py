"""The runbooks of docs/operate/ as pages: our own Markdown, in which HTML counts as text."""

import re
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

from markdown_it import MarkdownIt

from rollcall.settings import settings

if TYPE_CHECKING:
    from markdown_it.token import Token

SUFFIX = ".md"
SERVED = re.compile(r"#|[\w-]+\.md|\.\./rules/(?!README)")
"""How a link begins that leads to a page that is served: a runbook, or the rule book."""


def runbook(name: str) -> str | None:
    """A runbook as HTML.

    Args:
        name: Its file's name, with its suffix or without, as a link has it.

    Returns:
        None where there is no such runbook.
    """
    path = _folder("operate") / f"{name.removesuffix(SUFFIX)}{SUFFIX}"
    if path not in _folder("operate").glob(f"*{SUFFIX}"):
        return None
    reader = MarkdownIt("commonmark", {"html": False}).enable("table")
    tokens = reader.parse(path.read_text(encoding="utf-8"))
    _name_headings(tokens)
    for token in tokens:
        token.children = _with_links_that_lead_somewhere(token.children or [])
    return str(reader.renderer.render(tokens, reader.options, {}))


def picture(name: str) -> Path | None:
    """The file of a runbook's picture; None where there is none of that name."""
    path = _folder("images") / name
    return path if path in _folder("images").glob("*.png") else None


def heading_id(text: str) -> str:
    """What a link to a heading ends with."""
    return re.sub(r"[^\w\- ]", "", text.lower()).replace(" ", "-")


def _folder(name: str) -> Path:
    return settings().home / "docs" / name


def _name_headings(tokens: "list[Token]") -> None:
    """Let links lead to headings."""
    for heading, content in pairwise(tokens):
        if heading.type == "heading_open":
            heading.attrSet("id", heading_id(content.content))


def _with_links_that_lead_somewhere(tokens: "list[Token]") -> "list[Token]":
    """A text without the links to pages that are not served here; what they say stays."""
    kept, is_open = [], True
    for token in tokens:
        if token.type == "link_open":
            is_open = bool(SERVED.match(str(token.attrGet("href"))))
        if is_open or token.type not in ("link_open", "link_close"):
            kept.append(token)
    return kept
