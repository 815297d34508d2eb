"""The SQL of reports, in the files of `sql`."""

from __future__ import annotations

from pathlib import Path

_FOLDER = Path(__file__).with_name("sql")


def statement(name: str) -> str:
    """The text of a file in `sql`."""
    return (_FOLDER / f"{name}.sql").read_text(encoding="utf-8")
