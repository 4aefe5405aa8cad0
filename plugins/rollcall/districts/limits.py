"""How much change is still ordinary, and how much may be sent at once."""

from typing import Literal

from pydantic import Field, field_validator

from rollcall.districts.strict import Strict, require_landed

LimitName = Literal["removed", "added", "changed", "set_aside", "rekeyed"]
MIB = 1024 * 1024


class Limit(Strict):
    """How much of something is still ordinary: a percentage, and a number below which the percentage is not asked."""

    percent: float = Field(ge=0, le=100)
    floor: int = Field(ge=0)

    def exceeded(self, count: int, of: int) -> bool:
        """Whether ``count`` out of ``of`` is more than ordinary: above the floor and above the percentage."""
        return count > self.floor and count * 100 > self.percent * of

    def exceeded_by_all(self, count: int, of: int) -> bool:
        """The same of a file as a whole: all of it is never ordinary, however few records it has."""
        return self.exceeded(count, of) or (0 < of <= count and self.percent < 100)


class FileLimits(Strict):
    """Limits of one file that differ from the district's."""

    removed: Limit | None = None
    added: Limit | None = None
    changed: Limit | None = None
    set_aside: Limit | None = None
    rekeyed: Limit | None = None


class Limits(Strict):
    """The safeguards' limits, asked per file and per school.

    Attributes:
        removed: Published records that the delivery would remove.
        added: Records that nobody has seen, against those published.
        changed: Published records whose content would change.
        set_aside: Records of a file that break a critical rule, against those of the file.
        rekeyed: Vanished records that seem to come back under a new id, against those published.
        files: What is different for a file, by the standard's name.
        roll_over: What is different for people when a new school year is expected and comes.
    """

    removed: Limit
    added: Limit
    changed: Limit
    set_aside: Limit
    rekeyed: Limit
    files: dict[str, FileLimits] = Field(default_factory=dict)
    roll_over: FileLimits = FileLimits()

    @field_validator("files")
    @classmethod
    def _are_landed_files(cls, value: dict[str, FileLimits]) -> dict[str, FileLimits]:
        require_landed(value)
        return value

    @classmethod
    def alike(cls, limit: Limit) -> "Limits":
        """The same limit for everything."""
        return cls(removed=limit, added=limit, changed=limit, set_aside=limit, rekeyed=limit)

    def of(self, name: LimitName, file: str, *, roll_over: bool = False) -> Limit:
        """The limit that holds for a file: its own, else the district's.

        Args:
            name: Which limit.
            file: The file, by the standard's name.
            roll_over: Whether the night is one on which the limits of a new school year come first.
        """
        new_year: Limit | None = getattr(self.roll_over, name) if roll_over else None
        own: Limit | None = getattr(self.files.get(file), name, None)
        general: Limit = getattr(self, name)
        return new_year or own or general


NO_LIMITS = Limits.alike(Limit(percent=100, floor=0))
"""Limits that nothing exceeds, for what is decided already."""


class UploadLimits(Strict):
    """How much a district may send at once; what is more is refused before anything of it is copied (law 6).

    Attributes:
        file_mib: The largest file in MiB, as it is sent and as a zip unpacks it.
        delivery_mib: All files of a delivery in MiB, as they are sent.
        unpacked_mib: All files of a zip in MiB, unpacked.
        files: How many files a delivery has, those included that a newer zip makes pointless; and those of a zip.
    """

    file_mib: float = Field(gt=0)
    delivery_mib: float = Field(gt=0)
    unpacked_mib: float = Field(gt=0)
    files: int = Field(gt=0)

    @property
    def file_bytes(self) -> int:
        """The largest file, in bytes."""
        return int(self.file_mib * MIB)

    @property
    def delivery_bytes(self) -> int:
        """The largest delivery as it is sent, in bytes."""
        return int(self.delivery_mib * MIB)

    @property
    def unpacked_bytes(self) -> int:
        """The largest zip, unpacked, in bytes."""
        return int(self.unpacked_mib * MIB)
