"""What a simulated district is like: its size, its habits, and how much changes from night to night."""

from dataclasses import dataclass, field, fields
from datetime import date
from typing import Literal, get_args

Levels = Literal["k12", "elementary"]
Packaging = Literal["loose", "zip"]


@dataclass(frozen=True)
class Rates:
    """How much changes in a night, as fractions of the students (or, for new sections, of the sections) there are.

    No student leaves, moves, changes class and is renamed in the same night: each gets one of the four at most.

    Attributes:
        joiners: Students who arrive. One in ten is a leaver who comes back under the old number.
        leavers: Students who vanish from users, enrollments and demographics.
        school_movers: Students who change to another school of the same level.
        class_changes: Students who change one of their classes for another section.
        renames: Students whose family name changes.
        new_sections: Sections that are split in two.
    """

    joiners: float = 0.002
    leavers: float = 0.002
    school_movers: float = 0.0005
    class_changes: float = 0.004
    renames: float = 0.001
    new_sections: float = 0.002

    def __post_init__(self) -> None:
        for rate in fields(self):
            if not 0 <= getattr(self, rate.name) <= 1:
                raise ValueError(f"The rate {rate.name} must lie between 0 and 1, not {getattr(self, rate.name)}.")


@dataclass(frozen=True)
class Profile:
    """A simulated district.

    Attributes:
        district_id: The id by which Rollcall knows it; also the domain of its e-mail addresses.
        name: The district's name, as it appears in orgs.csv.
        students: How many students it has on the first night.
        seed: Decides everything that is left to chance.
        levels: Kindergarten to grade 12, or elementary schools only.
        packaging: Seven loose files, or one zip.
        manifest: Whether a manifest.csv goes with them.
        first_night: The service date of night 1; in the summer, the district's schools are open all year.
        rates: How much changes in a night.
    """

    district_id: str
    name: str
    students: int
    seed: int
    levels: Levels = "k12"
    packaging: Packaging = "loose"
    manifest: bool = False
    first_night: date = date(2026, 11, 16)
    rates: Rates = field(default_factory=Rates)

    def __post_init__(self) -> None:
        if self.students < 1:
            raise ValueError(f"A district needs at least one student, not {self.students}.")
        if self.levels not in get_args(Levels):
            raise ValueError(f"levels must be one of {', '.join(get_args(Levels))}, not {self.levels!r}.")
        if self.packaging not in get_args(Packaging):
            raise ValueError(f"packaging must be one of {', '.join(get_args(Packaging))}, not {self.packaging!r}.")
