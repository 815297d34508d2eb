"""Numbers as marks: pure functions from counts to the shares and heights that the page draws.

Shares are percent of a width or height, so that plots stretch with the page and need no script.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date

COLOURS = 8
"""Series that can be told apart; the page has as many colours, and a grey for the rest."""

OTHERS = "others"
_FLATTEST = 0.15
"""Least height of the smaller side of a flow, as a share of the larger one."""


@dataclass(frozen=True, slots=True)
class Segment:
    """A part of a bar. `colour` counts from 0; COLOURS itself is the grey of the rest."""

    series: str
    count: int
    percent: float
    colour: int


@dataclass(frozen=True, slots=True)
class Bar:
    label: str
    count: int
    segments: tuple[Segment, ...]


@dataclass(frozen=True, slots=True)
class Bars:
    """Horizontal bars, longest first, each in parts by series; `series` in the order of their colours."""

    bars: tuple[Bar, ...]
    series: tuple[tuple[str, int], ...]


def stacked(counts: Mapping[tuple[str, str], int], most: int = 12) -> Bars:
    """Bars from counts by (label, series): the largest labels and series, the rest folded into one each."""
    by_label, by_series = Counter[str](), Counter[str]()
    for (label, name), count in counts.items():
        by_label[label] += count
        by_series[name] += count
    labels, series = _folded(by_label, most), _folded(by_series, COLOURS)
    folded = Counter[tuple[str, str]]()
    for (label, name), count in counts.items():
        folded[label if label in labels else OTHERS, name if name in series else OTHERS] += count
    colours = {name: COLOURS if name == OTHERS else place for place, name in enumerate(series)}
    totals = {label: sum(folded[label, name] for name in series) for label in labels}
    longest = max(totals.values(), default=0)
    bars = tuple(
        Bar(
            label,
            totals[label],
            tuple(
                Segment(name, count, 100 * count / longest, colours[name])
                for name in series
                if (count := folded[label, name])
            ),
        )
        for label in labels
    )
    return Bars(bars, tuple(colours.items()))


def _folded(sums: Mapping[str, int], most: int) -> list[str]:
    """The names by size; where there are more than `most`, the smallest as OTHERS."""
    names = sorted(sums, key=lambda name: (-sums[name], name))
    return names if len(names) <= most else [*(name for name in names[: most - 1] if name != OTHERS), OTHERS]


@dataclass(frozen=True, slots=True)
class Step:
    """One span of time in a flow: what came (up) and what went (down), in percent of the plot's height."""

    day: date
    came: int
    went: int
    up: float
    down: float
    observed: bool


@dataclass(frozen=True, slots=True)
class Flow:
    """Arrivals and departures. `zero`, and the second of a tick's pair: percent from the plot's top."""

    steps: tuple[Step, ...]
    zero: float
    ticks: tuple[tuple[int, float], ...]


def flow(steps: Sequence[tuple[date, int, int, bool]]) -> Flow:
    """A plot of (day, came, went, observed)."""
    up = _round_above(max((came for _, came, _, _ in steps), default=0))
    down = _round_above(max((went for _, _, went, _ in steps), default=0))
    if up and down:  # a side that is nearly flat would have its label on top of the line's
        up, down = max(up, _round_above(down * _FLATTEST)), max(down, _round_above(up * _FLATTEST))
    height = (up + down) or 1
    zero = 100 * up / height if up + down else 100.0
    ticks = [(up, 0.0)] if up else []
    ticks.append((0, zero))
    if down:
        ticks.append((down, 100.0))
    return Flow(
        tuple(
            Step(day, came, went, 100 * came / height, 100 * went / height, observed)
            for day, came, went, observed in steps
        ),
        zero,
        tuple(ticks),
    )


def _round_above(value: float) -> int:
    """The next number of the kind 1, 2, 3, 4, 5, 6, 8, 10, 20, ... at or above the value; 0 for 0."""
    if value <= 0:
        return 0
    power = int(10 ** max(0, math.floor(math.log10(value))))
    return next(step * power for step in (1, 2, 3, 4, 5, 6, 8, 10) if step * power >= value)


@dataclass(frozen=True, slots=True)
class Cell:
    """A field of the capability matrix; `share` of the images, 0 to 1, None where no image says anything."""

    images: int
    supported: int
    not_supported: int

    @property
    def share(self) -> float | None:
        known = self.supported + self.not_supported
        return self.supported / self.images if known and self.images else None


def duration(seconds: float | None) -> str:
    """A length of time in its largest fitting unit: 45 s, 12 min, 3.5 h, 18 d, 2.1 y."""
    if seconds is None:
        return "never"
    for unit, length in (("y", 365.25 * 86400), ("d", 86400.0), ("h", 3600.0), ("min", 60.0)):
        if seconds >= length * (2 if unit == "d" else 1):
            value = seconds / length
            rounded = f"{value:.1f}".removesuffix(".0") if value < 10 and unit in "yh" else f"{value:,.0f}"
            return f"{rounded} {unit}"
    return f"{seconds:.0f} s"
