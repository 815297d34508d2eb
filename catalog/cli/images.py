"""`catalog images`: the images that there are."""

from __future__ import annotations

from typing import Any

import click

from catalog.cli.invocation import Invocation
from catalog.cli.output import print_found
from catalog.cli.parameters import format_option, past, sources_option
from catalog.report.images import ORDERS, STATES, ImageFilter, list_images
from catalog.report.terminal import Format

TABLE_COLUMNS = ("source", "name", "status", "visibility", "os", "created_at", "owner", "image_id")
"""For people, `owner` by its name where it is known; JSON and CSV carry every column."""


def order(text: str) -> str:
    """An order; a minus before it: descending."""
    if text.removeprefix("-") not in ORDERS:
        expected = f"one of {', '.join(ORDERS)}, with a minus before it for descending order"
        raise click.BadParameter(f"expected {expected}; found {text!r}")
    return text


@click.command(
    epilog="""\b
Example:
  catalog images ubuntu
  catalog images --os ubuntu-22.04 --arch x86_64 --source otc/eu-de --sort -created --limit 1 --format json
  catalog images --tag golden --capability kvm --visibility public
  catalog images --owner sales --as-of 2026-11-01
  catalog images --kind snapshot --sort owner
  catalog images --deleted --sort -deleted --limit 20""",
)
@click.argument("text", required=False)
@sources_option
@click.option("--tag", multiple=True, help="Only with this tag; repeated: with all of them.")
@click.option("--capability", multiple=True, help="Only images that support it; repeated: all of them.")
@click.option("--os", metavar="OS", help="Operating system: ubuntu, or with its release: ubuntu-22.04.")
@click.option("--arch", help="Processor architecture: x86_64, aarch64, ...")
@click.option("--status", help="Status, in the cloud's words: active, queued, ...")
@click.option("--visibility", help="public, private, shared, community, ...")
@click.option("--owner", help="Id or name of the project that owns it.")
@click.option("--kind", help="Kind, in the cloud's words: snapshot, backup, ...")
@click.option("--state", type=click.Choice(STATES), help="State in the view image_lifecycle.")
@click.option("--as-of", type=past, help="As it was then, instead of now.")
@click.option("--deleted", is_flag=True, help="Deleted images instead of live ones.")
@click.option(
    "--sort",
    type=order,
    default="source",
    metavar="COLUMN",
    show_default=True,
    help=f"By {', '.join(ORDERS)}; with a minus before it in descending order: -created.",
)
@click.option("--limit", type=click.IntRange(min=1), metavar="N", help="At most this many.")
@format_option
@click.pass_obj
def images(invocation: Invocation, /, format: Format, **asked: Any) -> None:
    """List live images; TEXT is a part of a name or an id, in any case.

    An image is listed if it meets every condition. Retired sources are left out unless --source names them.
    JSON and CSV carry more columns. With both --as-of and --deleted: what was deleted by then.
    """
    wanted = ImageFilter(**asked)
    with invocation.reading() as connection:
        found = list_images(connection, wanted)
    columns, rows = found.columns, found.rows
    if format == "table":
        columns = TABLE_COLUMNS + (("deleted_at", "deletion_reason") if wanted.deleted else ())
        rows = [tuple(row[name] for name in columns) for row in found.with_owners_by_name().dicts()]
    none = "" if wanted.deleted else "no live image is like that; --deleted looks among the deleted ones"
    print_found(invocation, columns, rows, format, if_none=none)
