"""The SQL of reports, in the files of `sql`."""

from __future__ import annotations

from pathlib import Path

SETTINGS = (
    "SELECT set_config('jit', 'off', true), set_config('work_mem', '64MB', true),"
    " set_config('catalog.retired', 'shown', true)"
)
"""Of a transaction with queries. They read much and return little: compiling them costs more than it saves, sorting on
disk too. And they know themselves which sources are asked for, retired ones included."""
_FOLDER = Path(__file__).with_name("sql")


def statement(name: str) -> str:
    """The text of a file in `sql`."""
    return (_FOLDER / f"{name}.sql").read_text(encoding="utf-8")
