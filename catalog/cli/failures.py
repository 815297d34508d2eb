"""Errors become one line on standard error that says what to do, and an exit code."""

from __future__ import annotations

import errno
import os
import sys
import traceback
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING

import click

from catalog.cli.lazy import LazyGroup
from catalog.errors import CatalogError, ExitCode
from catalog.text import visible

if TYPE_CHECKING:
    from catalog.store.state.sources import Source

OUTPUT_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.EFBIG)
"""Errors of writing: the disk is full, the quota used up, the terminal gone, the file limited."""


class Program(LazyGroup):
    """The root of all commands: where errors end."""

    def invoke(self, ctx: click.Context) -> object:
        try:
            result = super().invoke(ctx)
            sys.stdout.flush()
        except (click.ClickException, click.exceptions.Exit, click.Abort):
            raise
        except CatalogError as error:
            say_error(str(error))
            return error.exit_code
        except KeyboardInterrupt:
            say_error("interrupted")
            return ExitCode.INTERRUPTED
        except BrokenPipeError:
            _forget_output()
            return ExitCode.NOBODY_READS
        except OSError as error:
            # what we open ourselves has a name; standard output has none
            if error.filename is not None or error.errno not in OUTPUT_FULL:
                return explain_unexpected(error, ctx.params.get("verbose", 0))
            _forget_output()
            say_error(f"standard output cannot be written: {error.strerror}; make room, or send it elsewhere")
            return ExitCode.FAILED
        except Exception as error:
            return explain_unexpected(error, ctx.params.get("verbose", 0))
        return result


def open_missing_streams() -> None:
    """Opens standard streams that were closed by the caller; they lead nowhere.

    Left closed, their numbers would go to the next file or connection, and what a child writes into that.
    """
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            # the lowest free number is the missing one, as all before it are open by now
            setattr(sys, name, Path(os.devnull).open(mode, encoding="utf-8"))  # noqa: SIM115


def say_error(message: str) -> None:
    """`error: ...` on one line of standard error; text from a cloud can't act on the terminal."""
    say_aside(f"error: {visible(' '.join(message.split()))}")


def say_aside(line: str) -> None:
    """A line on standard error.

    Not by click.echo, which writes past the progress bar that stands in front of standard error.
    """
    sys.stderr.write(line + "\n")
    sys.stderr.flush()


def is_quiet() -> bool:
    """True if the command was called with -q."""
    context = click.get_current_context(silent=True)
    return context is not None and bool(context.find_root().params.get("quiet"))


def say_warning(message: str) -> None:
    """`warning: ...`, like `say_error`; nothing with -q."""
    if is_quiet():
        return
    say_aside(f"warning: {visible(' '.join(message.split()))}")


def say_hint(message: str) -> None:
    """Says what to do, beside an answer that is empty; nothing with -q."""
    if not is_quiet():
        say_aside(message)


def one_by_one(work: Callable[[Source], None], sources: Iterable[Source]) -> ExitCode:
    """Does the work for each source, even if it fails for others; returns the exit code: 1 failed, else 5 busy."""
    codes: set[ExitCode] = set()
    for source in sources:
        try:
            work(source)
        except CatalogError as error:
            say_error(f"{source.name}: {error}")
            codes.add(error.exit_code)
    return ExitCode.first_of(codes)


def explain_usage(error: click.ClickException) -> int:
    """Prints one line that names the help, for a command line that can't be understood."""
    if isinstance(error, click.exceptions.NoArgsIsHelpError):
        error.show()
        return ExitCode.USAGE
    context = getattr(error, "ctx", None)
    path = context.command_path if context is not None else "catalog"
    say_error(f"{error.format_message().rstrip('.')}; see `{path} --help`")
    return ExitCode.USAGE


def explain_unexpected(error: Exception, verbosity: int) -> int:
    """Prints one line for a bug. The error's text stays out of it: it may hold anything."""
    if verbosity:
        traceback.print_exception(error, file=sys.stderr)
    say_error(
        f"unexpected {type(error).__name__}, a bug in catalog; please report it with the output of"
        " `catalog -v` and the same command"
    )
    return ExitCode.FAILED


def _forget_output() -> None:
    """Lets the interpreter's last flush succeed (see `signal` in Python's documentation)."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, sys.stdout.fileno())
    os.close(nowhere)
