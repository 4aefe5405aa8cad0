"""``docs/rules/``: every code of the catalog, explained to a district's data manager; written by ``make rules``."""

import re
from collections.abc import Iterable, Mapping
from pathlib import Path

from rollcall.codes import Code, catalog
from rollcall.oneroster import LANDED_FILES
from rollcall.settings import PROJECT_ROOT

FOLDER = PROJECT_ROOT / "docs" / "rules"

PAGES: Mapping[str, str] = {
    "arrival": "When a delivery is received",
    "reading": "While a file is read",
    **{file.name: file.file_name for file in LANDED_FILES},
    "delivery": "The delivery as a whole",
    "safeguards": "When a delivery is held",
}
"""The pages and their titles, in the order in which errors are best fixed: what other files refer to comes first."""

INTRODUCTION = """# Rules

Everything that Rollcall says about a delivery has a code. The receipt, `rollcall check` and the ledger name it; here
is what each means, with an example, how to fix it in Aeries, and why it is as severe as it is. The examples are made
up. These pages are written by `make rules` from the rules themselves; do not edit them.

**How to read a receipt.** Fix what it lists from the top: what other files refer to comes first, so that one fixed
school may settle a hundred enrollments. Fix it in your system, not in the files, and let the next export run. Row
numbers count the lines of the file; the header is line 1.

| severity | on a row | on a file or a delivery |
|---|---|---|
| **critical** | it is set aside; the record's last good version stays | it does not count, or waits for a person |
| **warning** | it is taken; other receivers may refuse it, or readers see less of it | noted; the rest goes on |
| **info** | it is taken, and nothing needs to be fixed | noted; the rest goes on |

Nothing is ever removed because of a finding: a row set aside is a record that stays as it was. Too many rows set aside
in one file hold the delivery until a person has looked at it; the limit is in the district's file, 2 % unless it says
otherwise. A record that refers to one that was set aside, and cannot be shown without it, is set aside too: the
enrollments of a class, the classes of a school.

A few codes are milder in some situations than this book says, and the receipt then shows the milder severity. So
`file_missing` is info when the manifest itself calls the file absent.
"""


def render() -> dict[str, str]:
    """Every page by the name of its file.

    Raises:
        KeyError: a code names a page that is not one of `PAGES`.
    """
    by_page: dict[str, list[Code]] = {page: [] for page in PAGES}
    for code in catalog().values():
        by_page[code.page].append(code)
    filled = {page: codes for page, codes in by_page.items() if codes}
    return {"README.md": _overview(filled)} | {f"{page}.md": _page(page, codes) for page, codes in filled.items()}


def write(folder: Path = FOLDER) -> None:
    """Write the pages, and remove those that are no longer needed.

    Args:
        folder: Where to; made if need be.
    """
    folder.mkdir(parents=True, exist_ok=True)
    pages = render()
    for stale in folder.glob("*.md"):
        if stale.name not in pages:
            stale.unlink()
    for name, text in pages.items():
        (folder / name).write_text(text, encoding="utf-8")


def _overview(by_page: Mapping[str, Iterable[Code]]) -> str:
    """The first page: how to read the others, and every code in a table."""
    parts = [INTRODUCTION]
    for page, codes in by_page.items():
        parts.append(f"## [{PAGES[page]}]({page}.md)\n\n| code | severity | what is wrong |\n|---|---|---|")
        parts += [f"| [`{code.code}`]({page}.md#{code.code}) | {code.severity} | {_in_cell(code)} |" for code in codes]
        parts.append("")
    return "\n".join(parts)


def _page(page: str, codes: Iterable[Code]) -> str:
    """One page: a section for each code."""
    return "\n".join([f"# {PAGES[page]}\n\n[All rules](README.md)\n", *(_section(code) for code in codes)])


def _section(code: Code) -> str:
    column = f", column `{code.column}`" if code.column else ""
    return (
        f"## {code.code}\n\n**{code.severity}**{column}\n\n{code.message}\n\n"
        f"- **Example.** {code.example}\n- **In Aeries.** {code.fix}\n- **Why {code.severity}.** {code.why}\n"
    )


def _in_cell(code: Code) -> str:
    """The first sentence of a message, fit for a table."""
    return re.split(r"(?<=\.) (?=[A-Z])", code.message)[0].replace("|", "\\|")


if __name__ == "__main__":
    write()
