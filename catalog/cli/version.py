"""`catalog version`."""

from __future__ import annotations

import platform

import click

from catalog import __version__


@click.command(
    epilog="""\b
Example:
  catalog version""",
)
def version() -> None:
    """Show the versions of catalog and of Python; `catalog --version` is shorter."""
    click.echo(f"catalog {__version__}, Python {platform.python_version()}, {platform.platform(terse=True)}")
