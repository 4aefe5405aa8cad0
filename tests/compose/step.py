"""What a step is, and what is written down of it."""

from collections.abc import Callable
from dataclasses import dataclass

from tests.compose.stack import Stack


@dataclass(frozen=True)
class Step:
    """Something that is done with the stack; later steps build on it.

    Attributes:
        told: What is tried, as the table says it.
        play: Does it, and says how it ended; an ``AssertionError`` says what did not end well.
    """

    told: str
    play: Callable[[Stack], str]
