"""`catalog runs`: the ledger of runs."""

from __future__ import annotations

import sys

import click

from catalog.cli.completion import source_names
from catalog.cli.invocation import Invocation
from catalog.cli.output import in_short, print_found
from catalog.cli.parameters import format_option
from catalog.report.terminal import Format
from catalog.store.state import runs as ledger
from catalog.store.state import sources

TABLE_COLUMNS = (
    "run",
    "source",
    "kind",
    "scope",
    "started_at",
    "observed_at",
    "outcome",
    "listed",
    "file",
    "result",
)
"""For people; JSON and CSV carry every column."""
SHORT = 8
"""Characters of a run's id that terminals show, and that commands take for it."""


@click.command(
    epilog="""\b
Example:
  catalog runs
  catalog runs 'otc/*' --limit 5 --format json
  catalog runs lab --kind backfill""",
)
@click.argument("source", nargs=-1, shell_complete=source_names)
@click.option("--kind", type=click.Choice(("sync", "backfill")), help="Only these.")
@click.option("--limit", type=click.IntRange(min=1), default=20, show_default=True, help="At most this many.")
@format_option
@click.pass_obj
def runs(
    invocation: Invocation, source: tuple[str, ...], kind: str | None, limit: int, format: Format
) -> None:
    """Show the ledger of runs, newest first: of SOURCE (names or globs), or of all.

    On a terminal the run's id is shown short, as `catalog backfill SOURCE --forget RUN_ID` takes it. JSON and CSV
    carry all columns of the table `runs`. A run with no outcome is under way.
    """
    with invocation.reading() as connection:
        known = sources.matching(connection, source)
        rows = ledger.recent(connection, [each.source_id for each in known], limit, kind)
    columns = ledger.RUN_COLUMNS
    if format == "table":
        shown = [in_short(dict(zip(columns, row, strict=True))) for row in rows]
        length = SHORT if sys.stdout.isatty() else None
        shown = [run | {"run": str(run["run_id"])[:length]} for run in shown]
        columns, rows = TABLE_COLUMNS, [tuple(run[name] for name in TABLE_COLUMNS) for run in shown]
    none = "no saved listing was loaded; `catalog backfill SOURCE PATH` does it" if kind == "backfill" else ""
    print_found(invocation, columns, rows, format, if_none=none)
