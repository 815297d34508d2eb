"""`python -m tools.manpage > docs/catalog.1`: the manual page, made of the same help as docs/commands.md."""

from __future__ import annotations

import click

from catalog.cli import program
from tools.commands import contexts

HEAD = r""".\" Written by `python -m tools.manpage > docs/catalog.1`; a test keeps it equal to `--help`.
.TH CATALOG 1
.SH NAME
catalog \- the catalog of clouds' VM images in PostgreSQL
.SH SYNOPSIS
.B catalog
[OPTIONS] COMMAND [ARGS]...
"""
TAIL = r""".SH FILES
.TP
catalog.toml
Configuration: in the working folder, or in ~/.config/catalog.
.TP
clouds.yaml, secure.yaml
Clouds and how to log in to them, as OpenStack's tools read them.
.SH ENVIRONMENT
CATALOG_CONFIG, CATALOG_DATABASE_URL, CATALOG_DATA_DIR, CATALOG_HTTP_BIND, OS_CLOUD, OS_REGION_NAME and OS_*.
"""


def page() -> str:
    """The whole page, as troff reads it."""
    sections = [_section(context) for context in contexts(program, None, "catalog")]
    return HEAD + "".join(sections) + TAIL


def _section(context: click.Context) -> str:
    title = "DESCRIPTION" if context.parent is None else context.command_path.upper()
    lines = [_escaped(line) for line in context.get_help().rstrip().splitlines()]
    return f'.SH "{title}"\n.nf\n' + "\n".join(lines) + "\n.fi\n"


def _escaped(line: str) -> str:
    line = line.replace("\\", r"\e").replace("-", r"\-")
    return r"\&" + line if line.startswith((".", "'")) else line


if __name__ == "__main__":
    click.echo(page(), nl=False)
