"""How ``rollcall check`` prints its verdict for people: the worst first, each code once, with its first rows."""

from itertools import groupby

from rich.console import Console
from rich.padding import Padding
from rich.text import Text

from rollcall.check import CheckVerdict, FindingLine
from rollcall.cli.output import make_table
from rollcall.codes import Code, catalog

WIDTH = 100
ROWS_SHOWN = 10
HEADER_ROW = 1
MORE = "And "
"""How the finding begins that stands for all rows that are not listed."""
SENTENCE = {
    "accept": "Accept: sent at night, this delivery would be published without anybody being asked.",
    "hold": "Hold: sent at night, this delivery would wait for an operator; nothing would change meanwhile.",
    "reject": "Reject: sent at night, this delivery would change nothing. Fix what is critical; send it all again.",
}
NOTHING_SUPPLIED = "Accept, but nothing is supplied: no file holds a record. Nothing would change or be removed."
COLOUR = {"accept": "green", "hold": "yellow", "reject": "red"}
HEADING = {
    "critical": "Critical: does not count until it is fixed",
    "warning": "Warnings: let through, but worth fixing",
    "info": "Notes: nothing to do",
}


def print_verdict(verdict: CheckVerdict) -> None:
    """Print a verdict so that a person can read it in an ordinary terminal, or in a file."""
    console = Console(highlight=False)
    console.width = min(console.width, WIDTH) if console.is_terminal else WIDTH
    console.print(Text(_headline(verdict), style=f"bold {COLOUR[verdict.verdict]}"))
    console.print(Text(f"Format: {verdict.format}"))
    _print_files(console, verdict)
    shown = _worth_showing(verdict)
    for severity, heading in HEADING.items():
        found = [finding for finding in shown if finding.severity == severity]
        if found:
            console.print(Text(f"\n{heading}", style="bold"))
        by_code: dict[str, list[FindingLine]] = {}
        for finding in found:
            by_code.setdefault(finding.code, []).append(finding)
        for code, same in by_code.items():
            _print_code(console, code, same)
    if len(shown) < len(verdict.findings):
        console.print(
            f"\n{len(verdict.findings) - len(shown):,} further findings are of no matter yet; --json lists them."
        )


def _headline(verdict: CheckVerdict) -> str:
    if verdict.verdict == "accept" and not any(file.rows for file in verdict.files.values()):
        return NOTHING_SUPPLIED
    rows = sum(file.rows for file in verdict.files.values())
    set_aside = sum(file.rejected for file in verdict.files.values())
    if verdict.verdict == "accept" and set_aside:
        return f"{SENTENCE['accept']} {set_aside:,} of its {rows:,} records would not count: they are set aside."
    return SENTENCE[verdict.verdict]


def _worth_showing(verdict: CheckVerdict) -> list[FindingLine]:
    """What is to be fixed first: of files that are not OneRoster only that, of rejected ones only what is critical."""
    found = verdict.findings
    if verdict.verdict != "reject":
        return found
    critical = [finding for finding in found if finding.severity == "critical"]
    foreign = [finding for finding in critical if finding.row is None and _page(finding.code) == "reading"]
    return foreign if foreign and verdict.format.startswith("not OneRoster") else critical


def _page(code: str) -> str:
    known = catalog().get(code)
    return known.page if known else ""


def _print_files(console: Console, verdict: CheckVerdict) -> None:
    if not verdict.files:
        return
    table = make_table("File", "Rows", "Set aside", "Verdict", numbers=("Rows", "Set aside"))
    for name, file in verdict.files.items():
        table.add_row(name, f"{file.rows:,}", f"{file.rejected:,}", file.verdict)
    console.print()
    console.print(table)


def _print_code(console: Console, code: str, found: list[FindingLine]) -> None:
    """What is wrong, where, and how to fix it."""
    known = catalog().get(code)
    files = {file: list(same) for file, same in groupby(found, key=lambda finding: finding.file)}
    console.print()
    console.print(Padding(Text.assemble((", ".join(files), "bold"), f"  {code}"), (0, 0, 0, 2), expand=False))
    message = _common_message(found, known)
    lines: dict[str, list[str]] = {}
    for file, same in files.items():
        lines.setdefault(_where(same, message), []).append(file)
    where = list(lines) if len(lines) == 1 else [f"{', '.join(of)}: {line}" for line, of in lines.items() if line]
    paragraphs = [message, *where]
    if known and known.fix:
        paragraphs.append(known.fix if known.fix.startswith("Nothing to do") else f"Fix it: {known.fix}")
    for paragraph in filter(None, paragraphs):
        console.print(Padding(Text(paragraph), (0, 0, 0, 4), expand=False))


def _common_message(found: list[FindingLine], known: Code | None) -> str:
    """What is said of all findings of a code; what is said of some only comes with them."""
    messages = {finding.message for finding in found if not finding.message.startswith(MORE)}
    if len(messages) == 1:
        return messages.pop()
    return known.message if known and all(message.startswith(known.message) for message in messages) else ""


def _where(found: list[FindingLine], message: str) -> str:
    """Where in a file: the header's cells, the first rows and how many more there are."""
    whole = [finding.message.removeprefix(message).strip() for finding in found if finding.row is None]
    header = [_place(finding.column, finding, message) for finding in found if finding.row == HEADER_ROW]
    rows = [finding for finding in found if finding.row is not None and finding.row != HEADER_ROW]
    parts = [text for text in whole if text and not text.startswith(MORE)]
    if header:
        parts.append(f"Header (row 1), {_listed(header)}.")
    if rows:
        columns = {finding.column for finding in rows}
        where = f"Column {rows[0].column}, row" if len(columns) == 1 and rows[0].column else "Row"
        each = [_place(finding.sourced_id, finding, message, with_column=len(columns) > 1) for finding in rows]
        parts.append(f"{where}{'s' if len(rows) > 1 else ''} {_listed(each)}.")
    return " ".join(parts)


def _place(name: str | None, finding: FindingLine, message: str, *, with_column: bool = False) -> str:
    """A cell of the header or a row, with what is said of it alone."""
    detail = finding.message.removeprefix(message).strip().rstrip(".")
    if finding.row == HEADER_ROW:
        return f"{name or 'cell'} ({detail})" if detail else name or "cell"
    also = [text for text in (name, finding.column if with_column else None, detail) if text]
    return f"{finding.row} ({', '.join(also)})" if also else str(finding.row)


def _listed(items: list[str]) -> str:
    """The first of some items, and how many more there are."""
    more = len(items) - ROWS_SHOWN
    return ", ".join(items[:ROWS_SHOWN]) + (f" and {more:,} more" if more > 0 else "")
