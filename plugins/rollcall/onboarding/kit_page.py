"""The kit as files: a page for a browser, and one for a printer."""

from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from rollcall.onboarding.kit import Kit
from rollcall.onboarding.kit_pdf import kit_pdf
from rollcall.private import make_folder, replace
from rollcall.settings import settings
from rollcall.templates import html_templates

if TYPE_CHECKING:
    from jinja2 import Template


def write_kit(kit: Kit, folder: Path | None = None) -> tuple[Path, ...]:
    """Write the kit's files, in place of earlier ones.

    Args:
        kit: What they say.
        folder: Where to; ``<state_dir>/kits`` by default.

    Returns:
        The files.
    """
    place = folder or settings().state_dir / "kits"
    make_folder(place)
    contents = {"html": kit_html(kit).encode(), "pdf": kit_pdf(kit)}
    for kind, content in contents.items():
        replace(place / f"{kit.name}.{kind}", [content])
    return tuple(place / f"{kit.name}.{kind}" for kind in contents)


def kit_html(kit: Kit) -> str:
    """The page: one file without scripts or anything to load."""
    return _template().render(kit=kit)


@lru_cache(maxsize=1)
def _template() -> "Template":
    return html_templates(Path(__file__).parent).get_template("kit.html.j2")
