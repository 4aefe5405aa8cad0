"""What a step is, and what is written down of it."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from tests.compose.stack import Kind, Stack


@dataclass(frozen=True)
class Step:
    """Something that is done with the stack; later steps build on it.

    Attributes:
        told: What is tried, as the table says it.
        play: Does it, and says how it ended; an ``AssertionError`` says what did not end well.
    """

    told: str
    play: Callable[[Stack], str]


@dataclass(frozen=True)
class Story:
    """What is played on one stack, from its start to its end.

    Attributes:
        kind: What the stack consists of.
        parts: Its steps, in parts that can be played alone on top of those before.
    """

    kind: Kind
    parts: Mapping[str, Sequence[Step]]
