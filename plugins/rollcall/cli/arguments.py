"""Arguments that several commands take."""

from typing import Annotated

import typer


def known_districts(begun: str) -> list[str]:
    """The districts whose ids begin like this: what a shell completes."""
    from rollcall.districts import district_files
    from rollcall.settings import settings

    return [path.stem for path in district_files(settings().districts_dir) if path.stem.startswith(begun)]


DistrictId = Annotated[
    str, typer.Argument(metavar="DISTRICT", help="The district's id.", autocompletion=known_districts)
]
