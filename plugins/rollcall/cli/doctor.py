"""``rollcall doctor``."""

import json
from typing import Annotated

import typer

from rollcall.cli.output import make_console, make_table

console = make_console()


def doctor(as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False) -> None:
    """Look at what Rollcall needs: the warehouse, the archive, who may read them; exits 1 when something is amiss."""
    from rollcall.doctor import examine

    findings = examine()
    if as_json:
        typer.echo(json.dumps([finding.as_dict() for finding in findings], indent=2))
    else:
        table = make_table("Check", "", "What was found", wraps=("What was found",))
        for finding in findings:
            table.add_row(finding.check, "ok" if finding.ok else "BAD", f"{finding.what} {finding.to_do}".strip())
        console.print(table)
    if not all(finding.ok for finding in findings):
        raise typer.Exit(1)
