"""`catalog events`: what sweeps changed, from a cursor on."""

from __future__ import annotations

import sys
import threading
from collections import deque
from collections.abc import Sequence
from typing import Literal

import click
import structlog

from catalog.cli.completion import source_names
from catalog.cli.failures import say_hint
from catalog.cli.invocation import WHAT_TO_SWEEP, Invocation
from catalog.cli.output import say
from catalog.cli.stopping import polite_stop
from catalog.errors import DatabaseUnavailable
from catalog.events import atom, cursor
from catalog.events.cloudevents import envelope
from catalog.events.filters import chosen_types
from catalog.report.terminal import json_line
from catalog.store.db.connection import Database
from catalog.store.state import events as log
from catalog.store.state.sources import ever_observed

POLL_SECONDS = 1.0
"""Seconds between two looks for new events."""


@click.command(
    epilog="""\b
Example:
  catalog events
  catalog events 'otc/*' --type 'catalog.image.*' --follow
  catalog events --after 1f0c4f52.17,9d436a2b.3
  catalog events --format atom > changes.xml""",
)
@click.argument("source", nargs=-1, shell_complete=source_names)
@click.option(
    "--after", metavar="CURSOR", help="Only what came later: the `cursor`, or the `id`, of an event."
)
@click.option("--type", "types", multiple=True, metavar="GLOB", help="Only these types; may be repeated.")
@click.option("--follow", is_flag=True, help="Go on and print what comes, until Ctrl-C or SIGTERM.")
@click.option(
    "--format",
    "format",
    type=click.Choice(["jsonl", "atom"]),
    default="jsonl",
    show_default=True,
    help="One CloudEvent per line, or a feed of the newest 500.",
)
@click.pass_obj
def events(
    invocation: Invocation,
    source: tuple[str, ...],
    after: str | None,
    types: tuple[str, ...],
    follow: bool,
    format: Literal["jsonl", "atom"],
) -> None:
    """Show what sweeps changed: of SOURCE (names or globs), or of all, oldest first.

    Each line is an event by CloudEvents 1.0, its `id` the same whenever it is read. `cursor` is the place of the
    line among all sources asked for: give the last one as --after to go on there. Events are kept for `events_keep`
    (30 days).
    """
    if follow and format == "atom":
        raise click.UsageError("--follow prints lines as they come: it goes with --format jsonl")
    chosen = chosen_types(types)
    positions = cursor.parse(after) if after is not None else {}
    with invocation.existing_database() as database:
        if not follow:
            _hint_if_never_swept(database)
        if format == "atom":
            _print_feed(database, source, positions, chosen)
        elif follow:
            with polite_stop() as stopping:
                _follow(database, source, positions, chosen, stopping.asked)
        else:
            _print_lines(database, source, positions, chosen)


def _hint_if_never_swept(database: Database) -> None:
    with database.transaction(read_only=True) as connection:
        if not ever_observed(connection):
            say_hint(WHAT_TO_SWEEP)


def _print_lines(
    database: Database, patterns: Sequence[str], positions: cursor.Positions, types: Sequence[str]
) -> None:
    """Moves `positions` on to what was printed."""
    with database.transaction(read_only=True) as connection:
        for event in log.read(connection, cursor.places(connection, patterns, positions), types):
            positions[event.source_id] = event.number
            sys.stdout.write(json_line(envelope(event) | {"cursor": cursor.render(positions)}) + "\n")
    sys.stdout.flush()


def _follow(
    database: Database,
    patterns: Sequence[str],
    positions: cursor.Positions,
    types: Sequence[str],
    stop: threading.Event,
) -> None:
    while not stop.is_set():
        try:
            _print_lines(database, patterns, positions, types)
        except DatabaseUnavailable as error:
            structlog.get_logger("catalog.events").warning(
                "database unavailable, retrying", reason=str(error)
            )
        stop.wait(POLL_SECONDS)


def _print_feed(
    database: Database, patterns: Sequence[str], positions: cursor.Positions, types: Sequence[str]
) -> None:
    with database.transaction(read_only=True) as connection:
        found = log.read(connection, cursor.places(connection, patterns, positions), types)
        newest = deque(found, maxlen=atom.MOST_ENTRIES)
    say(atom.feed(reversed(newest)).rstrip("\n"))
