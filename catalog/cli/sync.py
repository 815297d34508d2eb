"""`catalog sync`: one sweep of each source, several at once, a result each."""

from __future__ import annotations

import json
import sys
import threading
import time
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import click
import structlog

from catalog import logs
from catalog.cli.completion import source_names
from catalog.cli.failures import is_quiet, say_error, say_warning
from catalog.cli.invocation import Invocation
from catalog.cli.output import as_row, number, planned_lines, print_rows, say, summary
from catalog.cli.parameters import duration, format_option
from catalog.cli.progress import reading
from catalog.cli.side_by_side import choose, side_by_side, warn_of_same_services, workers
from catalog.cli.stopping import polite_stop
from catalog.config.settings import SourceSettings
from catalog.errors import CatalogError, ExitCode, UnexpectedError
from catalog.model import MOST_NAMED, RunResult
from catalog.report import terminal
from catalog.report.terminal import Format
from catalog.store.db.connection import Database
from catalog.store.state.runs import RUN_COLUMNS
from catalog.sync.changes_only import sweep_changes
from catalog.sync.sweep import sweep
from catalog.sync.sweep_context import Watch

TERMINAL_LINES = 40
"""Images of a plan that a terminal shows; a pipe gets them all."""
WAIT_STEP_SECONDS = 1.0
"""Between two attempts at a busy source; Ctrl-C ends the waiting as soon."""


@click.command(
    epilog="""\b
Example:
  catalog sync
  catalog sync 'otc/*' --plan
  catalog sync 'otc/*' --changes
  catalog sync lab --accept-deletions --wait 10m --format json""",
)
@click.argument("source", nargs=-1, shell_complete=source_names)
@click.option("--plan", is_flag=True, help="Read everything, write nothing, name what would change (exit 3).")
@click.option(
    "--changes", is_flag=True, help="Ask only for what changed since the last sweep; delete nothing."
)
@click.option("--accept-deletions", is_flag=True, help="Let this run past the deletion limit.")
@click.option("--wait", type=duration, default="0s", help="How long to wait for a busy source: 10m.")
@format_option
@click.pass_obj
def sync(
    invocation: Invocation,
    source: tuple[str, ...],
    plan: bool,
    changes: bool,
    accept_deletions: bool,
    wait: timedelta,
    format: Format,
) -> int:
    """Read each SOURCE once and merge what it lists.

    SOURCE is a name or a glob; default: all that are configured. With nothing configured but OS_CLOUD or
    OS_* set, it is that cloud. Nothing is ever deleted unless the whole listing was read.
    """
    logs.configure(invocation.verbosity)
    if plan and wait:
        raise click.UsageError("--wait goes without --plan, which does not wait for others")
    if changes and (plan or accept_deletions):
        raise click.UsageError("--changes goes without --plan and --accept-deletions: it deletes nothing")
    settings = invocation.sweepable
    chosen, failures = choose(settings, source)
    at_once = workers(settings, len(chosen))
    results = [_failed(name, error) for name, error in failures.items()]
    # two connections a source: one works, one keeps the lease
    with invocation.database(pool_size=2 * at_once + 1) as database, polite_stop() as stopping:
        with _printer(database, format, plan) as show, reading(len(chosen)) as (advance, watch):
            seconds = wait.total_seconds()
            sweeper = Sweeper(database, plan, changes, accept_deletions, seconds, stopping.asked, watch)
            for result in results:
                show(result)
                say_failure(result)
            for done in side_by_side(sweeper.sweep, chosen, at_once):
                if done is not None:
                    results.append(done)
                    show(done)
                    say_failure(done)
                advance(1)
        if any(run.outcome in ("complete", "partial") for run in results):
            with database.transaction(read_only=True) as connection:
                warn_of_same_services(connection, settings)
    if stopping.exit_code is not None:
        return stopping.exit_code
    return exit_code(results, plan=plan)


@dataclass(frozen=True, slots=True)
class Sweeper:
    """Sweeps one source after the other, or plans to; a failure becomes the source's result."""

    database: Database
    plan: bool
    changes: bool
    accept: bool
    wait_seconds: float
    stop: threading.Event
    watch: Watch

    def sweep(self, source: SourceSettings) -> RunResult | None:
        """None: not begun, because a stop was asked for."""
        if self.stop.is_set():
            return None
        log = structlog.get_logger("catalog.sync")
        log.info("sweep started", source=source.name)
        try:
            run = self._sweep(source)
            if run.outcome == "failed" and not self.plan:
                # needs SQLAlchemy's tables, which a sweep that goes well can spare itself to build
                from catalog.store.maintenance.source_removal import drop_unread

                drop_unread(self.database, source.name)
            return run
        except CatalogError as error:
            return _failed(source.name, error)
        except Exception as error:
            # a bug that one source meets is not a reason to leave the others
            log.exception("unexpected", source=source.name)
            return _failed(source.name, UnexpectedError(error))

    def _sweep(self, source: SourceSettings) -> RunResult:
        ends = time.monotonic() + self.wait_seconds
        while True:
            left = max(0.0, ends - time.monotonic())
            if self.changes:  # these read the cloud before they wait
                run = sweep_changes(
                    self.database, source, wait_seconds=left, stop=self.stop, watch=self.watch
                )
            else:
                run = sweep(
                    self.database,
                    source,
                    plan=self.plan,
                    accept_deletions=self.accept,
                    wait_seconds=min(WAIT_STEP_SECONDS, left),
                    stop=self.stop,
                    watch=self.watch,
                )
            if run.outcome != "busy" or self.stop.is_set() or time.monotonic() >= ends:
                return run


def say_failure(run: RunResult) -> None:
    """Prints why a source failed, was partial or busy, on standard error; and warns of deletions that are held."""
    if run.error:
        say_error(f"{run.source}: {run.outcome}; {run.error}")
    if run.held:
        held = number(run.held, "deletion")
        say_warning(f"{run.source}: {held} held; decide by `catalog deletions list {run.source}`")


def exit_code(results: Sequence[RunResult], *, plan: bool) -> ExitCode:
    """The first that applies: 2 configuration, while nothing was read; 1 failed or partial, 4 deletions held, 5 busy, 3
    planned changes."""
    read = any(run.outcome in ("complete", "partial") for run in results)

    def codes(run: RunResult) -> Iterator[ExitCode]:
        if run.outcome == "failed" and run.error_kind == "config" and not read:
            yield ExitCode.USAGE
        if run.outcome in ("failed", "partial"):
            yield ExitCode.FAILED
        if run.held:
            yield ExitCode.HELD
        if run.outcome == "busy":
            yield ExitCode.BUSY
        if plan and (run.inserted or run.updated or run.deleted or run.restored):
            yield ExitCode.WOULD_CHANGE

    return ExitCode.first_of(code for run in results for code in codes(run))


def _failed(name: str, error: CatalogError) -> RunResult:
    """The result of a source whose run has no row."""
    return RunResult(
        name, str(uuid.uuid4()), outcome="failed", error_kind=error.error_kind or "upstream", error=str(error)
    )


def _show(run: RunResult, plan: bool) -> None:
    if run.outcome in ("complete", "partial") and not is_quiet():
        say(summary(run, plan=plan))
    if plan:
        for line in planned_lines(run, TERMINAL_LINES if sys.stdout.isatty() else MOST_NAMED):
            say(line)


def _row(database: Database, run: RunResult, plan: bool) -> dict[str, Any]:
    planned = {"planned": [change._asdict() for change in run.planned]} if plan else {}
    return as_row(database, run) | planned


@contextmanager
def _printer(database: Database, format: Format, plan: bool) -> Iterator[Any]:
    """Yields a function that prints a result on standard output, at once or at the end."""
    if format == "table":
        yield lambda run: _show(run, plan)
    elif format in ("json", "jsonl"):
        yield lambda run: say(json.dumps(_row(database, run, plan), default=terminal.plain))
    else:
        rows: list[dict[str, Any]] = []
        yield lambda run: rows.append(as_row(database, run))
        print_rows(RUN_COLUMNS, [tuple(row.values()) for row in rows], format)
