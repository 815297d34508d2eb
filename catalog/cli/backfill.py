"""`catalog backfill`: saved listings become history."""

from __future__ import annotations

from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any

import click
import structlog

from catalog.backfill import backfill as loading
from catalog.backfill import forgetting
from catalog.backfill.backfill import BackfillResult, FileFailure
from catalog.backfill.forgetting import EFFECTS, Forgotten
from catalog.cli.completion import source_names
from catalog.cli.failures import say_error, say_warning
from catalog.cli.invocation import Invocation
from catalog.cli.output import TO_DO, as_row, changes, in_short, number, planned, print_rows, say
from catalog.cli.parameters import ask, format_option, moment
from catalog.cli.progress import measuring
from catalog.cli.stopping import polite_stop
from catalog.errors import ExitCode, UsageError
from catalog.model import SourceKind
from catalog.report.terminal import Format
from catalog.store.db.connection import Database
from catalog.store.state.runs import RUN_COLUMNS, MergedRun
from catalog.text import listed, utc

SPAN = ""
"""`--forget` without a run: those of a span."""
MOST_NAMED = 5
"""Runs that a question names."""
TABLE_COLUMNS = ("observed_at", "observation", "listed", "result")
"""For people; JSON and CSV carry the columns of `runs`."""
PLAN_COLUMNS = ("change", "id", "name", "observed_at")
"""Of `--forget --plan`: runs that would be forgotten, by their file, then images."""


@click.command(
    epilog="""\b
Example:
  catalog backfill lab listings/2026-11-*.json.gz
  catalog backfill lab images.json --observed-at 2026-11-25T08:00Z --complete
  catalog backfill lab --forget 5c7ed1be --forget 0a2b94c7 --plan
  catalog backfill lab --forget --since 2026-11-20 --until 2026-11-22T06:00Z --yes""",
)
@click.argument("source", shell_complete=source_names)
@click.argument("path", nargs=-1, type=click.Path(path_type=Path))
@click.option(
    "--observed-at", type=moment, help="When the listings were taken. Default: each file's header or name."
)
@click.option("--complete", is_flag=True, help="The listings are whole: an image that is missing was gone.")
@click.option("--accept-deletions", is_flag=True, help="Let this run past the deletion limit.")
@click.option(
    "--yes",
    is_flag=True,
    help="Load what seems to be another source's, or was forgotten; forget without asking.",
)
@click.option("--kind", type=click.Choice(("glance", "ims")), help="Of a source that is known nowhere yet.")
@click.option(
    "--forget",
    metavar="[RUN_ID]",
    multiple=True,
    is_flag=False,
    flag_value=SPAN,
    help="Take the observation of this run, a sweep's too, out again; 8 characters of it do. May be repeated.",
)
@click.option("--since", type=moment, help="With --forget: all observations from then on.")
@click.option("--until", type=moment, help="With --forget: all observations up to then.")
@click.option(
    "--plan",
    is_flag=True,
    help="With --forget: show the runs and what becomes of images, and change nothing (exit 3).",
)
@format_option
@click.pass_obj
def backfill(
    invocation: Invocation,
    source: str,
    path: tuple[Path, ...],
    observed_at: datetime | None,
    complete: bool,
    accept_deletions: bool,
    yes: bool,
    kind: SourceKind | None,
    forget: tuple[str, ...],
    since: datetime | None,
    until: datetime | None,
    plan: bool,
    format: Format,
) -> int:
    """Load saved listings of SOURCE from each PATH, a file or a folder, into its history.

    Reads what the API answers, lists, JSON Lines and our own archives, gzipped or not. A listing was taken at
    --observed-at, else at the time in an archive's header or in the file's name. Files may come in any
    order and any number of times. A file that cannot be read whole is named, and the others go on (exit 1).
    """
    if bool(path) == bool(forget):
        raise click.UsageError("name a PATH to load, or --forget RUN_ID")
    if forget and (observed_at or complete or kind):
        raise click.UsageError(
            "--forget goes with --since, --until, --plan, --accept-deletions and --yes alone"
        )
    run_ids = [run_id for run_id in forget if run_id != SPAN]
    if not forget and (since or until or plan):
        raise click.UsageError("--since, --until and --plan go with --forget")
    if forget and bool(run_ids) == bool(since or until):
        raise click.UsageError("--forget takes run ids, or a span by --since and --until")
    configured = invocation.settings
    with invocation.database() as database:
        settings = loading.find_source(database, configured, source, kind=kind, paths=path)
        if forget:
            going = forgetting.meant(database, source, run_ids, since, until)
            take_out = partial(
                forgetting.forget,
                database,
                settings,
                *(run.run_id for run in going),
                accept_deletions=accept_deletions,
            )
            if not going:
                take_out(plan=plan)  # an interrupted command may have left an archive
                say(f"{source}: nothing to do: forgotten already")
                return ExitCode.OK
            if plan:
                _print_plan(source, going, take_out(plan=True), format)
                return ExitCode.WOULD_CHANGE
            named = listed([run.run_id[:8] for run in going], MOST_NAMED)
            moments = {run.observed_at for run in going}
            ask(
                f"take {number(len(moments), 'observation')} out of the history of {source!r}: {named}",
                yes=yes,
                extent=lambda: _extent(take_out(plan=True)),
            )
            _say_forgotten(source, take_out())
            return ExitCode.OK
        with polite_stop() as stopping, measuring("files") as measure:
            result = loading.backfill(
                database,
                settings,
                path,
                observed_at=observed_at,
                complete=complete,
                accept_deletions=accept_deletions,
                confirmed=yes,
                progress=lambda at: measure(at.bytes_done, at.bytes_total, f"{at.records} records"),
                stop=stopping.asked,
            )
        _print(database, result, format)
    return stopping.exit_code or _report(result)


def _print(database: Database, result: BackfillResult, format: Format) -> None:
    rows = [as_row(database, run) for run in result.runs]
    if format == "table":
        if rows:
            counts_as = [run.outcome if run.proves_absence else "incomplete" for run in result.runs]
            shown = [in_short(row) | {"observation": said} for row, said in zip(rows, counts_as, strict=True)]
            print_rows(TABLE_COLUMNS, [tuple(row[name] for name in TABLE_COLUMNS) for row in shown], format)
        line = f"{result.source}: {number(len(rows), 'observation')} loaded"
        if result.unchanged:
            line += f", {result.unchanged} known already"
        if result.forgotten:
            line += (
                f", {number(result.forgotten, 'file')} left out that were forgotten (name one, with --yes)"
            )
        if result.held:
            held = number(result.held, "deletion")
            line += f"; {held} held, see `catalog deletions list {result.source}`"
        say(line)
    else:
        print_rows(RUN_COLUMNS, [tuple(row.values()) for row in rows], format)


def _report(result: BackfillResult) -> int:
    """Prints a line for each failure, and returns the exit code."""
    for warning in result.warnings:
        structlog.get_logger("catalog.backfill").warning("not as expected", reason=warning)
    for failure in result.failures:
        say_error(_place(failure) + failure.reason)
    if result.busy:
        say_error(f"another process is working on {result.source!r}; run the same command again for the rest")
    if result.failures:
        return ExitCode.FAILED
    return ExitCode.HELD if result.held else ExitCode.BUSY if result.busy else ExitCode.OK


def _place(failure: FileFailure) -> str:
    return f"{failure.path}: " if failure.line is None else f"{failure.path}:{failure.line}: "


def _print_plan(source: str, going: list[MergedRun], planned_out: Forgotten, format: Format) -> None:
    """A row for each run, and for each image with an effect."""
    rows: list[tuple[Any, ...]] = [("forget", run.run_id, run.file, run.observed_at) for run in going]
    names = planned_out.names
    rows += [
        (TO_DO[effect], image_id, names[image_id], None)
        for effect, ids in planned_out.effects.items()
        for image_id in ids
        if image_id in names
    ]
    print_rows(PLAN_COLUMNS, rows, format)
    if format == "table":
        say(f"{source}: {planned(planned_out.counts, EFFECTS)}")
    if planned_out.refusal is not None:
        say_warning(f"it would be refused: {planned_out.refusal}")


def _extent(planned_out: Forgotten) -> str:
    """The effects on images, for the question. Raises UsageError where it would be refused."""
    if planned_out.refusal is not None:
        raise UsageError(planned_out.refusal)
    return f"; {planned(planned_out.counts, EFFECTS)}"


def _say_forgotten(source: str, forgotten: Forgotten) -> None:
    for at, run_ids in forgotten.observations.items():
        say(f"{source}: the observation of {utc(at)} is forgotten (runs {', '.join(run_ids)})")
    say(f"{source}: {changes(forgotten.counts, EFFECTS)}")
