"""`catalog show`: one image whole."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from datetime import datetime
from typing import Any

import click

from catalog.cli.completion import image_names
from catalog.cli.invocation import Invocation
from catalog.cli.output import listed_if_several, print_rows, say
from catalog.cli.parameters import format_option, sources_option
from catalog.report.find import find_image
from catalog.report.one_image import Row, show_image
from catalog.report.terminal import Format, print_pairs

SECTIONS = {
    "capabilities": "Capabilities",
    "properties": "Properties",
    "status_periods": "Status periods",
    "changes": "Latest changes",
    "lineage": "Lineage",
    "other_sources": "In other sources",
}
"""Parts of an image and their headings, in the order in which they are shown."""
EVIDENCE = ("observed_at", "meaning", "kind", "run_id")
"""For people; JSON carries more."""


@click.command(
    epilog="""\b
Example:
  catalog show 8bae893c
  catalog show ubuntu-22.04 --source otc/eu-de
  catalog show 8bae893c --explain""",
)
@click.argument("image", shell_complete=image_names)
@sources_option
@click.option(
    "--explain", is_flag=True, help="Say why it is live, unlisted, held or deleted, with the run ids."
)
@format_option
@click.pass_obj
def show(invocation: Invocation, image: str, source: tuple[str, ...], explain: bool, format: Format) -> None:
    """Show one image whole: columns, tags, flags, properties, status periods, latest changes, lineage.

    IMAGE is an id, the beginning of one (8 characters or more), or a name; deleted images are found too. If it means
    several images, they are listed, exit 2. One that several sources hold is shown for each.
    """
    with listed_if_several(format), invocation.reading() as connection:
        shown = [
            show_image(connection, found, explain=explain) for found in find_image(connection, image, source)
        ]
    if format in ("json", "jsonl"):
        columns = tuple(shown[0])
        print_rows(columns, [tuple(each.values()) for each in shown], format)
    elif format == "table":
        for number, each in enumerate(shown):
            if number:
                say("")
            _print(each)
    else:
        rows = [(each["source"], each["image_id"], *row) for each in shown for row in _flat(each)]
        print_rows(("source", "image_id", "section", "name", "value"), rows, format)


def _print(image: Row) -> None:
    parts = {*SECTIONS, "explanation"}
    print_pairs([(name, value) for name, value in image.items() if name not in parts], sys.stdout)
    for name, heading in SECTIONS.items():
        if part := image[name]:
            _head(heading)
            if isinstance(part, dict):
                print_pairs(list(part.items()), sys.stdout, keys=True)
            else:
                _print_part(part)
    if explained := image.get("explanation"):
        _head("Why")
        lookup = explained["look_up"] or {}
        facts = {name: explained[name] for name in ("because", "last_listed_at", "last_listed_run_id")}
        print_pairs(
            [*facts.items(), *((f"look_up_{key}", value) for key, value in lookup.items())], sys.stdout
        )
        if explained["evidence"]:
            _head("What each observation says since it was last listed, newest first")
            _print_part([{name: row[name] for name in EVIDENCE} for row in explained["evidence"]])
        if explained["decisions"]:
            _head("Deletions that were held")
            _print_part(explained["decisions"])


def _head(text: str) -> None:
    say(f"\n{click.style(text, bold=True)}")


def _print_part(rows: list[Row]) -> None:
    names = tuple(name for name in rows[0] if any(row[name] is not None for row in rows))
    print_rows(names, [tuple(row[name] for name in names) for row in rows], "table")


def _flat(image: Row) -> Iterator[tuple[str, str | datetime | None, Any]]:
    """Rows of section, name and value; a part's rows are named by their number."""
    for key, value in image.items():
        if key in SECTIONS and isinstance(value, list):
            for number, row in enumerate(value, 1):
                yield from ((key, f"{number}.{name}", each) for name, each in row.items())
        elif isinstance(value, dict):
            yield from ((key, name, each) for name, each in value.items())
        else:
            yield "image", key, value
