"""`catalog sources`: sources of the configuration and of the database, and a check of their logins."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import click

from catalog import logs
from catalog.cli.completion import source_names
from catalog.cli.failures import say_warning
from catalog.cli.invocation import Invocation
from catalog.cli.output import number, print_rows
from catalog.cli.parameters import ask, format_option, sources_option, yes_option
from catalog.cli.progress import counting
from catalog.cli.side_by_side import choose, side_by_side, warn_of_same_services, workers
from catalog.config.selection import NO_SOURCE, select_names
from catalog.config.settings import check_new_name, configured_source, source_settings
from catalog.errors import ExitCode, NothingSwept
from catalog.report.terminal import Format
from catalog.store.maintenance import source_removal
from catalog.store.state import leases
from catalog.store.state import sources as stored
from catalog.sync.archive import folder_of
from catalog.sync.source_check import CHECK_COLUMNS, check, refused

COLUMNS = (
    "source", "state", "kind", "cloud", "region", "project", "live_images", "last_complete_at",
    "failing_since", "error_kind", "held",
)  # fmt: skip
TABLE_COLUMNS = ("source", "state", "kind", "region", "live_images", "held", "last_complete_at", "error_kind")
"""Columns that fit side by side; JSON and CSV carry every column."""
CHECKED_TABLE_COLUMNS = ("source", "ok", "project", "region", "images", "login_expires_in", "error")


@click.group(
    invoke_without_command=True,
    epilog="""\b
Example:
  catalog sources
  catalog sources --check --failed
  catalog sources rename otc otc/eu-de""",
)
@click.option("--check", is_flag=True, help="Log in to each source and list one image; needs no database.")
@click.option("--failed", is_flag=True, help="With --check: show only those that fail.")
@sources_option
@format_option
@click.pass_context
def sources(
    context: click.Context, check: bool, failed: bool, source: tuple[str, ...], format: Format
) -> int | None:
    """Show the configured sources, and those that the database knows.

    State: `configured`; `not configured`, its images stay as they are; `retired`; `new`, not swept yet.
    With --check, exit 1 if one of them fails.
    """
    if context.invoked_subcommand is not None:
        if check or failed or source or format != "table":
            raise click.UsageError("options of `catalog sources` do not go with its commands")
        return None
    if failed and not check:
        raise click.UsageError("--failed goes with --check")
    invocation: Invocation = context.obj
    if check:
        return _check(invocation, source, failed, format)
    _list(invocation, source, format)
    return ExitCode.OK


def _list(invocation: Invocation, patterns: tuple[str, ...], format: Format) -> None:
    configured = invocation.sweepable.sources
    known: list[dict[str, Any]] = []
    with suppress(NothingSwept), invocation.reading() as connection:
        known = [dict(zip(stored.LISTING_COLUMNS, row, strict=True)) for row in stored.listing(connection)]
        warn_of_same_services(connection, invocation.settings)
    rows: list[dict[str, Any]] = []
    names = {row["source"] for row in known}
    for row in known:
        meant = configured_source(invocation.sweepable, row["source"]) is not None
        state = "retired" if row["retired_at"] else "configured" if meant else "not configured"
        rows.append(row | {"state": state, "project": row["project_id"]})
    for source in configured:
        if source.name not in names and not source.is_template:
            new = dict.fromkeys(COLUMNS) | {"source": source.name, "state": "new", "kind": source.kind}
            rows.append(
                new
                | {"cloud": source.cloud, "region": source.region, "live_images": 0, "held": 0}
                | {"project": source.project or source.project_id}
            )
    chosen = set(select_names([row["source"] for row in rows], patterns))
    columns = TABLE_COLUMNS if format == "table" else COLUMNS
    rows = sorted((row for row in rows if row["source"] in chosen), key=lambda row: str(row["source"]))
    print_rows(columns, [tuple(row[name] for name in columns) for row in rows], format, if_none=NO_SOURCE)


def _check(invocation: Invocation, patterns: tuple[str, ...], failed: bool, format: Format) -> int:
    logs.configure(invocation.verbosity)
    settings = invocation.sweepable
    chosen, failures = choose(settings, patterns)
    results = [refused(name, error) for name, error in failures.items()]
    with counting("sources", len(chosen)) as advance:
        for result in side_by_side(check, chosen, workers(settings, len(chosen))):
            results.append(result)
            advance(1)
    results.sort(key=lambda result: result.source)
    shown = [result for result in results if not (failed and result.ok)]
    columns = CHECKED_TABLE_COLUMNS if format == "table" else CHECK_COLUMNS
    print_rows(columns, [tuple(getattr(each, name) for name in columns) for each in shown], format)
    return ExitCode.OK if all(result.ok for result in results) else ExitCode.FAILED


@sources.command(
    epilog="""\b
Example:
  catalog sources rename otc otc/eu-de""",
)
@click.argument("old", shell_complete=source_names)
@click.argument("new")
@click.pass_obj
def rename(invocation: Invocation, old: str, new: str) -> None:
    """Give the source OLD the name NEW; its images and history stay its own.

    Change the name in the configuration too, or the next sweep begins a source of the old name.
    """
    check_new_name(invocation.settings, new)
    with invocation.existing_database() as database:
        database.transact(lambda connection: stored.rename(connection, old, new))
    click.echo(f"{old} is called {new} now; change it in the configuration too")
    archive = source_settings(invocation.settings, new, "glance").archive
    if archive is not None and folder_of(archive, old).is_dir():
        click.echo(
            f"its archives so far stay in {folder_of(archive, old)}, new ones go to {folder_of(archive, new)}"
        )


@sources.command(
    epilog="""\b
Example:
  catalog sources retire old-cloud""",
)
@click.argument("name", shell_complete=source_names)
@click.pass_obj
def retire(invocation: Invocation, name: str) -> None:
    """Mark the source NAME as no longer swept: it is not stale any more; images and history stay.

    A complete sweep of it brings it back.
    """
    with invocation.existing_database() as database:
        database.transact(lambda connection: stored.retire(connection, name))
    click.echo(f"{name} is retired; take it out of the configuration too")


@sources.command(
    epilog="""\b
Example:
  catalog sources remove lab --plan
  catalog sources remove lab --yes""",
)
@click.argument("name", shell_complete=source_names)
@click.option("--plan", is_flag=True, help="Count the rows that would go, and remove nothing (exit 3).")
@yes_option
@format_option
@click.pass_obj
def remove(invocation: Invocation, name: str, plan: bool, yes: bool, format: Format) -> int:
    """Remove the source NAME with all its images, history and runs. Asks first, or takes --yes.

    Its archive files stay: `catalog backfill` loads them again. Take it out of the configuration too, or the next
    sweep begins anew.
    """
    is_configured = configured_source(invocation.settings, name) is not None
    with invocation.existing_database() as database:
        with database.transaction(read_only=True) as connection:
            source = stored.known(connection, name)
            rows = source_removal.count(connection, source.source_id)
        if not plan:
            images = number(rows.get("images", 0), "image")
            ask(f"remove source {name!r} with {images}, {sum(rows.values())} rows in all", yes=yes)
            with counting("rows", sum(rows.values())) as advance:
                source_removal.remove(database, source, advance)
    print_rows(("source", "table", "rows"), [(name, table, count) for table, count in rows.items()], format)
    if is_configured and not plan:
        say_warning(f"{name} is still configured: the next sweep begins a new source of this name")
    return ExitCode.WOULD_CHANGE if plan else ExitCode.OK


@sources.command(
    epilog="""\b
Example:
  catalog sources adopt lab""",
)
@click.argument("name", shell_complete=source_names)
@click.pass_obj
def adopt(invocation: Invocation, name: str) -> None:
    """Let the source NAME be another service, region, project or login than recorded.

    The next sweep records what it meets. Images that the new one does not list go as any missing image
    would: looked up first, and held back if they are many. Deletions that are held stay held.
    """
    configured = configured_source(invocation.settings, name)
    kind = configured.kind if configured is not None else None
    with invocation.existing_database() as database:
        with database.transaction(read_only=True) as connection:
            source = stored.known(connection, name)
        # a sweep under way has read what is forgotten here, and would go by it to its end
        with leases.held(database, source.source_id, name) as lease:
            held = leases.transact(database, lease, lambda connection: stored.adopt(connection, name, kind))
    click.echo(f"{name}: the next sweep records the kind, endpoint, region and project that it meets")
    if held:
        found = number(held, "deletion")
        say_warning(f"{name}: {found} held as the login reached less; decide by `catalog deletions`")
