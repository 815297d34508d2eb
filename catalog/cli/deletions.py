"""`catalog deletions`: deletions that the limit holds back, and decisions on them."""

from __future__ import annotations

import dataclasses
import getpass
from collections.abc import Sequence
from typing import Any

import click

from catalog.cli.completion import source_names
from catalog.cli.failures import one_by_one
from catalog.cli.invocation import Invocation
from catalog.cli.output import listed_if_several, number, print_found, say
from catalog.cli.parameters import F, format_option
from catalog.config.settings import source_settings
from catalog.errors import ExitCode, UsageError
from catalog.report.find import find_image
from catalog.report.terminal import Format
from catalog.store.db.connection import Connection
from catalog.store.state.held_deletions import HeldDeletion, held
from catalog.store.state.sources import Source, matching
from catalog.sync.approve_or_keep import DECISION, Verb, decidable, decide, seen_since
from catalog.sync.mapping_adapter import MappingAdapter

TABLE_COLUMNS = ("source", "image_id", "name", "owner", "observed_at", "reason", "decision")
"""Columns that fit side by side; JSON and CSV carry every column."""
NONE_HELD = "no deletion is held"


_source = click.argument("source", nargs=-1, shell_complete=source_names)
_image = click.option("--image", multiple=True, metavar="IMAGE", help="Only this image; may be repeated.")


def _chosen(command: F) -> F:
    """SOURCE, --all and --image, alike for both decisions."""
    everything = click.option("--all", "everything", is_flag=True, help="All sources, instead of SOURCE.")
    return _source(everything(_image(command)))


@click.group(
    epilog="""\b
Example:
  catalog deletions list
  catalog deletions approve lab --image 7f0c4f52-0b5e-4f0e-9d43-6a2b7d4b1f10
  catalog deletions keep 'otc/*' --plan""",
)
def deletions() -> None:
    """Decide on deletions that the limit holds back.

    A sweep that would delete suspiciously many images deletes none and holds them: they stay live. An image
    that is listed again leaves by itself.
    """


@deletions.command(
    "list",
    epilog="""\b
Example:
  catalog deletions list lab --format csv
  catalog deletions list --all --plan""",
)
@_source
@_image
@click.option("--all", "everything", is_flag=True, help="All sources, as without SOURCE.")
@click.option("--plan", is_flag=True, help="Show in the column decision what `approve` would do to each.")
@format_option
@click.pass_obj
def list_held(
    invocation: Invocation,
    source: tuple[str, ...],
    everything: bool,
    image: tuple[str, ...],
    plan: bool,
    format: Format,
) -> None:
    """Show what is held in SOURCE (names or globs; default: all): open, or kept until listed again."""
    if source and everything:
        raise click.UsageError("SOURCE and --all exclude each other")
    with listed_if_several(format), invocation.reading() as connection:
        known = matching(connection, source)
        meant = _meant(connection, known, image)
        rows = held(connection, [each.source_id for each in known], ("open", "kept"))
        rows = [row for row in rows if not image or row.image_id in meant]
        if plan:
            rows = _approvable(connection, known, rows)
    _print(invocation, rows, format)
    if format == "table" and rows:
        sources = len({row.source for row in rows})
        kept = sum(row.decision.startswith("kept") for row in rows)
        say(
            f"{number(len(rows), 'deletion')} held in {number(sources, 'source')}"
            + (f", {kept} kept" if kept else "")
        )


def _approvable(
    connection: Connection, known: Sequence[Source], rows: list[HeldDeletion]
) -> list[HeldDeletion]:
    """The rows with what `approve` would do to each as their decision."""
    planned = []
    for source in known:
        own = [row for row in rows if row.source == source.name]
        seen = seen_since(connection, source.source_id, own)
        for row in own:
            would = "kept, unless --image names it" if row.decision == "kept" else "would be deleted"
            would = "would be refused: seen since" if row.image_id in seen else would
            planned.append(dataclasses.replace(row, decision=would))
    return planned


@deletions.command(
    epilog="""\b
Example:
  catalog deletions approve lab --plan
  catalog deletions approve --all""",
)
@_chosen
@click.option("--plan", is_flag=True, help="Show what would be deleted, and delete nothing (exit 3).")
@format_option
@click.pass_obj
def approve(invocation: Invocation, /, **asked: Any) -> int:
    """Delete what is held in SOURCE (names or globs), as of the observation that first held it.

    A kept image is deleted too if --image names it.
    """
    return _decide(invocation, "approve", **asked)


@deletions.command(
    epilog="""\b
Example:
  catalog deletions keep lab""",
)
@_chosen
@click.option("--plan", is_flag=True, help="Show what would be kept, and decide nothing (exit 3).")
@format_option
@click.pass_obj
def keep(invocation: Invocation, /, **asked: Any) -> int:
    """Leave what is held in SOURCE (names or globs) live: absences up to now prove nothing.

    A kept image is not held again until it was listed once more, or somebody approves.
    """
    return _decide(invocation, "keep", **asked)


def _decide(
    invocation: Invocation,
    verb: Verb,
    source: tuple[str, ...],
    everything: bool,
    image: tuple[str, ...],
    plan: bool,
    format: Format,
) -> int:
    if bool(source) == everything:
        raise click.UsageError("name a SOURCE, or --all")
    settings = invocation.settings
    with invocation.existing_database() as database:
        with listed_if_several(format), database.transaction(read_only=True) as connection:
            chosen = matching(connection, source)
            images = _meant(connection, chosen, image)
            pending = {known.name: decidable(connection, known.source_id, verb, images) for known in chosen}
        held = {row.image_id for rows in pending.values() for row in rows}
        for image_id in images:
            if image_id not in held:
                raise UsageError(f"no deletion of image {image_id!r} is held; see `catalog deletions list`")
        if plan:
            rows = [row for rows in pending.values() for row in rows]
            would = [dataclasses.replace(row, decision=f"would be {DECISION[verb]}") for row in rows]
            _print(invocation, would, format)
            return ExitCode.WOULD_CHANGE if rows else ExitCode.OK
        decided: list[HeldDeletion] = []

        def decide_one(known: Source) -> None:
            rules = MappingAdapter.of(source_settings(settings, known.name, known.kind))
            shown = pending[known.name]
            decided.extend(
                decide(database, known.source_id, verb, rules, by=user(), image_ids=images, shown=shown)
            )

        code = one_by_one(decide_one, [known for known in chosen if pending[known.name]])
    # a source that is busy keeps what is held
    _print(invocation, decided, format, if_none="" if held else NONE_HELD)
    return code


def _meant(connection: Connection, chosen: Sequence[Source], images: Sequence[str]) -> tuple[str, ...]:
    """Ids of the images that are named."""
    names = [each.name for each in chosen]
    return tuple(find_image(connection, image, names)[0].image_id for image in images)


def user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return "unknown"


def _print(
    invocation: Invocation, rows: list[HeldDeletion], format: Format, *, if_none: str = NONE_HELD
) -> None:
    columns = tuple(field.name for field in dataclasses.fields(HeldDeletion))
    if format == "table":
        columns = TABLE_COLUMNS
        rows = [dataclasses.replace(row, owner=row.owner_name or row.owner) for row in rows]
    values = [tuple(getattr(row, name) for name in columns) for row in rows]
    print_found(invocation, columns, values, format, if_none=if_none)
