"""Progress of long work: a bar on standard error, and only where that is a terminal."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext

from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.theme import Theme

from catalog.cli.failures import is_quiet
from catalog.sync.sweep_context import Watch
from catalog.text import visible

PLAIN = ("progress.elapsed", "progress.percentage", "progress.spinner")
"""Styles of rich that can't be read on a white ground."""

Advance = Callable[[int], None]
Measure = Callable[[int, int, str], None]


@contextmanager
def counting(what: str, total: int | None) -> Iterator[Advance]:
    """Yields a function that takes the number of things done since its last call."""
    with _bar(what, "{task.completed}" if total is None else "{task.completed}/{task.total}") as bar:
        task = bar.add_task(what, total=total, note="")
        yield lambda more: bar.advance(task, more)


@contextmanager
def measuring(what: str) -> Iterator[Measure]:
    """Yields a function that takes the amount done so far, the total, and a note."""
    with _bar(what, "{task.percentage:>3.0f}%") as bar:
        task = bar.add_task(what, total=None, note="")

        def measure(done: int, total: int, note: str) -> None:
            bar.update(task, completed=done, total=total, note=note)

        yield measure


@contextmanager
def reading(sources: int) -> Iterator[tuple[Advance, Watch]]:
    """Yields a function that takes the number of sources that ended, and one that takes each page as it is read."""
    with _bar("sources", "{task.completed}/{task.total}") as bar:
        task = bar.add_task("sources", total=sources, note="")
        pages = images = 0
        lock = threading.Lock()

        def watch(source: str, records: int) -> None:
            nonlocal pages, images
            with lock:  # sources are read side by side
                pages, images = pages + 1, images + records
                bar.update(task, note=visible(f"{pages} pages, {images:,} images, now {source}"))

        yield lambda more: bar.advance(task, more), watch


@contextmanager
def _bar(what: str, numbers: str) -> Iterator[Progress]:
    """The bar, which is shown where standard error is a terminal."""
    bar = Progress(
        SpinnerColumn(),
        TextColumn(what),
        BarColumn(bar_width=30),
        TextColumn(numbers),
        TextColumn("{task.fields[note]}"),
        TimeElapsedColumn(),
        console=Console(stderr=True, theme=Theme(dict.fromkeys(PLAIN, "none"))),
        transient=True,
        # Where standard output is not the terminal, rich must not redirect it to standard error.
        redirect_stdout=sys.stdout.isatty(),
    )
    with bar if sys.stderr.isatty() and not is_quiet() else nullcontext():
        yield bar
