"""RESULTS.md: sections, each with its own date: benchmarks can be run in parts. trend.csv: goals by commit."""

from __future__ import annotations

import csv
import os
import platform
import re
import subprocess
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

PRODUCT_PACKAGES = ("sqlalchemy", "psycopg", "msgspec", "httpx")
ROOT = Path(__file__).parents[1]
_SECTION = re.compile(r"^<!-- (\S+) -->\n", re.MULTILINE)
HEAD = """# Measured speed

Written by `python -m benchmarks`; how each figure comes about stands in `benchmarks/__main__.py`.
Every run is a whole process, interpreter start and imports included. Times are wall seconds, medians of the
turns; a ratio is the median of each turn's own ratio. WAL and rows are those of the whole server during the run.
Goals by commit are in `trend.csv`.
"""


@dataclass(frozen=True)
class Table:
    """Cells as they shall be shown."""

    head: Sequence[str]
    rows: Sequence[Sequence[str]]

    def markdown(self) -> str:
        lines = [self.head, ["---"] * len(self.head), *self.rows]
        return "\n".join(f"| {' | '.join(str(cell) for cell in line)} |" for line in lines)


@dataclass(frozen=True)
class Verdict:
    """One goal, and whether this run met it."""

    goal: str
    measured: str
    bound: str
    met: bool


def at_most(goal: str, value: float, bound: float, unit: str = "", digits: int = 2) -> Verdict:
    """A goal that is met up to a bound."""
    return Verdict(goal, f"{value:,.{digits}f}{unit}", f"at most {bound:g}{unit}", value <= bound)


def number(value: float) -> str:
    return f"{value:,.0f}"


class Report:
    """Writes sections: each stands behind its key in RESULTS.md, in their order, and keeps its place there."""

    def __init__(self, target: Path, server: str, baselines: dict[str, str]) -> None:
        self._target = target
        self._server = server
        self._baselines = baselines

    def write(self, key: str, title: str, *parts: str, verdicts: Iterable[Verdict] = ()) -> None:
        """Replaces one section, its goals first, and adds them to trend.csv."""
        met = list(verdicts)
        rows = [(v.goal, v.measured, v.bound, "yes" if v.met else "**no**") for v in met]
        goals = Table(("goal", "measured", "bound", "met"), rows).markdown() if rows else ""
        text = "\n\n".join(part for part in (f"## {title}", self._circumstances(), goals, *parts) if part)
        written = self._target.read_text() if self._target.exists() else ""
        found = _SECTION.split(written)[1:]
        sections = dict(zip(found[::2], found[1::2], strict=True)) | {key: f"\n{text}\n\n"}
        marked = (f"<!-- {name} -->\n{section}" for name, section in sorted(sections.items()))
        self._target.write_text(f"{HEAD}\n{''.join(marked)}".rstrip() + "\n")
        self._remember(key, met)

    def _remember(self, key: str, verdicts: Iterable[Verdict]) -> None:
        commit = subprocess.run(
            ["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, cwd=ROOT
        )
        trend = self._target.with_name("trend.csv")
        is_new = not trend.exists()
        with trend.open("a", newline="") as file:
            writer = csv.writer(file, lineterminator="\n")
            if is_new:
                writer.writerow(("commit", "day", "section", "goal", "measured", "bound"))
            day = f"{datetime.now(UTC):%Y-%m-%d}"
            writer.writerows((commit.stdout.strip(), day, key, v.goal, v.measured, v.bound) for v in verdicts)

    def _circumstances(self) -> str:
        mine = ", ".join(f"{name} {version(name)}" for name in PRODUCT_PACKAGES)
        theirs = ", ".join(f"{name} {number}" for name, number in sorted(self._baselines.items()))
        return (
            f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC. {machine()} Load before: {os.getloadavg()[0]:.1f}."
            f" PostgreSQL {self._server}. Python {platform.python_version()}, {mine}."
            + (f" Baselines: {theirs}." if theirs else "")
        )


def machine() -> str:
    """Cores, memory and model of the processor; never a host's name."""
    model = next(
        (
            line.partition(":")[2].strip()
            for line in Path("/proc/cpuinfo").read_text().splitlines()
            if line.startswith("model name")
        ),
        platform.machine(),
    )
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return f"{os.cpu_count()} cores ({model}), {memory:.0f} GiB of memory, {platform.system()}."
