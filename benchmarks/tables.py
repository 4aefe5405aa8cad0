"""The results as Markdown tables, between markers in README.md."""

import json
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any


def write_tables(results: Path, readme: Path) -> None:
    """Put the table of each result between ``<!-- NAME -->`` and ``<!-- /NAME -->``; others stay as they are."""
    text = readme.read_text(encoding="utf-8")
    for name, table in TABLES.items():
        path = results / f"{name}.json"
        if path.exists():
            lines = table(json.loads(path.read_text(encoding="utf-8")))
            text = _between(text, name, lines)
    readme.write_text(text, encoding="utf-8")


def _between(text: str, name: str, lines: str) -> str:
    pattern = re.compile(rf"(<!-- {name} -->\n).*?(<!-- /{name} -->)", re.DOTALL)
    return pattern.sub(lambda found: f"{found[1]}{lines}\n{found[2]}", text)


def district_table(result: Mapping[str, Any]) -> str:
    """Stages down, nights across: seconds, and in brackets the ratio to COPY; then the most memory of each process."""
    nights = result["nights"]
    copies = ", ".join(f"{seconds:.2f}" for seconds in result["copy"]["runs"])
    changed = next(night["rows_changed"] for night in nights if night["rows_changed"] is not None)
    rows = result["rows"]
    yardstick = result["copy"]
    intro = (
        f"{result['students']:,} students, {rows:,} rows, {result['bytes'] / 1e6:.0f} MB;"
        f" the next night changes {changed:,} rows ({100 * changed / rows:.2f} %). Bare COPY:"
        f" {yardstick['seconds']:.2f} s (mean of {copies}), {yardstick['cpu_seconds']:.2f} s of processor time."
        f" {_circumstances(result)}"
    )
    head = ["stage", *(night["name"] for night in nights)]
    stages = [[stage, *(_stage(night, stage) for night in nights)] for stage in result["includes"]]
    total = ["**all**", *(f"**{night['seconds']:.1f} s ({night['ratio']:.1f} x)**" for night in nights)]
    budget = ["budget", *(f"{result['budgets'][night['name']]:g} x" for night in nights)]
    memory = _memory(nights, result["budgets"]["memory_mb"])
    processor = ["processor time", *(f"{night['cpu_seconds']:.1f} s ({night['cpu_ratio']:.1f} x)" for night in nights)]
    table = _table(head, [*stages, total, budget, processor])
    return "\n\n".join((intro, table, memory, _reader(result["reader"])))


def _stage(night: Mapping[str, Any], stage: str) -> str:
    measured = night["stages"].get(stage)
    return f"{measured['seconds']:.1f} s ({measured['ratio']:.1f} x)" if measured else "-"


def _memory(nights: list[Mapping[str, Any]], budget: int) -> str:
    peaks: dict[str, list[float]] = {}
    for number, night in enumerate(nights):
        for found in night["memory_mb"].values():
            for process, megabytes in found.items():
                task = process if process.startswith(("PostgreSQL", "SFTP")) else process.split()[0]
                row = peaks.setdefault(task, [0.0] * len(nights))
                row[number] = max(row[number], megabytes)
    rows = [[name, *(f"{value:.0f}" if value else "-" for value in row)] for name, row in sorted(peaks.items())]
    return _table([f"MB at most (budget {budget})", *(night["name"] for night in nights)], rows)


def _circumstances(result: Mapping[str, Any]) -> str:
    """When and on what it was measured, and what else whoever measured it had to say."""
    machine, note = result["machine"], result.get("note")
    return (
        f"Measured {machine['measured_at']} on {machine['cores']} cores, {machine['server']}, Python"
        f" {machine['python']}; load average {machine['load']} before, {machine['load_at_end']} after."
        + (f" {note}" if note else "")
    )


def _table(head: list[str], rows: list[list[str]]) -> str:
    lines = [head, ["---", *["--:"] * (len(head) - 1)], *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _reader(result: Mapping[str, Any]) -> str:
    one = result["one_school"]
    size = f"{one['rows_median']:g} rows, at most {one['rows_most']:,}; {one['schools']} schools"
    return (
        "A reader with row-level security asks for the roster of one school out of"
        f" {result['enrollments']:,} enrollments ({size}):"
        f" {one['ms_median']:.0f} ms, at most {one['ms_most']:.0f} ms (budget {result['budget_ms']} ms)."
        f" Counting the district's whole roster: {result['roster_count_ms'] / 1000:.1f} s."
    )


def readers_table(result: Mapping[str, Any]) -> str:
    """Questions down; across, who asks for which night, each with planning and running; last the plain tables."""
    worked_out = ", ".join(f"`{name}` {seconds:.1f} s" for name, seconds in result["worked_out_seconds"].items())
    intro = (
        f"{result['districts']} districts, the large one with {result['students']:,} students;"
        f" {result['enrollments']:,} versions of enrollments. Worked out for all nights: {worked_out}."
        f" {_circumstances(result)}"
    )
    answers = result["answers"]
    asked = list(dict.fromkeys((answer["who"], answer["as_of"]) for answer in answers))
    found = {(answer["question"], answer["who"], answer["as_of"]): answer for answer in answers}
    head = ["planning + running, ms", *(f"{who}, {as_of or 'now'}" for who, as_of in asked), "plain tables", "budget"]
    rows = [
        [
            question,
            *(f"{at['planning_ms']:.0f} + {at['execution_ms']:,.0f}" for at in (found[question, *by] for by in asked)),
            f"{found[question, *asked[0]]['plain_ms']:,.0f}",
            f"{result['budgets_ms'].get(question, result['question_budget_ms']):,}",
        ]
        for question in dict.fromkeys(answer["question"] for answer in answers)
    ]
    return f"{intro}\n\n{_table(head, rows)}"


def builds_table(result: Mapping[str, Any]) -> str:
    """One district and many, side by side."""
    intro = (
        f"{result['districts']} districts of {result['students']} students ({result['rows']:,} rows) each; every"
        f" {result['every_aside']}th enrollment and demographics row is set aside."
        f" {_circumstances(result)}"
    )
    rows = [
        [
            night["name"],
            f"{night['single']['seconds']:.1f} s",
            f"{night['many']['seconds']:.1f} s",
            f"{night['ratio']:.1f} x",
            f"{result['budget']:g} x",
        ]
        for night in result["nights"]
    ]
    head = ["", "one district", f"{result['districts']} districts", "ratio", "budget"]
    return f"{intro}\n\n{_table(head, rows)}"


def nights_table(result: Mapping[str, Any]) -> str:
    """Every tenth night of the curve."""
    curve = result["curve"]
    intro = f"{result['students']:,} students, {len(curve)} nights. {_circumstances(result)}"
    head = ["night", "tables", "indexes", "live rows", "dead rows", "build", "one school", "whole roster"]
    rows = [
        [
            str(point["night"]),
            f"{point['table_mb']:.0f} MB",
            f"{point['index_mb']:.0f} MB",
            f"{point['live_rows']:,}",
            f"{point['dead_rows']:,}",
            f"{point['build_seconds']:.1f} s",
            f"{point['one_school_ms']:.0f} ms",
            f"{point['roster_count_ms']:.0f} ms",
        ]
        for point in curve
        if point["night"] in (1, 2, len(curve)) or point["night"] % 10 == 0
    ]
    return f"{intro}\n\n![The curve](results/nights.svg)\n\n{_table(head, rows)}"


def fleet_table(result: Mapping[str, Any]) -> str:
    """Runs down, numbers of districts across: processor seconds per district; then the slope, parsing and waits."""
    fleets, slopes = result["fleets"], result["slopes"]
    intro = (
        f"Districts of {result['students']:,} students ({result['bytes'] / 1e6:.1f} MB) each."
        f" {_circumstances(result)} The stack alone takes {result['idle_cpu_per_second']:.2f} of a core."
    )
    head = ["processor seconds per district (and the clock's, in all)", "processes"]
    head += [f"{fleet['districts']} district{'s' * (fleet['districts'] > 1)}" for fleet in fleets]
    head += ["one district more", f"1,000 on two cores (aim {result['aim_minutes']} min)"] if slopes else []
    rows = [[what, *_fleet_row(fleets, slopes.get(what), what)] for what in fleets[0]["runs"]]
    parts = [intro, _table(head, rows)]
    if result["parsing"]:
        parts.append(_parsing(result["parsing"]))
    if result["waits"]:
        parts.append(_waits(result["waits"]))
    return "\n\n".join(parts)


def _fleet_row(fleets: list[Mapping[str, Any]], slope: Mapping[str, float] | None, what: str) -> list[str]:
    runs = [fleet["runs"][what] for fleet in fleets]
    row = [f"{runs[-1]['processes_per_district']:g}"]
    row += [f"{run['cpu_seconds_per_district']:.1f} s ({run['seconds']:.0f} s)" for run in runs]
    if slope:
        row += [f"{slope['cpu_seconds_per_district']:.1f} s", f"{slope['minutes_for_1000_on_two_cores']:.0f} min"]
    return row


def _parsing(found: Mapping[str, Any]) -> str:
    every, one = found["all_dags"], found["one_task"]
    return (
        f"Parsing `dags/district_roster.py` with {found['files']:,} district files: {every['seconds']:.1f} s for all"
        f" DAGs ({every['cpu_seconds']:.1f} s of processor time), {1000 * one['seconds']:.0f} ms for the one that a"
        " task wants."
    )


def _waits(found: Mapping[str, Any]) -> str:
    waiting, quiet = found["waiting"], found["quiet"]
    intro = (
        f"{found['waits']:,} runs that wait, each looking into its inbox every {found['poll_seconds']} s: the stack"
        f" was up after {found['up_after_seconds']} s and knew all DAGs after {found['dags_known_after_seconds']} s;"
        f" all of them waited {found['waiting_after_seconds']} s after the first was started."
    )
    head = ["", "nobody waits", f"{found['waits']:,} wait"]
    rows = [
        ["triggerer, memory", f"{quiet['triggerer_mb']} MB", f"{waiting['triggerer_mb']} MB"],
        *(
            [f"{name}, of a core", f"{quiet['cores'][name]:.2f}", f"{waiting['cores'][name]:.2f}"]
            for name in ("triggerer", "dag-processor", "scheduler", "api-server", "sftp", "postgres")
        ),
        *(
            [what, f"{quiet[key]:g}", f"{waiting[key]:g}"]
            for what, key in (
                ("SFTP connections at once, at most", "sftp_connections_most"),
                ("SFTP connections at once, on average", "sftp_connections_mean"),
                ("PostgreSQL connections at once, at most", "postgres_connections_most"),
            )
        ),
    ]
    return f"{intro}\n\n{_table(head, rows)}"


def page_table(result: Mapping[str, Any]) -> str:
    """Kinds of the list down: seconds by the clock, and of the processor."""
    intro = (
        f"{result['districts']:,} districts of {result['nights']} nights, a page of {result['bytes'] / 1e6:.1f} MB."
        f" {_circumstances(result)}"
    )
    rows = [
        [name, f"{made['seconds']:.2f} s", f"{made['processor_seconds']:.2f} s"]
        for name, made in result["lists"].items()
    ]
    painted = result.get("first_paint_seconds")
    if painted is not None:
        rows.append(["painted by Chromium, from the click", f"{painted:.2f} s", ""])
    return "\n\n".join((intro, _table(["the list", "clock", "processor, but for PostgreSQL's"], rows)))


TABLES: Mapping[str, Callable[[Mapping[str, Any]], str]] = {
    "district": district_table,
    "builds": builds_table,
    "nights": nights_table,
    "fleet": fleet_table,
    "page": page_table,
    "readers": readers_table,
}
