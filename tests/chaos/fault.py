"""What a fault is, and what is written down of it."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.chaos.ground import Ground

NOTHING = "nothing"


@dataclass(frozen=True)
class Outcome:
    """How a fault ended.

    Attributes:
        told: What became of the night, in a few words.
        seconds: From the fault to a published roster, or to the end that the fault has to have.
        person: What a person had to do.
    """

    told: str
    seconds: float
    person: str = NOTHING


@dataclass(frozen=True)
class Fault:
    """Something that goes wrong, played on a district of its own.

    Attributes:
        name: How it is chosen on the command line.
        told: What goes wrong, as the table says it.
        play: Plays it and says how it ended; an ``AssertionError`` says what did not end well.
        needs_root: Whether it needs a small file system of its own.
    """

    name: str
    told: str
    play: "Callable[[Ground, str], Outcome]"
    needs_root: bool = False

    @property
    def district_id(self) -> str:
        """The district that it is played on."""
        return self.name.replace("_", "-")
