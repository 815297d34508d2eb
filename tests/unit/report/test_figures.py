"""Numbers as marks: shares, folds, heights."""

from __future__ import annotations

from datetime import date, timedelta
from itertools import pairwise

import pytest

from catalog.report.charts import COLOURS, OTHERS, duration, flow, stacked

DAY = date(2026, 3, 1)


def test_bars_are_ordered_by_size_and_share_the_width_of_the_longest() -> None:
    plot = stacked({("a", "x"): 1, ("b", "x"): 3, ("b", "y"): 1})
    assert [(bar.label, bar.count) for bar in plot.bars] == [("b", 4), ("a", 1)]
    assert [(part.series, part.percent) for part in plot.bars[0].segments] == [("x", 75.0), ("y", 25.0)]
    assert [part.percent for part in plot.bars[1].segments] == [25.0]
    assert plot.series == (("x", 0), ("y", 1))


@pytest.mark.parametrize("names", [COLOURS, COLOURS + 1, 100])
def test_what_would_be_too_many_is_folded_and_nothing_is_lost(names: int) -> None:
    counts = {(f"label{n}", f"series{n}"): n + 1 for n in range(names)}
    plot = stacked(counts, most=5)
    assert len(plot.bars) == 5
    assert sum(bar.count for bar in plot.bars) == sum(counts.values())
    assert plot.bars[-1].label == OTHERS
    assert len(plot.series) == COLOURS
    assert dict(plot.series).get(OTHERS, COLOURS) == COLOURS, "the rest is grey"
    assert all(sum(part.count for part in bar.segments) == bar.count for bar in plot.bars)


def test_a_platform_that_is_called_like_the_fold_joins_it() -> None:
    counts = {(f"label{n}", "s"): 1 for n in range(20)} | {(OTHERS, "s"): 50}
    plot = stacked(counts, most=5)
    assert [bar.label for bar in plot.bars].count(OTHERS) == 1
    assert sum(bar.count for bar in plot.bars) == 70


def test_arrivals_stand_on_the_line_and_departures_hang_from_it() -> None:
    plot = flow([(DAY, 40, 0, False), (DAY + timedelta(days=1), 3, 9, True)])
    assert [value for value, _ in plot.ticks] == [40, 0, 10]
    assert [percent for _, percent in plot.ticks] == pytest.approx([0, 80, 100])
    first, second = plot.steps
    assert first.up == pytest.approx(80)
    assert (first.down, first.observed) == (0, False)
    assert second.down == pytest.approx(18)
    assert all(step.up <= plot.zero and step.down <= 100 - plot.zero for step in plot.steps)


@pytest.mark.parametrize(
    ("came", "went"), [(31, 2), (2, 31), (100_000, 1), (1, 100_000), (1, 1), (7, 0), (0, 7)]
)
def test_no_label_of_the_plot_lies_on_another(came: int, went: int) -> None:
    plot = flow([(DAY, came, went, True)])
    places = [percent for _, percent in plot.ticks]
    assert min(b - a for a, b in pairwise(places)) >= 10
    assert [value for value, _ in plot.ticks if value] == [
        n for n in (plot.ticks[0][0], plot.ticks[-1][0]) if n
    ]
    assert plot.steps[0].up <= plot.zero + 1e-9


def test_nothing_at_all_is_drawn_as_a_line() -> None:
    assert flow([(DAY, 0, 0, True)]).ticks == ((0, 100.0),)
    assert flow([]).steps == ()
    assert stacked({}).bars == ()


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (None, "never"),
        (0, "0 s"),
        (59, "59 s"),
        (900, "15 min"),
        (3600, "1 h"),
        (5400, "1.5 h"),
        (36 * 3600, "36 h"),
        (3 * 86400, "3 d"),
        (800 * 86400, "2.2 y"),
    ],
)
def test_lengths_of_time_are_told_in_their_largest_fitting_unit(seconds: float | None, text: str) -> None:
    assert duration(seconds) == text
