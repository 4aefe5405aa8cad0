"""The page's templates: everything that a district wrote is escaped, and nothing is asked of a network."""

import re
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from fastapi import Request

from rollcall.districts import dag_id_of
from rollcall.report.next_steps import NEXT_STEPS
from rollcall.templates import html_templates
from rollcall.ui.district import NIGHTS_LISTED, ROWS_SHOWN
from rollcall.ui.sparkline import HEIGHT, WIDTH

if TYPE_CHECKING:
    from jinja2 import Environment

MOUNTED_AT = "/rollcall"
NOTHING = "\N{EN DASH}"
VIA = {
    "airflow": "under Required Actions",
    "cli": "on the command line",
    "page": "on this page",
    "delivery": "by a newer delivery",
}


def page(template: str, request: Request, **values: Any) -> str:
    """A page as HTML.

    Args:
        template: The template's name.
        request: What was asked for: links are relative to where Airflow lies.
        values: What the template shows.
    """
    root = request.scope["root_path"]
    return (
        _environment()
        .get_template(f"{template}.html.j2")
        .render(root=root, airflow=root.removesuffix(MOUNTED_AT), **values)
    )


def duration(seconds: float | None) -> str:
    """Seconds as people say them: ``48 s``, ``3 min 5 s``, ``2 h 10 min``."""
    if seconds is None:
        return NOTHING
    whole = round(seconds)
    hours, minutes = divmod(whole // 60, 60)
    if hours:
        return f"{hours} h {minutes} min"
    return f"{minutes} min {whole % 60} s" if minutes else f"{whole} s"


def number(value: int | None) -> str:
    """A count with its thousands apart; a dash for none."""
    return NOTHING if value is None else f"{value:,}"


def commands_apart(text: str) -> list[str]:
    """A sentence in pieces, of which every second one is typed into a terminal."""
    return re.split("`(rollcall [^`]+)`", text)


@lru_cache(maxsize=1)
def _environment() -> "Environment":
    environment = html_templates(Path(__file__).parent / "templates")
    environment.filters |= {
        "number": number,
        "duration": duration,
        "dag_id": dag_id_of,
        "in_url": in_url,
        "commands_apart": commands_apart,
    }
    environment.globals |= {
        "NEXT_STEPS": NEXT_STEPS,
        "NIGHTS_LISTED": NIGHTS_LISTED,
        "ROWS_SHOWN": ROWS_SHOWN,
        "SPARKLINE": (WIDTH, HEIGHT),
        "VIA": VIA,
    }
    return environment


def in_url(text: str) -> str:
    """A text as one part of a path."""
    return quote(text, safe="")
