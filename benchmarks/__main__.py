"""``python -m benchmarks``: measure, write ``results/<name>.json`` and the tables in README.md."""

import logging
import time
from pathlib import Path
from typing import Annotated

import typer

from benchmarks import builds as conform_builds
from benchmarks import churn
from benchmarks import district as large_district
from benchmarks import fleet as many_districts
from benchmarks import page as list_of_districts
from benchmarks import questions as readers_questions
from benchmarks.chart import write_chart
from benchmarks.files import note_down
from benchmarks.tables import write_tables
from rollcall.settings import settings

HERE = Path(__file__).parent
app = typer.Typer(add_completion=False, help=__doc__)

Results = Annotated[Path, typer.Option(help="Where the JSON files go.", file_okay=False)]
Note = Annotated[str, typer.Option(help="What whoever reads the result should know; stands above its table.")]
Work = Annotated[Path | None, typer.Option(help="Where files and the stack lie meanwhile.", file_okay=False)]


def say(line: str) -> None:
    """Say what goes on, with the time of day."""
    typer.echo(f"{time.strftime('%H:%M:%S')} {line}", err=True)


@app.command()
def district(
    students: Annotated[int, typer.Option(min=20, help="How many students the district has.")] = 400_000,
    results: Results = HERE / "results",
    work: Work = None,
    note: Note = "",
) -> None:
    """Measure a first load, a next night and an identical night of one district, and a second one's first load."""
    _keep(large_district.measure(students, _work(work), say) | {"note": note}, results)


@app.command()
def builds(
    districts: Annotated[int, typer.Option(min=1, help="How many districts.")] = 100,
    students: Annotated[int, typer.Option(min=20, help="How many students each has.")] = 100,
    results: Results = HERE / "results",
    work: Work = None,
    note: Note = "",
) -> None:
    """Measure one conform build for many districts against one for a single district."""
    _keep(conform_builds.measure(districts, students, _work(work), say) | {"note": note}, results)


@app.command()
def nights(
    nights: Annotated[int, typer.Option(min=1, help="How many nights.")] = 90,
    students: Annotated[int, typer.Option(min=20, help="How many students the district has.")] = 50_000,
    results: Results = HERE / "results",
    work: Work = None,
    note: Note = "",
) -> None:
    """Measure what many nights of changes do to tables, queries and builds."""
    result = churn.measure(nights, students, _work(work), say)
    results.mkdir(parents=True, exist_ok=True)
    write_chart(result, results / "nights.svg")
    _keep(result | {"note": note}, results)


@app.command()
def fleet(
    districts: Annotated[list[int] | None, typer.Option(min=1, help="How many at once; give several.")] = None,
    students: Annotated[int, typer.Option(min=20, help="How many students each has.")] = 1_000,
    waits: Annotated[int, typer.Option(min=0, help="How many runs wait at once; 0 measures none.")] = 50,
    files: Annotated[int, typer.Option(min=0, help="How many district files are parsed; 0 measures none.")] = 1_000,
    results: Results = HERE / "results",
    work: Work = None,
    note: Note = "",
) -> None:
    """Measure nights of many small districts through the real scheduler, against DAGs that do nothing."""
    result = many_districts.measure(districts or [5], students, waits, files, _work(work), say)
    _keep(result | {"note": note}, results)


@app.command()
def page(
    districts: Annotated[int, typer.Option(min=1, help="How many districts.")] = 1_000,
    nights: Annotated[int, typer.Option(min=1, help="How many nights each has.")] = 90,
    results: Results = HERE / "results",
    work: Work = None,
    note: Note = "",
) -> None:
    """Measure how long the server takes to make the Rollcall page's list of many districts."""
    _keep(list_of_districts.measure(districts, nights, _work(work), say) | {"note": note}, results)


@app.command()
def readers(
    students: Annotated[int, typer.Option(min=1, help="How many students the large district has.")] = 400_000,
    small: Annotated[int, typer.Option(min=1, help="How many districts with a twentieth of that are beside it.")] = 3,
    results: Results = HERE / "results",
    work: Work = None,
    note: Note = "",
) -> None:
    """Measure what analysts wait for: the documented questions, with row-level security on."""
    _keep(readers_questions.measure(students, small, _work(work), say) | {"note": note}, results)


@app.command()
def tables(results: Results = HERE / "results") -> None:
    """Write the tables of README.md anew from the results."""
    write_tables(results, HERE / "README.md")


def _work(work: Path | None) -> Path:
    """Beside the local stack's state, in nobody's way."""
    folder = (work or settings().state_dir / "benchmarks").resolve()
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def _keep(result: dict[str, object], results: Path) -> None:
    results.mkdir(parents=True, exist_ok=True)
    path = results / f"{result['name']}.json"
    note_down(path, result)
    say(f"written to {path}")
    if results == HERE / "results":
        write_tables(results, HERE / "README.md")


if __name__ == "__main__":
    logging.disable(logging.INFO)  # of the SFTP client and the migrations
    app()
