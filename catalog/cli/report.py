"""`catalog report`: ready-made answers, in the terminal or as a page."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

import click

from catalog.cli.invocation import Invocation
from catalog.cli.output import print_found, print_rows
from catalog.cli.parameters import format_option, moment
from catalog.errors import ExitCode, UsageError
from catalog.report.html import write_page
from catalog.report.queries import QUERIES, run_report
from catalog.report.terminal import Format
from catalog.store.db.connection import clock


@click.command(
    epilog="""\b
Example:
  catalog report
  catalog report changes --since 7d --source 'otc/*'
  catalog report timeline Standard_Debian_12_latest
  catalog report stale --exit-code
  catalog report --html catalog.html""",
)
@click.argument("name", required=False)
@click.argument("image", required=False)
@click.option("--source", metavar="GLOB", help="Only sources whose name fits.")
@click.option("--since", type=moment, help="Only what happened since: a date, a time, or how long ago (7d).")
@click.option("--as-of", type=moment, help="As it was then, instead of now.")
@click.option("--exit-code", is_flag=True, help="Exit 3 if the report has rows, for scripts.")
@click.option(
    "--html",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Write one page with plots that stands alone, instead.",
)
@format_option
@click.pass_obj
def report(
    invocation: Invocation,
    name: str | None,
    image: str | None,
    source: str | None,
    since: datetime | None,
    as_of: datetime | None,
    exit_code: bool,
    html: Path | None,
    format: Format,
) -> int:
    """Answer the ready-made question NAME; without NAME list the questions.

    IMAGE, an id or a name, goes with the report `timeline` alone.
    """
    if html is not None:
        if name is not None or since is not None or as_of is not None or exit_code:
            raise click.UsageError("--html is a report of its own: it takes --source alone")
        _write_page(invocation, html, source)
        return ExitCode.OK
    if name is None:
        if source or since or as_of or exit_code:
            raise click.UsageError("name a report; `catalog report` lists them")
        print_rows(("name", "answers"), [(query.name, query.help) for query in QUERIES], format)
        return ExitCode.OK
    with invocation.reading() as connection:
        answer = run_report(connection, name, source=source, since=since, as_of=as_of, image=image)
    print_found(invocation, answer.columns, answer.rows, format)
    return ExitCode.WOULD_CHANGE if exit_code and answer.rows else ExitCode.OK


def _write_page(invocation: Invocation, file: Path, source: str | None) -> None:
    with invocation.reading() as connection:
        try:
            write_page(connection, file, now=clock(connection), sources=[source] if source else None)
        except OSError as error:
            raise UsageError(f"{file}: {error.strerror}; name a file that may be written") from None
    click.echo(f"{file} written")
