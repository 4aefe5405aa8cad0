"""``rollcall correct-night``."""

import json
from dataclasses import asdict
from datetime import datetime
from typing import TYPE_CHECKING, Annotated

import typer

from rollcall.cli.arguments import DistrictId
from rollcall.cli.output import AsJson, By, make_console

if TYPE_CHECKING:
    from rollcall.conform import NightCorrection

console = make_console()
DAY = "%Y-%m-%d"


def correct_night(
    district: DistrictId,
    to: Annotated[datetime, typer.Option(formats=[DAY], metavar="NIGHT", help="The right night.")],
    why: Annotated[str, typer.Option(help="Why; goes into the ledger.")],
    wrong: Annotated[
        datetime | None,
        typer.Option("--from", formats=[DAY], metavar="NIGHT", help="The wrong night; the published one if blank."),
    ] = None,
    by: By = "",
    as_json: AsJson = False,
) -> None:
    """Give what was received or published for a wrong night the right one.

    For example:

    rollcall correct-night lakeside-usd --from 2027-11-20 --to 2026-11-20 --why "a typo in the year"
    """
    from rollcall.conform import correct_night as correct
    from rollcall.districts import load_district
    from rollcall.settings import settings
    from rollcall.who import person

    done = correct(
        load_district(settings().districts_dir / f"{district}.yaml"),
        to=to.date(),
        wrong=wrong.date() if wrong else None,
        by=person(by),
        why=why,
    )
    if as_json:
        console.print_json(json.dumps(asdict(done), default=str))
        return
    for line in _told(done):
        console.print(line)


def _told(done: "NightCorrection") -> list[str]:
    """What was done, and what is left to do."""
    numbers = ", ".join(map(str, done.delivery_ids)) or "none"
    lines = [
        f"{done.district_id}: what stood for the night of {done.from_night} stands for that of {done.to_night} now; "
        f"deliveries: {numbers}."
    ]
    if done.is_published:
        lines.append(f"Readers see the roster of {done.to_night}; later nights are accepted again.")
    if done.overtaken:
        number, night = done.overtaken
        lines.append(
            f"Delivery {number} of {night} had to make way for it. To have it judged now, trigger roster__"
            f"{done.district_id} with Source archive/{number} and Night {night}."
        )
    lines += [
        f"Deliveries stand for the night of {night}, too, which has not come: correct it with --from {night}."
        for night in done.still_to_come
    ]
    return lines
