"""`catalog demo`: the whole way in half a minute, with nothing to set up."""

from __future__ import annotations

import os
import shlex
from pathlib import Path

import click

from catalog import logs
from catalog.cli.invocation import Invocation
from catalog.cli.output import print_rows, say, summary
from catalog.config.load import data_folder
from catalog.config.settings import DatabaseSettings
from catalog.demo import walkthrough as story
from catalog.store.db import schema
from catalog.store.db.connection import Database

QUESTIONS = (
    ("what changed", "catalog report changes"),
    ("where images stand", "catalog report lifecycle"),
    ("what runs where", "catalog report capabilities"),
    ("a page with plots", "catalog report --html demo.html"),
    ("SQL", 'catalog db shell -c "SELECT * FROM image_changes"'),
)


@click.command(
    epilog="""\b
Example:
  catalog demo""",
)
@click.pass_obj
def demo(invocation: Invocation) -> None:
    """Try it: needs no cloud, no configuration and no database.

    Starts a simulated Glance and a simulated Image Management Service on loopback and the embedded
    PostgreSQL, sweeps them, lets them change, sweeps again, and shows what changed and how to ask for it.
    The data stay in the folder `demo` of the data folder until the next demo.
    """
    logs.configure(invocation.verbosity)
    folder = data_folder(os.environ) / "demo"
    _say("Starting PostgreSQL in", str(folder))
    with Database(DatabaseSettings(url=None, data_dir=folder)) as database:
        schema.require(database)
        story.forget(database)
        with story.simulated_clouds() as clouds:
            _say("First sweep of two simulated clouds", "everything is new")
            story.sweep_all(database, clouds, lambda result: say("  " + summary(result)))
            story.let_change(clouds)
            _say("The clouds change", "a new image, a status, a tag, a flag, a deletion")
            _say("Second sweep", "only what differs is written")
            results = story.sweep_all(database, clouds, lambda result: say("  " + summary(result)))
        _say("What changed", "view image_changes")
        print_rows(story.CHANGE_COLUMNS, story.changes(database, results), "table")
    _tell_how_to_query(folder)


def _say(title: str, more: str) -> None:
    click.echo(f"\n{click.style(title, bold=True)} {click.style(f'({more})', dim=True)}")


def _tell_how_to_query(folder: Path) -> None:
    click.echo(f"\n{click.style('Ask it yourself', bold=True)}")
    if os.environ.get("CATALOG_DATABASE_URL"):
        click.echo("  unset CATALOG_DATABASE_URL")
    click.echo(f"  export CATALOG_DATA_DIR={shlex.quote(str(folder))}")
    for what, command in QUESTIONS:
        click.echo(f"  {command:<52} {click.style('# ' + what, dim=True)}")
    click.echo(f"\n{click.style('Your own cloud', bold=True)}")
    click.echo("  unset CATALOG_DATA_DIR; OS_CLOUD=mycloud catalog sync")
