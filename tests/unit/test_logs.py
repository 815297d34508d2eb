"""Logs: JSON lines or lines for people, and never a secret."""

from __future__ import annotations

import contextlib
import io
import json
import logging
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import structlog

from catalog import logs


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture(autouse=True)
def _as_it_was() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers, root.level
    with warnings.catch_warnings():
        yield
    structlog.reset_defaults()
    root.handlers = handlers
    root.setLevel(level)


def lines(stream: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def test_json_lines_where_standard_error_is_no_terminal() -> None:
    with contextlib.redirect_stderr(io.StringIO()) as pipe:
        logs.configure()
        structlog.get_logger("catalog.sweep").warning("record rejected", source="lab", count=3)
        (line,) = lines(pipe)
        assert line | {"event": "record rejected", "level": "warning", "source": "lab", "count": 3} == line
        assert line["timestamp"].endswith("Z")


@pytest.mark.parametrize(
    ("verbosity", "daemon", "shown"),
    [
        (0, False, ["warning"]),
        (1, False, ["info", "warning"]),
        (2, False, ["debug", "info", "warning"]),
        (0, True, ["info", "warning"]),
        (1, True, ["debug", "info", "warning"]),
    ],
)
def test_each_v_shows_more_and_a_daemon_shows_what_it_does(
    verbosity: int, daemon: bool, shown: list[str]
) -> None:
    with contextlib.redirect_stderr(io.StringIO()) as pipe:
        logs.configure(verbosity, daemon=daemon)
        log = structlog.get_logger()
        for level in ("debug", "info", "warning"):
            getattr(log, level)("something")
        assert [line["level"] for line in lines(pipe)] == shown


def test_secrets_are_never_shown() -> None:
    with contextlib.redirect_stderr(io.StringIO()) as pipe:
        logs.configure(2)
        log = structlog.get_logger()
        log.error("https://user:S3CR3T@host/x and password=S3CR3T", password="S3CR3T", x_auth_token="S3CR3T")
        log.error("a", address="postgresql://u:S3CR3T@db/x", headers={"X-Auth-Token": "S3CR3T"})
        try:
            raise ValueError("token: S3CR3T at http://u:S3CR3T@host/")
        except ValueError:
            log.error("b", exc_info=True)
        logging.getLogger("elsewhere").warning("password=%s", "S3CR3T")
        assert len(lines(pipe)) == 4
        assert "S3CR3T" not in pipe.getvalue()


def test_lines_for_people_cannot_act_on_the_terminal() -> None:
    with contextlib.redirect_stderr(Terminal()) as terminal:
        logs.configure()
        structlog.get_logger().warning("odd\x1b[2J", name="two\nlines", **{"k\x07": "\u202e"})
        text = terminal.getvalue()
        assert text.count("\n") == 1
        assert "odd\\x1b[2J  name=two\\nlines  k\\x07=\\u202e\n" in text


def test_a_traceback_on_a_terminal_stands_below_its_line() -> None:
    with contextlib.redirect_stderr(Terminal()) as terminal:
        logs.configure()
        try:
            raise ValueError("x\x1b[2J")
        except ValueError:
            structlog.get_logger().error("broken", exc_info=True)
        assert text_lines(terminal)[-1] == "  ValueError: x\\x1b[2J"


def text_lines(stream: io.StringIO) -> list[str]:
    return stream.getvalue().splitlines()


def test_libraries_log_the_same_way_a_level_quieter() -> None:
    with contextlib.redirect_stderr(io.StringIO()) as pipe:
        logs.configure(1)
        logging.getLogger("alembic").info("not shown")
        logging.getLogger("alembic").warning("shown")
        logs.configure(2)
        logging.getLogger("alembic").info("shown too")
        logging.getLogger("httpx").info("every request: not shown")
        logging.getLogger("keystoneauth").debug("what is sent: never shown")
        assert [(line["event"], line["logger"]) for line in lines(pipe)] == [
            ("shown", "alembic"),
            ("shown too", "alembic"),
        ]


def test_what_a_library_warns_people_of_is_a_log_line_too() -> None:
    with contextlib.redirect_stderr(io.StringIO()) as pipe:
        logs.configure()
        warnings.simplefilter("always")
        warnings.warn("no profile at https://u:S3CR3T@host/", UserWarning, stacklevel=1)
        (line,) = lines(pipe)
        assert (line["event"], line["level"]) == ("no profile at https://***@host/", "warning")


def test_a_log_that_nobody_reads_stops_no_work() -> None:
    class Gone(io.StringIO):
        def write(self, text: str) -> int:
            raise BrokenPipeError

    with contextlib.redirect_stderr(Gone()):
        logs.configure()
        structlog.get_logger().error("unheard")


def test_a_full_disk_under_the_log_does_not_end_the_work() -> None:
    with Path("/dev/full").open("w") as full, contextlib.redirect_stderr(full):
        logs.configure()
        structlog.get_logger("catalog.daemon").warning("source is failing", source="lab")
        with contextlib.suppress(OSError):  # what stayed in the stream's buffer
            full.close()


def test_a_login_that_fails_is_not_announced_by_its_library(capsys: pytest.CaptureFixture[str]) -> None:
    """An expected failure is one line, and that is ours; -v shows the library's, too."""
    for verbosity in (0, 1):
        logs.configure(verbosity)
        logging.getLogger("keystoneauth.identity.generic.base").warning("Failed to discover versions")
        assert ("discover" in capsys.readouterr().err) is bool(verbosity)


@pytest.mark.parametrize("stream", [io.StringIO, Terminal])
def test_a_line_is_bounded_whatever_a_cloud_says(stream: type[io.StringIO]) -> None:
    """A value of two million characters is cut with a note, in messages and lists too, after secrets were struck."""
    huge = "https://user:hunter2@host/ " + "x" * 2_000_000
    with contextlib.redirect_stderr(stream()) as pipe:
        logs.configure()
        structlog.get_logger().warning(huge, reason=huge, values=["y"] * 100_000)
    text = pipe.getvalue()
    assert len(text) < 20_000
    assert "characters)" in text
    assert "(100000 values)" in text
    assert "hunter2" not in text
