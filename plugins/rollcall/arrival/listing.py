"""What lies in an inbox, and whether it is a complete delivery."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

from rollcall.arrival.formats import foreign_format
from rollcall.names import is_text
from rollcall.oneroster import LANDED_FILE_NAMES, MANIFEST, OTHER_FILES

UNFINISHED_SUFFIXES = (".filepart", ".tmp", ".part", ".partial", ".writing")
_CANONICAL = {name.lower(): name for name in (*LANDED_FILE_NAMES, MANIFEST)}
_STANDARD = frozenset({*_CANONICAL, *(f"{name}.csv".lower() for name in OTHER_FILES)})


@dataclass(frozen=True, order=True)
class InboxFile:
    """One entry of an inbox's listing.

    Attributes:
        name: As the server lists it; bytes in it that are not UTF-8 stand as ``surrogateescape`` puts them.
        size: In bytes.
        modified: Seconds since 1970, as the server tells it.
    """

    name: str
    size: int
    modified: int

    @property
    def is_zip(self) -> bool:
        """Whether the name says zip."""
        return self.name.lower().endswith(".zip")

    @property
    def is_csv(self) -> bool:
        """Whether the name says CSV."""
        return self.name.lower().endswith(".csv")


@dataclass(frozen=True)
class Arrival:
    """What an inbox holds, seen as a delivery.

    Attributes:
        files: The files that make up the delivery: one zip, or every loose CSV.
        missing: The expected files that are not there, by the standard's names.
        overtaken: Older deliveries that the zip makes pointless: archived with it, and never read.
        stale: Loose files that are so much older than the newest that they may be of another night.
        strays: Files that are neither CSV nor zip, or whose name is no text: nobody takes them.
    """

    files: tuple[InboxFile, ...]
    missing: tuple[str, ...]
    overtaken: tuple[InboxFile, ...] = ()
    stale: tuple[InboxFile, ...] = ()
    strays: tuple[InboxFile, ...] = ()

    @property
    def manifest(self) -> InboxFile | None:
        """The manifest among the loose files."""
        return next((file for file in self.files if file.is_csv and canonical_name(file.name) == MANIFEST), None)

    @property
    def is_complete(self) -> bool:
        """Whether every expected file is there."""
        return bool(self.files) and not self.missing

    @property
    def can_be_judged(self) -> bool:
        """Whether it is complete, or of another format: waiting longer would not make it a roster."""
        return self.is_complete or foreign_format(file.name for file in self.files) is not None


def is_finished(name: str) -> bool:
    """Whether a name is not one that upload clients give to files under way."""
    return not name.startswith(".") and not name.lower().endswith(UNFINISHED_SUFFIXES)


def canonical_name(sent_name: str) -> str:
    """The standard's name of a file, whatever the case of what was sent; ``USERS.CSV`` → ``users``.

    A file that the standard does not know keeps its own name, suffix included.
    """
    name = PurePosixPath(sent_name).name
    stem = name[:-4] if name.lower().endswith(".csv") else name
    return _CANONICAL.get(stem.lower(), name)


def is_standard(canonical: str) -> bool:
    """Whether a name, as ``canonical_name`` gives it, is of a file that the standard knows, used here or not."""
    return canonical.lower() in _STANDARD


def of_another_night(moments: Mapping[str, float], hours: float) -> set[str]:
    """The loose files that lie too far back to be of the newest one's night.

    The server's times are compared with each other only: its clock may be off, and so may ours.

    Args:
        moments: When each file was last changed, in seconds since 1970, by the name with which it was sent.
        hours: How far apart the files of one night may lie.
    """
    standard = {name: moment for name, moment in moments.items() if is_standard(canonical_name(name))}
    newest = max(standard.values(), default=0.0)
    return {name for name, moment in standard.items() if newest - moment > hours * 3600}


def assess(
    listing: Iterable[InboxFile],
    expected: Sequence[str],
    *,
    one_night_hours: float = float("inf"),
    read: Collection[InboxFile] = (),
    absent: Collection[str] = (),
) -> Arrival:
    """See an inbox's listing as a delivery.

    A zip is a whole delivery; with several, the newest counts, and what is older than it does not come to be taken for
    the next night's. Without one, the loose CSV files are the delivery.

    Args:
        listing: Every entry of the inbox.
        expected: The files that the district must send, by the standard's names.
        one_night_hours: How far apart the files of one night may lie.
        read: Files that were taken in before and were left where they lie: a zip among them is passed over, and loose
            files that are all among them are no delivery.
        absent: The files that a manifest among the loose files calls absent: they are not missing.
    """
    named = [file for file in listing if is_finished(file.name)]
    finished = [file for file in named if is_text(file.name) and (file.is_csv or file.is_zip)]
    strays = tuple(sorted(set(named).difference(finished)))
    zips = sorted(
        (file for file in finished if file.is_zip and file not in read), key=lambda file: (file.modified, file.name)
    )
    if zips:
        newest = zips[-1]
        older = [file for file in finished if file.is_csv and file.modified <= newest.modified and file not in read]
        return Arrival((newest,), (), tuple(sorted([*zips[:-1], *older])), strays=strays)
    loose = sorted(file for file in finished if file.is_csv)
    if all(file in read for file in loose):
        return Arrival((), tuple(expected), strays=strays)
    present = {canonical_name(file.name) for file in loose}
    old = of_another_night({file.name: file.modified for file in loose}, one_night_hours)
    return Arrival(
        tuple(loose),
        tuple(name for name in expected if name not in present and name not in absent),
        stale=tuple(file for file in loose if file.name in old),
        strays=strays,
    )


class Stability:
    """Watches successive looks at an inbox and says since when its files are stable: none came, went or changed."""

    def __init__(self) -> None:
        self._last: tuple[InboxFile, ...] = ()
        self._since: float = 0.0

    def seconds_stable(self, files: Sequence[InboxFile], now: float) -> float:
        """For how long these files have been seen with these sizes and times.

        Args:
            files: The delivery's files at this look.
            now: A monotonic clock's reading at this look, in seconds.
        """
        current = tuple(sorted(files))
        if current != self._last:
            self._last, self._since = current, now
        return now - self._since
