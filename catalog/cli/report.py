"""`catalog report`: ready-made answers, in the terminal or as a page."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import click
from click.core import ParameterSource

from catalog.cli.completion import image_names, report_names
from catalog.cli.invocation import Invocation
from catalog.cli.output import listed_if_several, print_found, print_rows
from catalog.cli.parameters import format_option, moment, past, sources_option
from catalog.errors import ExitCode, UsageError
from catalog.files import written_whole
from catalog.report.html import make_page
from catalog.report.queries import CHANGES, QUERIES, run_report
from catalog.report.terminal import Format, print_pairs
from catalog.store.db.connection import clock

WIDTH = max(len(query.name) for query in QUERIES)
STANDARD_OUTPUT = "-"


@click.command(
    epilog="""\b
Example:
  catalog report
  catalog report changes --since 7d --source 'otc/*' --change deleted
  catalog report changes --field '__support_*'
  catalog report timeline Standard_Debian_12_latest
  catalog report stale --exit-code
  catalog report --html catalog.html

\b
Reports, and the options that each takes:
"""
    + "\n".join(f"  {query.name:<{WIDTH}}  {query.options}" for query in QUERIES),
)
@click.argument("name", required=False, shell_complete=report_names)
@click.argument("image", required=False, shell_complete=image_names)
@sources_option
@click.option("--since", type=moment, help="Only what happened since: a date, a time, or how long ago (7d).")
@click.option("--as-of", type=past, help="As it was then, instead of now.")
@click.option(
    "--change", type=click.Choice(CHANGES), multiple=True, help="Only such changes; may be repeated."
)
@click.option(
    "--field",
    multiple=True,
    metavar="GLOB",
    help="Only changes of upstream keys that fit: status, '__support_*'; may be repeated.",
)
@click.option("--tag", multiple=True, help="Only images with this tag; repeated: with all of them.")
@click.option(
    "--limit", type=click.IntRange(min=1), metavar="N", help="At most this many rows, the latest ones."
)
@click.option("--exit-code", is_flag=True, help="Exit 3 if the report has rows, for scripts.")
@click.option(
    "--html",
    type=click.Path(dir_okay=False, allow_dash=True, path_type=Path),
    metavar="FILE",
    help="Write one page with plots that stands alone, instead; - is standard output.",
)
@format_option
@click.pass_context
def report(
    context: click.Context,
    /,
    name: str | None,
    exit_code: bool,
    html: Path | None,
    format: Format,
    **asked: Any,
) -> int:
    """Answer the ready-made question NAME; without NAME list the questions.

    IMAGE goes with the report `timeline` alone: an id, the beginning of one (8 characters or more), or a name.
    """
    invocation: Invocation = context.obj
    given = {
        key for key in context.params if context.get_parameter_source(key) is ParameterSource.COMMANDLINE
    }
    if html is not None:
        if given - {"html", "source"}:
            raise click.UsageError("--html is a report of its own: it takes --source alone")
        _write_page(invocation, html, asked["source"])
        return ExitCode.OK
    if name is None:
        if given - {"format", "safe"}:
            raise click.UsageError("name a report; `catalog report` lists them")
        if format == "table" and sys.stdout.isatty():  # sentences, which a table would cut
            print_pairs([(query.name, query.help) for query in QUERIES], sys.stdout, keys=True)
            return ExitCode.OK
        rows = [(query.name, query.help, query.options) for query in QUERIES]
        print_rows(("name", "answers", "options"), rows, format)
        return ExitCode.OK
    with listed_if_several(format), invocation.reading() as connection:
        answer = run_report(connection, name, **asked)
    shown = answer.with_owners_by_name() if format == "table" else answer
    recent = name == "changes" and asked["since"] is None
    none = "nothing in the last 7 days; --since 30d looks further back" if recent else ""
    print_found(invocation, shown.columns, shown.rows, format, if_none=none)
    return ExitCode.WOULD_CHANGE if exit_code and answer.rows else ExitCode.OK


def _write_page(invocation: Invocation, file: Path, sources: tuple[str, ...]) -> None:
    with invocation.reading() as connection:
        page = make_page(connection, now=clock(connection), sources=sources).encode()
    if str(file) == STANDARD_OUTPUT:
        sys.stdout.buffer.write(page)
        return
    try:
        if file.exists() and not file.is_file():  # a pipe or a terminal
            file.write_bytes(page)
        else:
            with written_whole(file) as stream:
                stream.write(page)
    except OSError as error:
        raise UsageError(f"{file}: {error.strerror}; name a file that may be written") from None
    click.echo(f"{file} written")
