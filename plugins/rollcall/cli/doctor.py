"""``rollcall doctor``."""

import json
import sys
from contextlib import redirect_stdout

import typer

from rollcall.cli.output import AsJson, make_console, make_table

console = make_console()


def doctor(as_json: AsJson = False) -> None:
    """Look at all that a night needs: warehouse, clocks, archive, SFTP, mail; exits 1 when something is amiss.

    For example:

    rollcall doctor

    rollcall doctor --json
    """
    from rollcall.doctor import examine

    with redirect_stdout(sys.stderr):  # where Airflow may tell of itself
        diagnoses = examine()
    if as_json:
        typer.echo(json.dumps([diagnosis.as_dict() for diagnosis in diagnoses], indent=2))
    else:
        table = make_table("Check", "", "What was found", wraps=("What was found",))
        for diagnosis in diagnoses:
            table.add_row(
                diagnosis.check, "ok" if diagnosis.ok else "BAD", f"{diagnosis.what} {diagnosis.to_do}".strip()
            )
        console.print(table)
    if not all(diagnosis.ok for diagnosis in diagnoses):
        raise typer.Exit(1)
