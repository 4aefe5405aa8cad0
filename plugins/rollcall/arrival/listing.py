"""What lies in an inbox, and whether it is a complete delivery."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

from rollcall.oneroster import LANDED_FILE_NAMES, MANIFEST, OTHER_FILES

UNFINISHED_SUFFIXES = (".filepart", ".tmp", ".part", ".partial", ".writing")
_CANONICAL = {name.lower(): name for name in (*LANDED_FILE_NAMES, MANIFEST)}
_STANDARD = frozenset({*_CANONICAL, *(f"{name}.csv".lower() for name in OTHER_FILES)})


@dataclass(frozen=True, order=True)
class InboxFile:
    """One entry of an inbox's listing.

    Attributes:
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
    """

    files: tuple[InboxFile, ...]
    missing: tuple[str, ...]
    overtaken: tuple[InboxFile, ...] = ()

    @property
    def is_complete(self) -> bool:
        """Whether every expected file is there."""
        return bool(self.files) and not self.missing


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


def assess(listing: Iterable[InboxFile], expected: Sequence[str]) -> Arrival:
    """See an inbox's listing as a delivery.

    A zip is a whole delivery; with several, the newest counts, and what is older than it does not come to be taken for
    the next night's. Without one, the loose CSV files are the delivery.

    Args:
        listing: Every entry of the inbox.
        expected: The files that the district must send, by the standard's names.
    """
    finished = [file for file in listing if is_finished(file.name)]
    zips = sorted((file for file in finished if file.is_zip), key=lambda file: (file.modified, file.name))
    if zips:
        newest = zips[-1]
        older = [file for file in finished if file.is_csv and file.modified <= newest.modified]
        return Arrival((newest,), (), tuple(sorted([*zips[:-1], *older])))
    loose = sorted(file for file in finished if file.is_csv)
    present = {canonical_name(file.name) for file in loose}
    return Arrival(tuple(loose), tuple(name for name in expected if name not in present))


class Stability:
    """Watches successive looks at an inbox and says since when it has been at rest."""

    def __init__(self) -> None:
        self._last: tuple[InboxFile, ...] = ()
        self._since: float = 0.0

    def seconds_at_rest(self, files: Sequence[InboxFile], now: float) -> float:
        """For how long these files have been seen with these sizes and times.

        Args:
            files: The delivery's files at this look.
            now: A monotonic clock's reading at this look, in seconds.
        """
        current = tuple(sorted(files))
        if current != self._last:
            self._last, self._since = current, now
        return now - self._since
