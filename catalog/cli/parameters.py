"""Options and kinds of values that several commands share."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, TypeVar

import click

if TYPE_CHECKING:
    from catalog.report.terminal import Format

F = TypeVar("F", bound=Callable[..., Any])
FORMATS = ("table", "json", "csv")
"""As in `catalog.report.terminal`, which takes longer to import than the help may take."""
UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}
LONGEST = timedelta(days=365_000)
"""No command looks further back; so long ago is still a date."""
_DURATION = re.compile(r"\s*([0-9]+(?:\.[0-9]+)?)\s*([smhdw]?)\s*")


def duration(text: str) -> timedelta:
    """`10m`, `90s`, `400d`, `2w`; a number alone is seconds."""
    match = _DURATION.fullmatch(text)
    try:
        if match is not None:
            found = timedelta(**{UNITS[match[2] or "s"]: float(match[1])})
            if found <= LONGEST:
                return found
    except OverflowError:
        pass
    raise click.BadParameter(
        f"expected a duration such as 90s, 10m, 2h, 7d, of at most {LONGEST.days}d; found {text!r}"
    )


def moment(text: str) -> datetime:
    """A date or time by ISO 8601 (UTC where no zone is given), or a duration: so long ago."""
    try:
        if _DURATION.fullmatch(text) and text.strip()[-1].isalpha():
            return datetime.now(UTC) - duration(text)
        found = datetime.fromisoformat(text)
        return (found if found.tzinfo else found.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError):
        expected = "a date, a time such as 2026-11-25T08:00Z, or how long ago, such as 7d"
        raise click.BadParameter(f"expected {expected}; found {text!r}") from None


def format_option(command: F) -> F:
    return click.option(
        "--format",
        "format",
        type=click.Choice(FORMATS),
        default="table",
        show_default=True,
        help="How to print: for people, or for programs.",
    )(command)


def print_rows(columns: tuple[str, ...], rows: list[tuple[Any, ...]], format: Format) -> None:
    """Rows on standard output, in the format asked for."""
    import sys

    from catalog.report import terminal

    terminal.print_rows(columns, rows, format, sys.stdout)
