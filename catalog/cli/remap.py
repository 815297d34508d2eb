"""`catalog remap`: today's mapping for what was stored by yesterday's."""

from __future__ import annotations

import click

from catalog.cli.completion import source_names
from catalog.cli.failures import one_by_one
from catalog.cli.invocation import Invocation
from catalog.cli.output import print_rows
from catalog.cli.parameters import format_option
from catalog.cli.progress import counting
from catalog.config.settings import source_settings
from catalog.report.terminal import Format
from catalog.store.state.sources import Source, matching
from catalog.sync.mapping_adapter import MappingAdapter
from catalog.sync.remap import remap as rebuild


@click.command(
    epilog="""\b
Example:
  catalog remap
  catalog remap 'otc/*'""",
)
@click.argument("source", nargs=-1, shell_complete=source_names)
@format_option
@click.pass_obj
def remap(invocation: Invocation, source: tuple[str, ...], format: Format) -> int:
    """Rebuild columns, tags, flags and properties of SOURCE (names or globs; default: all).

    They come from the stored documents, by the mapping of this release. No cloud is asked and no revision is
    added. Shows how many rows were not as the mapping says.
    """
    rows: list[tuple[object, ...]] = []
    settings = invocation.settings
    with invocation.existing_database() as database, counting("documents", None) as advance:
        with database.transaction(read_only=True) as connection:
            chosen = matching(connection, source)

        def rebuild_one(known: Source) -> None:
            contents = MappingAdapter.of(source_settings(settings, known.name, known.kind))
            result = rebuild(database, known, contents, progress=advance)
            changed = result.rows or {"": 0}
            rows.extend((known.name, result.documents, table, count) for table, count in changed.items())

        code = one_by_one(rebuild_one, chosen)
    print_rows(("source", "documents", "table", "rows_changed"), rows, format)
    return code
