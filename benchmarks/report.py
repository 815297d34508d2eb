"""RESULTS.md: a part a section, each with its own date, so that the benchmarks can be run in parts."""

from __future__ import annotations

import os
import platform
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

PRODUCT_PACKAGES = ("sqlalchemy", "psycopg", "msgspec", "httpx")
HEAD = """# Measured speed

Written by `python -m benchmarks`; how each figure comes about stands in `benchmarks/__main__.py`.
Every run is a whole process, interpreter start and imports included. Times are wall seconds, medians of the
turns; a ratio is the median of each turn's own ratio. WAL and rows are those of the whole server during the run.
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
    """One goal of issue 10, and whether this run met it."""

    goal: str
    measured: str
    bound: str
    met: bool


def goals(verdicts: Iterable[Verdict]) -> str:
    rows = [(v.goal, v.measured, v.bound, "yes" if v.met else "**no**") for v in verdicts]
    return Table(("goal", "measured", "bound", "met"), rows).markdown() if rows else ""


def number(value: float) -> str:
    return f"{value:,.0f}"


class Report:
    """Sections in a folder; RESULTS.md is all of them in the order of their keys."""

    def __init__(self, folder: Path, target: Path, server: str, baselines: dict[str, str]) -> None:
        self._folder = folder
        self._target = target
        self._server = server
        self._baselines = baselines
        folder.mkdir(parents=True, exist_ok=True)

    def write(self, key: str, title: str, *parts: str) -> None:
        """Replaces one section and writes RESULTS.md anew."""
        text = "\n\n".join(part for part in (f"## {title}", self._circumstances(), *parts) if part)
        (self._folder / f"{key}.md").write_text(text + "\n")
        sections = [path.read_text() for path in sorted(self._folder.glob("*.md"))]
        self._target.write_text("\n".join([HEAD, *sections]))

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
