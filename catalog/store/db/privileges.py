"""Rights in the database: what the daemon needs, what a reader needs, what is missing, how to grant it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

from psycopg import sql

from catalog.errors import DatabaseError, SchemaError, UsageError
from catalog.store.db import schema
from catalog.store.db.connection import Connection, Database, is_spread
from catalog.store.db.schema import VERSION_TABLE
from catalog.store.db.statements import load
from catalog.store.db.tables import metadata

Level = Literal["reader", "writer", "viewer"]
WRITES = ("INSERT", "UPDATE", "DELETE")
ONLY_READ = (VERSION_TABLE, "image_family_rules", "image_os_rules")
"""Tables that the daemon reads and never writes."""

_SQL = load("privileges.sql")
NOT_GRANTED = {"01006", "01007", "0LP01"}
"""privilege_not_revoked, privilege_not_granted, invalid_grant_operation (PostgreSQL manual, appendix A)."""


@dataclass(frozen=True, slots=True)
class MissingRight:
    """A right that this role lacks, and the statement that gives it."""

    right: str
    on: str
    grant: str


@dataclass(frozen=True, slots=True)
class _Function:
    name: str
    may_be_called: bool
    object: sql.Composed


def missing(connection: Connection) -> list[MissingRight]:
    """The daemon's rights that this role lacks.

    Raises SchemaError where no schema of ours is in sight or a table is missing, DatabaseError where nothing can
    be written (a standby).
    """
    row = connection.execute(
        "SELECT current_user, current_setting('transaction_read_only')::boolean"
    ).fetchone()
    assert row is not None
    role, takes_no_writes = row
    if takes_no_writes:
        raise DatabaseError(
            "the database takes no writes (a standby, or default_transaction_read_only): name its primary"
        )
    home = _schema_name(connection)
    found: list[tuple[str, str, sql.Composed]] = []
    if not _SQL.value(connection, "usage", home=home):
        found.append(("USAGE", home, sql.SQL("SCHEMA {}").format(sql.Identifier(home))))
    else:
        needed = [(name, right) for name in _tables() for right in _rights(name, "writer")]
        needed += [(name, "SELECT") for name in _views(connection, home)]
        names, rights = map(list, zip(*needed, strict=True))
        for name, right, granted in _SQL.run(connection, "granted", names=names, rights=rights, home=home):
            if granted is None:
                raise SchemaError(f"relation {name} does not exist; run `catalog db upgrade`")
            if not granted:
                found.append((right, name, _table(home, name)))
        for function in _functions(connection, home):
            if not function.may_be_called:
                found.append(("EXECUTE", function.name, function.object))
    return [MissingRight(right, on, _grant(connection, right, what, role)) for right, on, what in found]


def grant_statements(connection: Connection, role: str, level: Level) -> list[str]:
    """The GRANTs that make a role a reader (SELECT everywhere), a writer (what the daemon needs) or a viewer.

    A viewer sees the views, may call the functions, and of the tables has those that the functions read with the
    caller's rights: nothing that is called internal. What it could only read of the others is revoked; a writer's
    tables stay.

    Only what is ours is named: a schema may hold other products' tables. Raises UsageError: no such role, or a viewer
    where Citus keeps the tables; SchemaError: no schema of ours is in sight.
    """
    if level == "viewer" and is_spread(connection):
        raise UsageError(
            "on Citus a view is read with the rights of whoever asks, so --views-only would show nothing: leave it out"
        )
    if not connection.execute("SELECT FROM pg_roles WHERE rolname = %s", (role,)).fetchall():
        raise UsageError(f"the database has no role {role!r}; a database administrator can CREATE ROLE it")
    home = _schema_name(connection)
    named = [(sql.SQL("SCHEMA {}").format(sql.Identifier(home)), "USAGE")]
    tables = _read_by_functions(connection, home) if level == "viewer" else _tables()
    named += [(_table(home, name), ", ".join(_rights(name, level))) for name in tables]
    named += [(_table(home, name), "SELECT") for name in _views(connection, home)]
    named += [(function.object, "EXECUTE") for function in _functions(connection, home)]
    grants = [_grant(connection, rights, what, role) for what, rights in named]
    if level == "viewer":
        others = sorted(set(_tables()) - set(tables))
        for (name,) in _SQL.run(connection, "only_read", home=home, names=others, role=role):
            revoke = sql.SQL("REVOKE SELECT ON {} FROM {}").format(_table(home, name), sql.Identifier(role))
            grants.append(revoke.as_string(connection))
    return grants


def grant(database: Database, role: str, level: Level) -> list[str]:
    """Grants and revokes, as the role that migrates; returns the statements.

    Raises like `grant_statements`, and DatabaseError where that role may not grant all of it.
    """
    with database.owner() as connection:
        statements = grant_statements(connection, role, level)
        warnings: list[str | None] = []
        connection.add_notice_handler(lambda notice: warnings.append(notice.sqlstate))
        for statement in statements:
            connection.execute(statement.encode())
            # PostgreSQL only warns, and changes nothing
            if NOT_GRANTED & set(warnings):
                raise DatabaseError(
                    f"this role may not {statement}; let the tables' owner run `catalog db grant`"
                )
        connection.commit()
    return statements


# ---- names --------------------------------------------------------------------------------------------


def _schema_name(connection: Connection) -> str:
    """The schema that holds our tables: the first on the search path, whether or not we may use it."""
    name = _SQL.value(connection, "home", table=VERSION_TABLE)
    if name is None:
        raise SchemaError(
            "the search path leads to no catalog schema; name it as `schema` in [database], or run"
            " `catalog db upgrade`"
        )
    return str(name)


def _tables() -> list[str]:
    return [VERSION_TABLE, *metadata.tables]


def _rights(table: str, level: Level) -> tuple[str, ...]:
    return ("SELECT",) if level != "writer" or table in ONLY_READ else ("SELECT", *WRITES)


def _created(kind: str) -> list[str]:
    """Names that our migrations give to views or functions: of others' we grant nothing."""
    statement = re.compile(rf"(?im)^\s*CREATE (?:OR REPLACE )?{kind} (\w+)")
    files = (schema.migrations_folder() / "sql").glob("*.sql")
    return sorted({name for file in files for name in statement.findall(file.read_text(encoding="utf-8"))})


def _views(connection: Connection, home: str) -> list[str]:
    return [name for (name,) in _SQL.run(connection, "views", home=home, names=_created("VIEW"))]


def _read_by_functions(connection: Connection, home: str) -> list[str]:
    names = _created("FUNCTION")
    return [name for (name,) in _SQL.run(connection, "read_by_functions", home=home, names=names)]


def _functions(connection: Connection, home: str) -> list[_Function]:
    rows = _SQL.run(connection, "functions", home=home, names=_created("FUNCTION"))
    return [
        _Function(
            name,
            may_be_called,
            sql.SQL("FUNCTION {}({})").format(sql.Identifier(home, name), sql.SQL(arguments)),
        )
        for name, may_be_called, arguments in rows
    ]


def _table(home: str, name: str) -> sql.Composed:
    return sql.SQL("TABLE {}").format(sql.Identifier(home, name))


def _grant(connection: Connection, rights: str, what: sql.Composed, role: str) -> str:
    statement = sql.SQL("GRANT {} ON {} TO {}").format(sql.SQL(rights), what, sql.Identifier(role))
    return statement.as_string(connection)
