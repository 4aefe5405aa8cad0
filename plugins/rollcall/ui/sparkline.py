"""A line of 30 nights, small enough for a cell of a table."""

from collections.abc import Sequence

WIDTH, HEIGHT = 120, 24
"""In the units of the drawing's view box."""
MARGIN = 2


def sparkline(counts: Sequence[int | None]) -> str:
    """The points of an SVG polyline, from the lowest count to the highest; blank for fewer than two.

    Args:
        counts: A count per night, the oldest first; None for a night that has none.
    """
    known = [count for count in counts if count is not None]
    if len(known) < 2:
        return ""
    lowest, span = min(known), max(known) - min(known)
    step = (WIDTH - 2 * MARGIN) / (len(counts) - 1)
    usable = HEIGHT - 2 * MARGIN
    return " ".join(
        f"{MARGIN + step * night:.0f},{HEIGHT - MARGIN - usable * ((count - lowest) / span if span else 0.5):.0f}"
        for night, count in enumerate(counts)
        if count is not None
    )
