"""The life of one image, drawn: periods of a status as bars, revisions as marks, in percent of the width."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

SHADES = 6
"""Statuses that can be told apart; others share the last shade."""
KNOWN = {
    "active": 0,
    "queued": 1,
    "saving": 1,
    "importing": 1,
    "uploading": 1,
    "deactivated": 2,
    "killed": 3,
    "deleted": 4,
}
"""Shade of a status."""  # fmt: skip
NARROWEST = 0.4
TICKS = 4


@dataclass(frozen=True, slots=True)
class Period:
    status: str
    start: float
    width: float
    shade: int
    entered_at: datetime
    left_at: datetime | None


@dataclass(frozen=True, slots=True)
class Mark:
    change: str
    at: datetime
    place: float
    keys: str


@dataclass(frozen=True, slots=True)
class Timeline:
    """`ticks`: (moment, place). `cut`: what of a moment's text tells them apart."""

    periods: tuple[Period, ...]
    marks: tuple[Mark, ...]
    ticks: tuple[tuple[datetime, float], ...]
    cut: slice


def draw(
    periods: Sequence[Mapping[str, Any]], revisions: Iterable[Mapping[str, Any]], now: datetime
) -> Timeline | None:
    """A plot of rows with `status`, `entered_at`, `left_at`, and of revisions; None where nothing is known."""
    revisions = list(revisions)
    begins: list[datetime] = [row["entered_at"] for row in periods] + [row["valid_from"] for row in revisions]
    if not begins:
        return None
    first, last = min(begins), max([now, *begins])
    length = max((last - first).total_seconds(), 1.0)

    def place(moment: datetime) -> float:
        return round(100 * float((moment - first).total_seconds()) / length, 3)

    drawn = []
    for row in periods:
        start, end = place(row["entered_at"]), place(row["left_at"] or last)
        shade = KNOWN.get(row["status"].lower(), SHADES - 1)
        width = max(NARROWEST, round(end - start, 3))
        drawn.append(
            Period(row["status"], min(start, 100 - width), width, shade, row["entered_at"], row["left_at"])
        )
    marks = [
        Mark(
            row["change"],
            row["valid_from"],
            place(row["valid_from"]),
            ", ".join(sorted(row["changed"] or ())),
        )
        for row in revisions
    ]
    step = timedelta(seconds=length / TICKS)
    ticks = tuple((first + n * step, 100.0 * n / TICKS) for n in range(TICKS + 1))
    cut = slice(10) if length > TICKS * 86400 else slice(5, 16)
    return Timeline(tuple(drawn), tuple(marks), ticks, cut)
