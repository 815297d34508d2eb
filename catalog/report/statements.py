"""The SQL of reports, in the files of `sql`."""

from __future__ import annotations

from pathlib import Path

from catalog.store.db.connection import Connection, settle

SETTINGS = ("jit TO off", "work_mem TO '64MB'", "catalog.retired TO 'shown'")
"""Of a transaction with queries. They read much and return little: compiling them costs more than it saves, sorting on
disk too. And they know themselves which sources are asked for, retired ones included."""
_FOLDER = Path(__file__).with_name("sql")


def prepare(connection: Connection) -> None:
    """Makes the settings of the transaction: by SET, as Citus keeps those by set_config from its nodes."""
    settle(connection, *(f"SET LOCAL {name}" for name in SETTINGS))


def statement(name: str) -> str:
    """The text of a file in `sql`."""
    return (_FOLDER / f"{name}.sql").read_text(encoding="utf-8")
