"""`catalog export`: the tables as files, in a folder, a bucket or one SQLite file."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import click

from catalog.cli.invocation import Invocation
from catalog.cli.output import number
from catalog.cli.parameters import sources_option
from catalog.cli.progress import counting
from catalog.errors import UsageError
from catalog.export.export import export as export_files
from catalog.export.formats import FileFormat, arrow
from catalog.export.sqlite import description_file, export_sqlite
from catalog.export.tables import KEYS
from catalog.export.target import S3, open_target
from catalog.text import visible


@click.command(
    epilog="""\b
Example:
  catalog export lake --format parquet
  catalog export s3://bucket/catalog --format parquet --source 'otc/*'
  catalog export tables --format csv --table images --table image_tags
  catalog export catalog.db --format sqlite""",
)
@click.argument("target")
@click.option(
    "--format",
    "file_format",
    type=click.Choice(("parquet", "csv", "jsonl", "sqlite")),
    required=True,
    help="Parquet needs pyarrow: pip install 'image-catalog-sync[parquet]'.",
)
@sources_option
@click.option(
    "--table",
    multiple=True,
    type=click.Choice(tuple(KEYS)),
    metavar="NAME",
    help="Only these tables; may be repeated.",
)
@click.pass_obj
def export(
    invocation: Invocation,
    target: str,
    file_format: FileFormat | Literal["sqlite"],
    source: tuple[str, ...],
    table: tuple[str, ...],
) -> None:
    """Write the tables as of one moment to TARGET: a folder, an s3:// address, or one SQLite file.

    Files lie in TABLE/source=NAME/; manifest.json, written last, names those that belong together. The next
    export writes anew what changed: the sources with a newer run.
    """
    if file_format == "sqlite":
        if target.startswith(S3):
            raise UsageError(
                "--format sqlite goes to a file of this machine; name one, or take another format"
            )
        with invocation.reading() as connection, counting("rows", None) as advance:
            rows = export_sqlite(connection, Path(target), sources=source, tables=table, progress=advance)
        click.echo(f"{target}: {number(rows, 'row')}; described in {description_file(Path(target))}")
        return
    if file_format == "parquet":
        arrow()
    with invocation.reading() as connection, open_target(target) as place, counting("rows", None) as advance:
        done = export_files(connection, place, file_format, sources=source, tables=table, progress=advance)
    written = number(len(done.written), "source") + " written"
    if done.written:
        written += f" ({number(done.rows, 'row')}, {number(done.files, 'file')})"
    others = {"unchanged": done.unchanged, "removed": done.removed}
    parts = [written, *(f"{len(names)} {what}" for what, names in others.items() if names)]
    click.echo(f"{visible(place.name)}: {', '.join(parts)}")
