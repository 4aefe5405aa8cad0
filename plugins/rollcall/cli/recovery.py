"""``rollcall backup``, ``restore``."""

from pathlib import Path
from typing import Annotated

import typer

from rollcall.cli.output import AsJson, make_console, progress_bar
from rollcall.cli.verify import answer

console = make_console()


def backup(
    folder: Annotated[Path, typer.Argument(help="An empty folder, or one that is not there yet.")],
    without_archive: Annotated[
        bool, typer.Option("--without-archive", help="Of the archive only its inventory, with hashes.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Write everything that a stack is made of into a folder; nights may go on meanwhile.

    The folder then holds students' data and passwords.

    For example:

    rollcall backup /srv/backup/2026-11-29

    rollcall backup /srv/backup/2026-11-29 --without-archive
    """
    from rollcall.recovery.backup import back_up

    with progress_bar():
        manifest = back_up(folder, with_archive=not without_archive)
    if as_json:
        console.print_json(manifest.model_dump_json())
        return
    size = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()) / 1024**2
    archive = "with the archive" if manifest.with_archive else "with the archive's inventory, without its files"
    console.print(f"{folder}: {size:,.1f} MiB, {archive}. It holds students' data and passwords: keep it encrypted.")


def restore(
    folder: Annotated[Path, typer.Argument(exists=True, file_okay=False, help="What `rollcall backup` wrote.")],
    replace: Annotated[bool, typer.Option("--replace", help="Give up what is here.")] = False,
    as_json: AsJson = False,
) -> None:
    """Put a backup back where nothing is, and verify it; exits 1 when something differs.

    For example:

    rollcall restore /srv/backup/2026-11-29
    """
    from rollcall.recovery.restore import restore as put_back

    with progress_bar():
        found = put_back(folder, replace=replace)
    answer(found, as_json=as_json)
