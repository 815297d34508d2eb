"""Where errors end: one line each, and an exit code."""

from __future__ import annotations

from collections.abc import Callable

import click
import pytest

from catalog.cli.failures import Program
from catalog.errors import (
    CatalogError,
    ConfigurationError,
    DatabaseError,
    NetworkError,
    SchemaError,
    SourceBusy,
)


def run(command: Callable[[], object], verbose: int = 0) -> object:
    """A command that does this, called as the console script calls its own."""

    @click.group(cls=Program)
    @click.option("-v", "--verbose", count=True)
    def program(verbose: int) -> None:
        """A program."""

    program.command("do")(command)
    return program.main(["-v"] * verbose + ["do"], standalone_mode=False)


def raiser(error: BaseException) -> Callable[[], None]:
    def command() -> None:
        raise error

    return command


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (ConfigurationError("wrong"), 2),
        (SchemaError("old"), 2),
        (DatabaseError("away"), 1),
        (NetworkError("cut"), 1),
        (SourceBusy("later"), 5),
        (CatalogError("odd"), 1),
    ],
)
def test_an_expected_failure_is_one_line(
    error: CatalogError, code: int, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(raiser(error), verbose=1) == code
    assert capsys.readouterr().err == f"error: {error}\n"


def test_what_a_cloud_said_cannot_act_on_the_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    run(raiser(CatalogError("two\nlines \x1b[2J\u202e")))
    assert capsys.readouterr().err == "error: two lines \\x1b[2J\\u202e\n"


def test_a_fault_of_ours_names_its_type_and_hides_its_text(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(raiser(KeyError("s3cr3t"))) == 1
    err = capsys.readouterr().err
    assert err.startswith("error: unexpected KeyError")
    assert err.count("\n") == 1
    assert "s3cr3t" not in err


def test_a_fault_of_ours_shows_its_traceback_if_asked(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(raiser(KeyError("key")), verbose=1) == 1
    assert "Traceback (most recent call last)" in capsys.readouterr().err


def test_an_interrupt_exits_130(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(raiser(KeyboardInterrupt())) == 130
    assert capsys.readouterr().err == "error: interrupted\n"


def test_what_a_command_returns_is_its_exit_code() -> None:
    assert run(lambda: 4) == 4
    assert run(lambda: None) is None
