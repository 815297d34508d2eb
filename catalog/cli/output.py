"""Standard output of the commands: rows, and runs in words."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import click

from catalog.cli.failures import say_hint
from catalog.cli.invocation import WHAT_TO_SWEEP, Invocation
from catalog.errors import CatalogError
from catalog.model import MOST_NAMED, RunResult
from catalog.report import terminal
from catalog.report.find import FOUND_COLUMNS, SeveralImages
from catalog.report.terminal import Format
from catalog.store.db.connection import Database
from catalog.store.state import sources
from catalog.store.state.runs import RUN_COLUMNS
from catalog.text import visible

GREEN, ORANGE, RED = 28, 130, 160
"""Places among 256 colours, dark enough for white and light enough for black; the first 16 may be any colour."""
COLOURS = {"complete": GREEN, "partial": ORANGE, "failed": RED, "busy": ORANGE}
DONE = ("inserted", "updated", "deleted", "restored")
TO_DO = {
    "inserted": "insert", "updated": "update", "deleted": "delete", "restored": "restore", "erased": "erase",
    "held": "hold", "released": "release",
}  # fmt: skip


def say(line: str) -> None:
    """Prints a line, without colours where standard output is not a terminal.

    Not by click.echo, which writes past the progress bar that stands in front of standard output.
    """
    plain = not sys.stdout.isatty() or bool(os.environ.get("NO_COLOR"))
    sys.stdout.write((click.unstyle(line) if plain else line) + "\n")
    sys.stdout.flush()


def number(count: int, thing: str) -> str:
    """`1 deletion`, `2 deletions`."""
    return f"{count} {thing}" if count == 1 else f"{count} {thing}s"


def changes(counts: Mapping[str, int], words: Iterable[str] = DONE) -> str:
    """Changes that a run made now, as `3 inserted, 1 deleted`, and in the past."""
    parts = [f"{counts[word]} {word}" for word in words if counts[word]]
    if counts["revised"]:
        parts = [
            *(parts or ["nothing changed now"]),
            number(counts["revised"], "revision") + " of the past changed",
        ]
    return ", ".join(parts) or "nothing changed"


def planned(counts: Mapping[str, int], words: Iterable[str] = DONE) -> str:
    """Changes that a run would make, as `would insert 3, delete 1`."""
    parts = [f"{TO_DO[word]} {counts[word]}" for word in words if counts[word]]
    if counts.get("revised"):
        parts.append(f"change {number(counts['revised'], 'revision')} of the past")
    return f"would {', '.join(parts)}" if parts else "would change nothing"


def in_short(run: Mapping[str, Any]) -> dict[str, Any]:
    """A row of `runs` with all that happened in one column, `result`."""
    parts = [run["error"]] if run["error"] else []
    if run["outcome"] in ("complete", "partial"):
        parts.insert(0, changes(run) + (f", {run['held']} held" if run["held"] else ""))
    return {**run, "outcome": run["outcome"] or "under way", "result": "; ".join(parts)}


def summary(run: RunResult, *, plan: bool = False) -> str:
    """A result in one line. What came from a cloud can't act on the terminal."""
    name = visible(run.source)
    parts = [click.style(run.outcome, fg=COLOURS[run.outcome])]
    if run.outcome in ("complete", "partial"):
        counts = {word: getattr(run, word) for word in (*DONE, "revised")}
        parts += [f"{run.listed} listed", planned(counts) if plan else changes(counts)]
        if run.unlisted:
            parts.append(f"{run.unlisted} unlisted but live")
        if run.rejected:
            parts.append(f"{run.rejected} rejected")
        if run.started_at and run.finished_at and not plan:
            parts.append(f"{(run.finished_at - run.started_at).total_seconds():.1f} s")
    line = f"{name}: {', '.join(parts)}"
    if run.warnings:
        line += f"; {number(len(run.warnings), 'value')} not converted"
    if run.held:
        line += f"; {number(run.held, 'deletion')} held, see `catalog deletions list {name}`"
    if run.note:
        line += f"; {visible(' '.join(run.note.split()))}"
    return line


def planned_lines(run: RunResult, most: int) -> Iterator[str]:
    """A line for each image that a plan would change, at most so many, and one that counts the rest."""
    for change, image_id, name in run.planned[:most]:
        yield f"  {change:<7}  {visible(image_id)}  {visible(name or '')}".rstrip()
    left = run.inserted + run.updated + run.deleted + run.restored - len(run.planned[:most])
    if left > 0:
        yield f"  and {number(left, 'image')} more; --format json names up to {MOST_NAMED:,}"


def print_rows(
    columns: tuple[str, ...], rows: list[tuple[Any, ...]], format: Format, *, if_none: str = ""
) -> None:
    """Rows on standard output, in the format asked for. If there are none, people are told `if_none` on standard
    error; programs can tell by themselves, and what cron runs shall stay silent."""
    terminal.print_rows(columns, rows, format, sys.stdout)
    if if_none and not rows and format == "table":
        say_hint(if_none)


def print_found(
    invocation: Invocation,
    columns: tuple[str, ...],
    rows: list[tuple[Any, ...]],
    format: Format,
    *,
    if_none: str = "",
) -> None:
    """Rows that a question found; says what to do on standard error if there is nothing to be found yet, else `if_none`
    as `print_rows` does."""
    print_rows(columns, rows, format, if_none="" if invocation.never_swept else if_none)
    if not rows and invocation.never_swept:
        say_hint(WHAT_TO_SWEEP)


@contextmanager
def listed_if_several(format: Format) -> Iterator[None]:
    """Prints the images that are meant if they are several; the error goes on, and ends the command (exit 2)."""
    try:
        yield
    except SeveralImages as error:
        print_rows(FOUND_COLUMNS, [tuple(each[1:]) for each in error.found], format)
        raise


def as_row(database: Database, run: RunResult) -> dict[str, Any]:
    """A result by the names of RUN_COLUMNS."""
    return {
        name: _source_id(database, run.source) if name == "source_id" else getattr(run, name)
        for name in RUN_COLUMNS
    }


def _source_id(database: Database, name: str) -> str | None:
    """None for a source that was never recorded, and while the database is away."""
    try:
        with database.transaction() as connection:
            stored = sources.find(connection, name)
    except CatalogError:
        return None
    return stored.source_id if stored else None
