"""Bars on a logarithmic scale, as SVG."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

WIDTH, NAMES, VALUES = 860, 230, 90
BAR, GAP, TOP = 24, 10, 56
OURS, OTHERS = "#1f6feb", "#8c959f"


@dataclass(frozen=True, slots=True)
class Bar:
    """A value with its name."""

    name: str
    value: float
    is_ours: bool


def bars(title: str, unit: str, values: Sequence[Bar]) -> str:
    """Give a picture of the values, each a bar; a light line stands at each power of ten."""
    ordered = sorted(values, key=lambda bar: -bar.value)
    low = math.floor(math.log10(max(1e-9, min(bar.value for bar in ordered))))
    high = max(low + 1, math.ceil(math.log10(max(bar.value for bar in ordered))))
    span = WIDTH - NAMES - VALUES
    height = TOP + len(ordered) * (BAR + GAP) + 34

    def place(value: float) -> float:
        return NAMES + span * (math.log10(value) - low) / (high - low)

    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" role="img"'
        f' aria-label="{escape(title)}" font-family="sans-serif" font-size="13">',
        f'<rect width="{WIDTH}" height="{height}" fill="#ffffff"/>',
        f'<text x="16" y="28" font-size="16" font-weight="bold" fill="#24292f">{escape(title)}</text>',
    ]
    for power in range(low, high + 1):
        x, foot = place(10.0**power), height - 30
        lines.append(f'<line x1="{x:.1f}" y1="{TOP - 8}" x2="{x:.1f}" y2="{foot}" stroke="#d0d7de"/>')
        lines.append(_text(x, foot + 16, f"{10**power:,}" if power >= 0 else f"{10.0**power:g}", "middle"))
    lines.append(_text(WIDTH - 12, height - 14, unit, "end"))
    for number, bar in enumerate(ordered):
        y = TOP + number * (BAR + GAP)
        end = max(place(bar.value), NAMES + 2.0)
        lines.append(_text(NAMES - 10, y + BAR - 7, bar.name, "end"))
        colour = OURS if bar.is_ours else OTHERS
        lines.append(f'<rect x="{NAMES}" y="{y}" width="{end - NAMES:.1f}" height="{BAR}" fill="{colour}"/>')
        lines.append(_text(end + 6, y + BAR - 7, f"{bar.value:,.0f}", "start"))
    return "\n".join([*lines, "</svg>", ""])


def _text(x: float, y: float, words: str, anchor: str) -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" fill="#24292f">{escape(words)}</text>'
