"""The simulator's nights on disk, kept from run to run: the same profile and simulator always give the same bytes."""

import hashlib
import json
import shutil
from dataclasses import asdict, dataclass
from pathlib import Path

import simulator
from simulator.night import write_night
from simulator.profile import Profile


@dataclass(frozen=True)
class Sent:
    """A night's files.

    Attributes:
        rows: Rows per file.
        rows_changed: Rows that are new, different or gone against the night before; 0 for the first night.
    """

    files: tuple[Path, ...]
    rows: dict[str, int]
    rows_changed: int

    @property
    def bytes(self) -> int:
        """The size of all files together."""
        return sum(file.stat().st_size for file in self.files)


def night_files(profile: Profile, night: int, work: Path) -> Sent:
    """The files of a night, from an earlier run if it wrote them."""
    folder = work / "files" / f"{_fingerprint(profile)}-{night}"
    note = folder / "expected.json"
    if not note.exists():
        shutil.rmtree(folder, ignore_errors=True)
        note_down(note, asdict(write_night(profile, night, folder).expected))
    expected = json.loads(note.read_text(encoding="utf-8"))
    changed = sum(sum(expected[kind].values()) for kind in ("added", "changed", "removed"))
    return Sent(tuple(sorted(folder.glob("*.csv"))), expected["rows"], changed)


def note_down(path: Path, content: object) -> None:
    """Write JSON as it is committed: readable, and with an end of line."""
    path.write_text(json.dumps(content, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def _fingerprint(profile: Profile) -> str:
    """What the bytes depend on."""
    digest = hashlib.sha256(repr(profile).encode())
    for path in sorted(Path(simulator.__file__).parent.glob("*.py")):
        digest.update(path.read_bytes())
    return digest.hexdigest()[:16]
