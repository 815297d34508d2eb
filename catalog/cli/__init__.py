"""The command line: parse, call, print, exit code. A command's module is loaded when the command is called."""

from __future__ import annotations

import gc
import io
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

import click

from catalog import __version__
from catalog.cli.failures import Program, explain_usage, open_missing_streams
from catalog.errors import ExitCode

COMMANDS = {
    "demo": "Try it: a simulated cloud, a database, two sweeps.",
    "sync": "Read each source once and merge what it lists.",
    "daemon": "Sweep on schedule until SIGTERM or SIGINT.",
    "backfill": "Turn saved listings into history.",
    "deletions": "Decide on deletions that the limit holds back.",
    "remap": "Rebuild columns from the stored documents.",
    "images": "List images: by name, tag, system, owner, as of a moment.",
    "show": "Show one image whole, and explain why it is live or deleted.",
    "compare": "Compare two sources, or one at two moments.",
    "latest": "Show the image to use, per source.",
    "export": "Write the tables as files: Parquet, CSV, JSON Lines, SQLite.",
    "announce": "Announce which images to choose or use no more.",
    "support": "Until when vendors support their systems.",
    "report": "Answer a ready-made question.",
    "runs": "Show the ledger of runs, newest first.",
    "events": "Show what sweeps changed, and follow it.",
    "web": "Serve pages and an API to look at the catalog with.",
    "webhooks": "Show, test and retry those that events are sent to.",
    "sources": "Show, check, rename and remove sources.",
    "files": "Copy the files for deployment and dashboards to a folder.",
    "db": "Upgrade, check, dump and restore the database.",
}


@click.group(
    cls=Program,
    commands={name: click.Command(name, short_help=summary) for name, summary in COMMANDS.items()},
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="""\b
Example:
  catalog demo
  OS_CLOUD=mycloud catalog sync
  catalog report changes --since 7d

Exit codes, the first that applies: 2 usage or configuration error; 1 a source failed or ended partial;
4 deletions are held; 5 a source was busy; 3 --plan would change something, or report --exit-code has
rows; else 0.""",
)
@click.option(
    "--config",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Configuration. Default: $CATALOG_CONFIG, ./catalog.toml, or the one in your configuration folder.",
)
@click.option(
    "--database-url",
    metavar="URL",
    help="Database to use, instead of $CATALOG_DATABASE_URL and the configuration's.",
)
@click.option(
    "-v", "--verbose", count=True, help="Say more on standard error: sources and pages; -vv: each request."
)
@click.option("-q", "--quiet", is_flag=True, help="Print no warnings, no progress, and nothing that is well.")
@click.version_option(
    __version__,
    "-V",
    "--version",
    prog_name="catalog",
    message=f"%(prog)s, version %(version)s (Python {sys.version.split()[0]})",
)
@click.pass_context
def program(
    context: click.Context, config: Path | None, database_url: str | None, verbose: int, quiet: bool
) -> None:
    """The catalog of your clouds' VM images, kept true in a SQL database.

    Reads image listings of OpenStack Glance and of the Image Management Service into PostgreSQL: every
    image, tag and capability, and all that ever changed.
    """
    # only now what takes most of a second to import
    from catalog.cli.invocation import Invocation

    if verbose and quiet:
        raise click.UsageError("-v and -q exclude each other")
    # all that the command needs is imported by now, and stays: see `main`
    gc.freeze()
    gc.enable()
    context.obj = Invocation(config, database_url, -1 if quiet else verbose)


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """Runs the command line and leaves with its exit code; an expected failure is one line."""
    # records hold no cycles: looking for some after each 700 new objects took a tenth of a first load
    gc.set_threshold(20_000, 20, 20)
    # what is imported stays to the end: looking through it took a twentieth of a short command
    gc.disable()
    open_missing_streams()
    if isinstance(sys.stdout, io.TextIOWrapper):
        # names that the terminal's encoding cannot hold are shown as escapes
        sys.stdout.reconfigure(errors="backslashreplace")
    try:
        code = program.main(arguments, prog_name="catalog", standalone_mode=False)
    except click.ClickException as error:
        code = explain_usage(error)
    except click.Abort:
        code = ExitCode.INTERRUPTED
    # the interpreter would look through all that is left once more, a tenth of a sweep of 100,000 images;
    # whatever must be flushed or closed is closed by now
    gc.freeze()
    sys.exit(code or 0)
