"""`catalog support`: until when vendors support their systems."""

from __future__ import annotations

from pathlib import Path

import click

from catalog.cli.invocation import Invocation
from catalog.store.state import os_support
from catalog.text import listed


@click.group(
    epilog="""\b
Example:
  catalog support load ubuntu.json""",
)
def support() -> None:
    """Until when vendors support their systems; `catalog report support` shows which images it concerns."""


@support.command(
    epilog="""\b
Example:
  catalog support load ubuntu.json
  catalog support load rhel.json --distro rhel""",
)
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--distro", help="The system, as in image_os. Default: what the file says, else its name.")
@click.pass_obj
def load(invocation: Invocation, file: Path, distro: str | None) -> None:
    """Take ends of support over from FILE, JSON of endoflife.date: one product, or all of them.

    What is known of other releases stays. Phases are kept apart: active, security and lts are free, extended is paid.
    """
    rows = os_support.read(file, distro)
    with invocation.database() as database, database.transaction() as connection:
        changed = os_support.save(connection, rows)
    systems = sorted({row.distro for row in rows})
    click.echo(f"{file}: {len(rows)} phases of {listed(systems, 5)} read, {changed} rows changed")
