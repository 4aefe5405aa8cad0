"""How ``rollcall check`` prints its verdict for people: the worst first, each code once, with its first rows."""

from itertools import groupby

from rich.console import Console
from rich.padding import Padding
from rich.text import Text

from rollcall.check import CheckVerdict, Finding
from rollcall.cli.output import make_table
from rollcall.codes import catalog

WIDTH = 100
ROWS_SHOWN = 10
HEADER_ROW = 1
SENTENCE = {
    "accept": "Accept: sent at night, this delivery would be published without anybody being asked.",
    "hold": "Hold: sent at night, this delivery would wait for an operator; nothing would change meanwhile.",
    "reject": "Reject: sent at night, this delivery would change nothing. Mend what is critical; send it all again.",
}
NOTHING_SUPPLIED = "Accept, but nothing is supplied: no file holds a record. Nothing would change or be removed."
COLOUR = {"accept": "green", "hold": "yellow", "reject": "red"}
HEADING = {
    "critical": "Critical: does not count until it is mended",
    "warning": "Warnings: let through, but worth mending",
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
        by_code: dict[str, list[Finding]] = {}
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
    return SENTENCE[verdict.verdict]


def _worth_showing(verdict: CheckVerdict) -> list[Finding]:
    """What is to be mended first: of files that are not OneRoster only that, of rejected ones only what is critical."""
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


def _print_code(console: Console, code: str, found: list[Finding]) -> None:
    """What is wrong, where, and how to mend it."""
    known = catalog().get(code)
    files = {file: list(same) for file, same in groupby(found, key=lambda finding: finding.file)}
    console.print(Text.assemble("\n  ", (", ".join(files), "bold"), f"  {code}"))
    messages = list(dict.fromkeys(finding.message for finding in found if not finding.message.startswith("And ")))
    if known and len(messages) > 1 and all(message.startswith(known.message) for message in messages):
        messages = [known.message]  # the rest is told where it is
    paragraphs = [*messages[:ROWS_SHOWN], *_places(files)]
    if known and known.fix:
        paragraphs.append(f"Mend it: {known.fix}")
    for paragraph in paragraphs:
        console.print(Padding(Text(paragraph), (0, 0, 0, 4), expand=False))


def _places(files: dict[str, list[Finding]]) -> list[str]:
    """Where, a line per file: the header's cells, or the first rows and how many more there are."""
    lines = {file: _rows(found) for file, found in files.items()}
    return [f"{file}: {line}" if len(files) > 1 else line for file, line in lines.items() if line]


def _rows(found: list[Finding]) -> str:
    header = [finding.column for finding in found if finding.row == HEADER_ROW and finding.column]
    rows = [finding for finding in found if finding.row is not None and finding.row != HEADER_ROW]
    parts = [f"header (row 1), {_listed(header)}."] if header else []
    if rows:
        columns = {finding.column for finding in rows}
        where = f"column {rows[0].column}, " if len(columns) == 1 and rows[0].column else ""
        each = [_place(finding, with_column=len(columns) > 1) for finding in rows]
        parts.append(f"{where}{'row' if len(rows) == 1 else 'rows'} {_listed(each)}.")
    return " ".join(part[0].upper() + part[1:] for part in parts)


def _place(finding: Finding, *, with_column: bool) -> str:
    """A row, with its id and, where the columns differ, its column."""
    also = [text for text in (finding.sourced_id, finding.column if with_column else None) if text]
    return f"{finding.row} ({', '.join(also)})" if also else str(finding.row)


def _listed(items: list[str]) -> str:
    """The first of some items, and how many more there are."""
    more = len(items) - ROWS_SHOWN
    return ", ".join(items[:ROWS_SHOWN]) + (f" and {more:,} more" if more > 0 else "")
