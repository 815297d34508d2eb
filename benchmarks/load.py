"""Sweeps of growing change, product and baselines in turns: the table that the goals are read from."""

from __future__ import annotations

import argparse
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

from benchmarks.contenders import CONTENDERS, LIMIT, PRODUCT, Contender, Track
from benchmarks.listing import STATES, serve, show
from benchmarks.measuring import Run, middle
from benchmarks.report import Report, Table, Verdict, at_most, number

STEPS = ("first", "0", "1", "10", "100")
"""First load, then per cent changed; in 1, 10 and 100 half a per cent of the images is gone besides."""
GOALS = {
    "one source": {"first": 1.3, "0": 1.3, "1": 1.35, "10": 1.35},
    "many sources": {"first": 1.6, "0": 1.5},
}
"""Step -> how many times as long as the limit it may take."""
MOST_MIB = {100_000: 110, 1_000_000: 300}
Runs = dict[tuple[str, str], list[Run]]
"""(step, contender) -> a run each turn."""


@dataclass(frozen=True)
class Course:
    """`count` images in all, spread over `sources` sources; `steps` in this order, each `turns` times."""

    count: int
    sources: int
    steps: Sequence[str]
    contenders: Sequence[Contender]
    turns: int

    @property
    def key(self) -> str:
        return f"load-{self.count:07d}-{self.sources:02d}"

    @property
    def title(self) -> str:
        spread = "one source" if self.sources == 1 else f"{self.sources} sources"
        return f"{self.count:,} images in {spread}"


def measure(track: Track, report: Report, asked: argparse.Namespace) -> None:
    contenders = [contender for contender in CONTENDERS if contender.name in asked.contenders]
    for size in asked.sizes:
        for sources in asked.sources:
            if sources > 1 and size != 100_000 and len(asked.sizes) > 1:
                continue  # many sources are a matter of their number, told at one size
            course = Course(size, sources, asked.steps, contenders, asked.turns)
            runs = run_all(track, course)
            report.write(
                course.key, course.title, table(course, runs).markdown(), verdicts=verdicts(course, runs)
            )


def run_all(track: Track, course: Course) -> Runs:
    """Each turn starts with empty databases; within a step the contenders' order is reversed in every
    other turn, so that drift of the machine cancels."""
    runs: Runs = defaultdict(list)
    states = range(max(_state(step) for step in course.steps) + 1)
    field = [c for c in course.contenders if course.count <= c.largest]
    with serve(course.count // course.sources, states) as address:
        for turn in range(course.turns):
            for contender in field:
                track.prepare(contender, _database(contender))
            for step in course.steps:
                for contender in field if turn % 2 == 0 else reversed(field):
                    database = _database(contender)
                    one = track.sweep(contender, database, show(address, _state(step)), course.sources)
                    track.server.vacuum(database)
                    runs[step, contender.name].append(one)
                    print(f"{course.key} turn {turn + 1} {step:>5} {contender.name:<10} {one}", flush=True)
            for contender in field:
                track.server.drop(_database(contender))
    return runs


def _database(contender: Contender) -> str:
    return f"bench_{contender.name.replace('-', '_')}"


def _state(step: str) -> int:
    return 0 if step == "first" else STATES.index(int(step))


def table(course: Course, runs: Runs) -> Table:
    """Medians; ratios are medians of each turn's own ratio to the limit."""
    rows = []
    for step in course.steps:
        for contender in course.contenders:
            measured = runs.get((step, contender.name))
            if not measured:
                continue
            one = middle(measured)
            against = ratio(runs, step, contender.name, LIMIT.name)
            spread = f"{min(r.wall for r in measured):.2f} to {max(r.wall for r in measured):.2f}"
            rows.append(
                (
                    _called(step), contender.name, f"{one.wall:.2f}", spread, number(course.count / one.wall),
                    f"{against:.2f}" if against else "", f"{one.cpu:.2f}", f"{one.written.cpu:.2f}", f"{one.peak:.0f}",
                    number(one.written.wal / 1000), number(one.written.rows),
                )
            )  # fmt: skip
    head = (
        "changed", "contender", "wall s", "least to most", "images/s", "x limit", "client CPU s", "server CPU s",
        "peak MiB", "WAL kB", "rows written",
    )  # fmt: skip
    return Table(head, rows)


def _called(step: str) -> str:
    return "first load" if step == "first" else f"{step} %"


def ratio(runs: Runs, step: str, contender: str, reference: str) -> float | None:
    """How many times as long the contender took as the reference, turn by turn; the median."""
    pairs = list(zip(runs.get((step, contender), ()), runs.get((step, reference), ()), strict=False))
    return median(one.wall / other.wall for one, other in pairs) if pairs else None


def verdicts(course: Course, runs: Runs) -> list[Verdict]:
    """The goals of this size and number of sources, as far as these runs tell."""
    me = PRODUCT.name
    shape = "one source" if course.sources == 1 else "many sources"
    found = [
        at_most(f"{_called(step)}, times the limit", value, bound)
        for step, bound in GOALS[shape].items()
        if (value := ratio(runs, step, me, LIMIT.name)) is not None
    ]
    if course.count == 100_000 and course.sources == 1:
        for other in ("dlt-scd2", "dlt-scd2-tables"):
            for step, least in (("first", 2), ("1", 10)):
                if (value := ratio(runs, step, other, me)) is not None:
                    goal = f"{_called(step)}, times as fast as {other}"
                    found.append(Verdict(goal, f"{value:.2f}", f"at least {least}", value >= least))
    mine = [one for (step, name), ones in runs.items() if name == me and step != "100" for one in ones]
    if mine and course.count in MOST_MIB:
        peak = max(one.peak for one in mine)
        found.append(at_most("peak memory up to 10 % changed", peak, MOST_MIB[course.count], " MiB", 0))
    if course.sources == 1 and (unchanged := runs.get(("0", me))):
        found.append(
            at_most("WAL of an unchanged sweep", middle(unchanged).written.wal / 1000, 200, " kB", 0)
        )
    return found
