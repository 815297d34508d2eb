"""`catalog runs`: the ledger of runs."""

from __future__ import annotations

import click

from catalog.cli.invocation import Invocation
from catalog.cli.output import in_short, print_found
from catalog.cli.parameters import format_option
from catalog.report.terminal import Format
from catalog.store.state import runs as ledger
from catalog.store.state import sources

TABLE_COLUMNS = ("started_at", "source", "kind", "outcome", "listed", "result")
"""For people; JSON and CSV carry every column."""


@click.command(
    epilog="""\b
Example:
  catalog runs
  catalog runs 'otc/*' --limit 5 --format json""",
)
@click.argument("source", required=False)
@click.option("--limit", type=click.IntRange(min=1), default=20, show_default=True, help="How many at most.")
@format_option
@click.pass_obj
def runs(invocation: Invocation, source: str | None, limit: int, format: Format) -> None:
    """Show the ledger of runs, newest first: of SOURCE (a name or a glob), or of all.

    JSON and CSV carry all columns of the table `runs`. A run with no outcome is under way.
    """
    with invocation.reading() as connection:
        known = sources.matching(connection, [source] if source else [])
        rows = ledger.recent(connection, [each.source_id for each in known], limit)
    columns = ledger.RUN_COLUMNS
    if format == "table":
        shown = [in_short(dict(zip(columns, row, strict=True))) for row in rows]
        columns, rows = TABLE_COLUMNS, [tuple(run[name] for name in TABLE_COLUMNS) for run in shown]
    print_found(invocation, columns, rows, format)
