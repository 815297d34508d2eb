"""Options and kinds of values that several commands share."""

from __future__ import annotations

import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import wraps
from typing import Any, TypeVar, cast

import click

from catalog.cli.completion import source_names
from catalog.cli.failures import say_error
from catalog.config import durations
from catalog.config.durations import LONGEST_DAYS, duration_seconds
from catalog.report.terminal import FORMATS, Format

CLOCK_DIFFERENCE = timedelta(minutes=5)
"""By which the clocks of this machine and of others may differ."""
F = TypeVar("F", bound=Callable[..., Any])


def duration(text: str) -> timedelta:
    """`10m`, `90s`, `400d`, `2w`; a number alone is seconds."""
    if (seconds := duration_seconds(text)) is not None:
        return timedelta(seconds=seconds)
    raise click.BadParameter(
        f"expected a duration such as 90s, 10m, 2h, 7d, of at most {LONGEST_DAYS}d; found {text!r}"
    )


def history_period(text: str) -> timedelta:
    """`400d`, `52w`. Nothing shorter than days: `6m` is meant as months by one and as minutes by another."""
    if text.strip()[-1:] in ("d", "w") and (seconds := duration_seconds(text)) is not None:
        return timedelta(seconds=seconds)
    raise click.BadParameter(
        f"expected days or weeks such as 400d or 52w, of at most {LONGEST_DAYS}d; found {text!r}"
    )


def past(text: str) -> datetime:
    """A `moment` that has come: what will be then is not known."""
    found = moment(text)
    if found > datetime.now(UTC) + CLOCK_DIFFERENCE:
        raise click.BadParameter(f"{text!r} is in the future; expected a moment that is past")
    return found


def moment(text: str) -> datetime:
    """A date or time by ISO 8601 (UTC where no zone is given), or a duration: so long ago."""
    try:
        return durations.moment(text, datetime.now(UTC))
    except ValueError as error:
        raise click.BadParameter(str(error)) from None


def ask(what: str, *, yes: bool, extent: Callable[[], str] = str) -> None:
    """Asks on a terminal before something is destroyed; elsewhere `--yes` must say so (exit 2).

    `extent` says how much it is, in a question only: it may take time. Raises click.Abort if the answer is no.
    """
    if yes:
        return
    if not sys.stdin.isatty():
        raise click.UsageError(f"this would {what}; add --yes to do it without being asked")
    if not click.confirm(f"{what[0].upper()}{what[1:]}{extent()}?", err=True):
        say_error("nothing was changed")
        raise click.Abort


yes_option = click.option("--yes", is_flag=True, help="Do it without asking.")


def sources_option(command: F) -> F:
    """`--source`, as often as wanted."""
    return click.option(
        "--source",
        multiple=True,
        metavar="GLOB",
        shell_complete=source_names,
        help="Only sources whose name fits; may be repeated.",
    )(command)


def format_option(command: F) -> F:
    """`--format`, and `--safe`, which goes with `--format csv` alone; both arrive as the argument `format`."""

    @wraps(command)
    def formatted(*arguments: Any, format: Format, safe: bool, **options: Any) -> Any:
        if safe and format != "csv":
            raise click.UsageError("--safe goes with --format csv")
        return command(*arguments, format="safe-csv" if safe else format, **options)

    chosen = click.option(
        "--format",
        "format",
        type=click.Choice(FORMATS),
        default="table",
        show_default=True,
        help="How to print: for people, or for programs.",
    )
    safe = click.option(
        "--safe", is_flag=True, help="With --format csv: no text that a spreadsheet takes for a formula."
    )
    return cast(F, chosen(safe(formatted)))
