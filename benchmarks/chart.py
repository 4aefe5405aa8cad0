"""The curve of many nights as a small SVG: one line for each measure, against its own value of the second night."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

WIDTH, HEIGHT, LEFT, TOP, RIGHT, BOTTOM = 760, 300, 40, 16, 150, 28
MEASURES = (
    ("table_mb", "tables, MB", "#1b6ca8"),
    ("index_mb", "indexes, MB", "#7a3e9d"),
    ("build_seconds", "build, s", "#c0392b"),
    ("one_school_ms", "one school, ms", "#2e7d32"),
    ("roster_count_ms", "whole roster, ms", "#b7791f"),
)
SMOOTHED_OVER = 7
"""Times jump about with whatever else the machine does: shown is the median of a week."""


def write_chart(result: Mapping[str, Any], path: Path) -> None:
    """Draw the curve of a result of ``benchmarks.churn``."""
    curve = result["curve"]
    lines = {name: _relative([point[name] for point in curve]) for name, _, _ in MEASURES}
    highest = max(2.0, *(max(line) for line in lines.values()))
    parts = [_frame(len(curve), highest)]
    for place, (name, title, colour) in enumerate(MEASURES):
        points = " ".join(
            f"{_x(night, len(curve)):.1f},{_y(value, highest):.1f}" for night, value in enumerate(lines[name], start=1)
        )
        parts.append(f'<polyline points="{points}" fill="none" stroke="{colour}" stroke-width="1.5"/>')
        parts.append(_text(WIDTH - RIGHT + 8, TOP + 14 + 18 * place, title, colour))
    path.write_text("\n".join([*parts, "</svg>"]) + "\n", encoding="utf-8")


def _relative(values: Sequence[float]) -> list[float]:
    """Each value, smoothed, as a multiple of the one of the second night, when every index is there."""
    smooth = [_median(values[max(0, end - SMOOTHED_OVER) : end]) for end in range(1, len(values) + 1)]
    unit = smooth[min(1, len(smooth) - 1)] or 1.0
    return [value / unit for value in smooth]


def _median(values: Sequence[float]) -> float:
    return sorted(values)[len(values) // 2]


def _frame(nights: int, highest: float) -> str:
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" font-family="sans-serif"'
        ' font-size="12">',
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="white"/>',
    ]
    for step in range(int(highest) + 1):
        y = _y(step, highest)
        lines.append(f'<line x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y:.1f}" y2="{y:.1f}" stroke="#ddd"/>')
        lines.append(_text(8, y + 4, f"{step} x", "#555"))
    lines.append(_text(LEFT, HEIGHT - 8, "night 1", "#555"))
    lines.append(_text(WIDTH - RIGHT - 50, HEIGHT - 8, f"night {nights}", "#555"))
    return "\n".join(lines)


def _text(x: float, y: float, words: str, colour: str) -> str:
    return f'<text x="{x:.0f}" y="{y:.0f}" fill="{colour}">{words}</text>'


def _x(night: int, nights: int) -> float:
    return LEFT + (WIDTH - LEFT - RIGHT) * (night - 1) / max(1, nights - 1)


def _y(value: float, highest: float) -> float:
    return HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * value / highest
