"""`catalog db`: the database's schema, rights, address and contents."""

from __future__ import annotations

import sys
from datetime import timedelta
from pathlib import Path
from typing import Any

import click

from catalog.cli.completion import source_names
from catalog.cli.failures import one_by_one, say_error
from catalog.cli.invocation import Invocation
from catalog.cli.output import number, print_rows
from catalog.cli.parameters import ask, format_option, history_period, yes_option
from catalog.cli.progress import counting
from catalog.cli.psql import run_psql
from catalog.errors import ExitCode
from catalog.report.terminal import Format
from catalog.store.db import distribution, privileges, schema
from catalog.store.db import dump as transfer
from catalog.store.db.privileges import Level
from catalog.store.db.tables import TRANSFERRED
from catalog.store.maintenance import prune as pruning
from catalog.store.state.sources import Source, matching

LEAST_HISTORY = timedelta(days=7)
"""The least that `prune` leaves of a history: a typing error must not cost all of it."""
SEEDED = ("capabilities", "image_family_rules", "image_os_rules", "os_support")
"""Tables that a migration fills: a restored file brings their rows itself."""


@click.group(
    epilog="""\b
Example:
  catalog db upgrade
  catalog db check
  catalog db dump catalog.dump""",
)
def db() -> None:
    """Upgrade, check, dump and restore the database.

    With no database named, it is the embedded PostgreSQL in the data folder, which upgrades itself.
    """


@db.command(
    epilog="""\b
Example:
  catalog db upgrade
  catalog db upgrade --sql > upgrade.sql""",
)
@click.option("--sql", is_flag=True, help="Print the SQL of all migrations, and run nothing.")
@click.pass_obj
def upgrade(invocation: Invocation, sql: bool) -> None:
    """Bring the schema to this release's version.

    Runs as `migration_url` where one is configured. A running daemon of the release before goes on.
    """
    if sql:
        schema.print_sql(sys.stdout, invocation.database_settings.schema)
        return
    with invocation.bare_database() as database:
        before, after = schema.upgrade(database)
        change = f"schema {after}" if before == after else f"schema {before or 'none'} -> {after}"
        click.echo(f"{database.safe_url}: {change}")


@db.command(
    epilog="""\b
Example:
  catalog db check""",
)
@format_option
@click.pass_obj
def check(invocation: Invocation, format: Format) -> int:
    """Connect, and look at the schema's version, at each right that the daemon needs, and at the collation.

    For each right that is missing it prints the GRANT; exit 1 then. A collation that changed with the machine's
    C library calls for a REINDEX; exit 1 too.
    """
    with invocation.bare_database() as database:
        with database.session() as connection:
            database.begin(connection)
            server = connection.info.parameter_status("server_version") or "?"
            missing = privileges.missing(connection) if not database.embedded else []
            advice = schema.collation_advice(connection)
            connection.rollback()
        rows = [
            ("connection", True, f"PostgreSQL {server.split()[0]}, {database.safe_url}"),
            *((f"{lack.right} on {lack.on}", False, f"{lack.grant};") for lack in missing),
        ]
        if advice is not None:
            rows.append(("collation", False, advice))
        if not missing:
            schema.require(database)
            with database.transaction(read_only=True) as connection:
                rows.append(("schema", True, schema.version(connection) or ""))
            rows.append(("rights", True, "all that the daemon needs"))
    print_rows(("check", "ok", "detail"), rows, format)
    if missing:
        say_error(
            f"missing: {number(len(missing), 'right')}; let the tables' owner run the GRANTs above, or"
            " `catalog db grant ROLE --as writer`"
        )
    return ExitCode.FAILED if missing or advice else 0


@db.command(
    epilog="""\b
Example:
  catalog db url""",
)
@click.pass_obj
def url(invocation: Invocation) -> None:
    """Print the database's address, without its password.

    The embedded database can be reached there while a catalog command runs; `catalog db shell` is one.
    """
    with invocation.bare_database() as database:
        click.echo(database.safe_url)


@db.command(
    context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False},
    epilog="""\b
Example:
  catalog db shell
  catalog db shell -c 'SELECT * FROM source_freshness'""",
)
@click.argument("psql_arguments", nargs=-1, type=click.UNPROCESSED, metavar="[PSQL ARGUMENTS]...")
@click.pass_obj
def shell(invocation: Invocation, psql_arguments: tuple[str, ...]) -> int:
    """Open psql on the database; arguments go to psql.

    The password goes by the environment, so that nobody reads it in the list of processes.
    """
    with invocation.existing_database() as database:
        return ExitCode.FAILED if run_psql(database, psql_arguments) else 0


@db.command(
    epilog="""\b
Example:
  catalog db prune --older-than 400d --plan
  catalog db prune 'lab*' --older-than 400d --deleted-images-older-than 800d""",
)
@click.argument("source", nargs=-1, shell_complete=source_names)
@click.option(
    "--older-than",
    type=history_period,
    required=True,
    help="Forget history before so long ago, in days or weeks: 400d, 52w; at least 7d.",
)
@click.option(
    "--deleted-images-older-than",
    type=history_period,
    help="Forget images deleted so long ago, too; no less than --older-than.",
)
@click.option("--plan", is_flag=True, help="Count what would go, and remove nothing (exit 3).")
@yes_option
@format_option
@click.pass_obj
def prune(
    invocation: Invocation,
    source: tuple[str, ...],
    older_than: timedelta,
    deleted_images_older_than: timedelta | None,
    plan: bool,
    yes: bool,
    format: Format,
) -> int:
    """Forget old history of SOURCE (names or globs; default: all).

    What held at that moment stays, so that every later moment can still be asked for; earlier ones can't,
    and observations from before it are refused afterwards. Asks first, or takes --yes.
    """
    if older_than < LEAST_HISTORY:
        raise click.UsageError(f"--older-than: expected at least {LEAST_HISTORY.days}d of history to keep")
    if deleted_images_older_than is not None and deleted_images_older_than < older_than:
        raise click.UsageError(
            "--deleted-images-older-than is shorter than --older-than: the history that is kept would lose"
            " images that were deleted in it; give the same duration, or a longer one"
        )
    with invocation.existing_database() as database:
        with database.transaction(read_only=True) as connection:
            chosen = matching(connection, source)

        def prune_all(*, plan: bool) -> tuple[list[tuple[Any, ...]], ExitCode]:
            rows: list[tuple[Any, ...]] = []

            def prune_one(known: Source) -> None:
                results = pruning.prune(
                    database, [known.name], older_than, deleted_images_older_than, plan=plan, progress=advance
                )
                for result in results:
                    gone = {"images": result.images} | result.rows
                    rows.extend(
                        (result.source, result.history_from, name, n) for name, n in gone.items() if n
                    )

            with counting("rows", None) as advance:
                return rows, one_by_one(prune_one, chosen)

        if not plan:
            ask(
                f"forget all history older than {older_than.days} days",
                yes=yes,
                extent=lambda: _extent(prune_all(plan=True)[0]),
            )
        rows, code = prune_all(plan=plan)
    print_rows(("source", "history_from", "table", "rows"), rows, format)
    return code or (ExitCode.WOULD_CHANGE if plan and rows else 0)


def _extent(rows: list[tuple[Any, ...]]) -> str:
    count, names = sum(row[-1] for row in rows), {row[0] for row in rows}
    return f" ({number(count, 'row')} of {number(len(names), 'source')})"


@db.command(
    epilog="""\b
Example:
  catalog db dump catalog.dump""",
)
@click.argument("file", type=click.Path(path_type=Path))
@yes_option
@click.pass_obj
def dump(invocation: Invocation, file: Path, yes: bool) -> None:
    """Write everything in the database to FILE, which any other database can take.

    The file is compressed, may be restored into another PostgreSQL version, and holds no password. Asks before
    it replaces a file, or takes --yes.
    """
    if file.is_file():
        ask(f"replace {file}", yes=yes)
    with invocation.database() as database:
        rows = transfer.dump(database, TRANSFERRED, file)
    click.echo(f"{file}: {rows} rows")


@db.command(
    epilog="""\b
Example:
  catalog --database-url postgresql://catalog@db/catalog db restore catalog.dump""",
)
@click.argument("file", type=click.Path(path_type=Path))
@click.pass_obj
def restore(invocation: Invocation, file: Path) -> None:
    """Read what `catalog db dump` wrote into a database that was only upgraded; all or nothing."""
    with invocation.database() as database:
        rows = transfer.restore(database, TRANSFERRED, file, replace=SEEDED)
    click.echo(f"{file}: {rows} rows restored")


@db.command(
    epilog="""\b
Example:
  catalog db grant metabase --views-only
  catalog db grant catalog_daemon --as writer""",
)
@click.argument("role")
@click.option(
    "--as",
    "level",
    type=click.Choice(("reader", "writer")),
    default="reader",
    show_default=True,
    help="reader: query everything; writer: what the daemon needs.",
)
@click.option(
    "--views-only",
    is_flag=True,
    help="Of a reader: only the views and functions, so that tools show none of the internal tables;"
    " what it could read of them is revoked.",
)
@click.pass_obj
def grant(invocation: Invocation, role: str, level: Level, views_only: bool) -> None:
    """Let ROLE, which exists already, read the catalog, or write it as the daemon does.

    Runs as `migration_url` where one is configured: only the tables' owner may grant. Only what belongs to
    the catalog is granted. Repeat it after an upgrade that brings new tables.
    """
    if views_only and level == "writer":
        raise click.UsageError("--views-only goes with --as reader")
    with invocation.database() as database:
        statements = privileges.grant(database, role, "viewer" if views_only else level)
    revoked = sum(statement.startswith("REVOKE") for statement in statements)
    taken = f", {revoked} revoked" if revoked else ""
    click.echo(f"{role} is a {level} now: {len(statements) - revoked} grants{taken}")


@db.command(
    epilog="""\b
Example:
  catalog db distribute --plan
  catalog db distribute""",
)
@click.option(
    "--plan", is_flag=True, help="Print the tables that are not spread yet, and change nothing (exit 3)."
)
@format_option
@click.pass_obj
def distribute(invocation: Invocation, plan: bool, format: Format) -> int:
    """Spread the tables over the nodes of a Citus cluster, each source on one of them.

    Runs as `migration_url` where one is configured, once, with or without rows. Meanwhile nothing can be written;
    start daemons again afterwards. `catalog db upgrade` spreads tables that a later release adds.
    """
    with invocation.bare_database() as database:
        rows = distribution.distribute(database, plan=plan)
    print_rows(("table", "spread"), [tuple(row) for row in rows], format)
    return ExitCode.WOULD_CHANGE if plan and rows else 0
