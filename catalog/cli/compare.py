"""`catalog compare`: what two sources lack of one another, and what differs."""

from __future__ import annotations

from datetime import datetime

import click

from catalog.cli.completion import source_names
from catalog.cli.invocation import Invocation
from catalog.cli.output import print_found
from catalog.cli.parameters import format_option, past
from catalog.report.compare import compare as compared
from catalog.report.terminal import Format


@click.command(
    epilog="""\b
Example:
  catalog compare otc/eu-de otc/eu-nl
  catalog compare otc/eu-de --from 30d
  catalog compare otc/eu-de --from 2026-10-01 --to 2026-11-01 --format csv""",
)
@click.argument("a", shell_complete=source_names)
@click.argument("b", required=False, shell_complete=source_names)
@click.option(
    "--from", "from_", type=past, help="Compare A as it was then; without --to with what it is now."
)
@click.option("--to", type=past, help="Compare with A as it was then.")
@format_option
@click.pass_obj
def compare(
    invocation: Invocation,
    a: str,
    b: str | None,
    from_: datetime | None,
    to: datetime | None,
    format: Format,
) -> None:
    """Compare the live images of the sources A and B, or of A at two moments: one row per difference.

    Images belong together by their id; else by the hash of their data; else by system, release, architecture,
    visibility and family of the name, the newest with the newest. `only in a`: B lacks it.
    """
    with invocation.reading() as connection:
        found = compared(connection, a, b, from_=from_, to=to)
    print_found(invocation, found.columns, found.rows, format, if_none="no difference")
