"""Repeatable chance: draws that depend on nothing but their key, on any machine and any version of Python."""

from array import array
from collections.abc import Sequence
from hashlib import blake2b
from typing import TypeVar

T = TypeVar("T")

_MASK = (1 << 64) - 1
_GOLDEN = 0x9E3779B97F4A7C15


def key(*parts: object) -> int:
    """Return a 64-bit number that stands for the parts, the same one every time."""
    text = "\x1f".join(map(str, parts))
    return int.from_bytes(blake2b(text.encode(), digest_size=8).digest(), "big")


def mix(number: int) -> int:
    """Scatter a number over 64 bits (the last step of splitmix64)."""
    number &= _MASK
    number = ((number ^ (number >> 30)) * 0xBF58476D1CE4E5B9) & _MASK
    number = ((number ^ (number >> 27)) * 0x94D049BB133111EB) & _MASK
    return number ^ (number >> 31)


class Dice:
    """A stream of draws; the parts given to it decide all of them."""

    def __init__(self, *parts: object) -> None:
        self._state = key(*parts)

    def below(self, limit: int) -> int:
        """Draw a whole number from 0 up to, not including, the limit."""
        self._state = (self._state + _GOLDEN) & _MASK
        return mix(self._state) % limit

    def pick(self, choices: Sequence[T]) -> T:
        """Draw one of the choices."""
        return choices[self.below(len(choices))]

    def count(self, amount: float) -> int:
        """Turn an amount such as 2.3 into 2 or, three times in ten, 3."""
        whole = int(amount)
        return whole + (self.below(1_000_000) < (amount - whole) * 1_000_000)

    def sample(self, pool: "array[int]", size: int) -> list[int]:
        """Draw that many different members of the pool, or all of it when there are fewer; the pool is reordered."""
        size = min(size, len(pool))
        for here in range(size):
            there = here + self.below(len(pool) - here)
            pool[here], pool[there] = pool[there], pool[here]
        return list(pool[:size])
