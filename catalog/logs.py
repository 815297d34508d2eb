"""Logs on standard error: lines for people on a terminal, JSON lines otherwise.

Logs hold text from clouds: control characters are escaped; credentials in addresses, and values whose name
says that they are secret, are never shown.
"""

from __future__ import annotations

import json
import logging
import re
import sys
import warnings
from collections.abc import Mapping, MutableMapping
from functools import partial
from itertools import islice
from typing import Any

import structlog

from catalog.text import visible

Event = MutableMapping[str, Any]
_SECRET_NAME = re.compile(r"(?i)passw|secret|token|credential|authori[sz]ation|signature|cookie")
_USER_INFO = re.compile(r"(?<=://)[^/\s@]+@")
_NAMED_SECRET = re.compile(
    r"(?i)\b((?:ssl)?password|passwd|secret|token|x-auth-token|authorization)(['\"]?\s*[=:]\s*['\"]?)[^\s,;&'\"]+"
)
PAGE, REQUEST = "page read", "request"
_DETAILS = {PAGE: 1, REQUEST: 2}
"""Events that only so many `-v` show, whatever a daemon shows of the others."""
LONGEST_VALUE = 8192
"""Characters of one value in a log line; the rest is cut."""
MOST_VALUES = 100
"""Members of one list in a log line."""
_COLOURS = {"debug": "2", "info": "32", "warning": "33", "error": "31", "critical": "31"}
_NOISY = ("urllib3",)
"""Libraries whose lines repeat every request, addresses included."""
_FOREBODING = ("keystoneauth", "stevedore", "psycopg")
"""Libraries that warn of what they raise next, which is then reported in our words."""


def configure(verbosity: int = 0, *, daemon: bool = False) -> None:
    """Sets up logging for the process; may be called again.

    A command shows warnings, a daemon also what it does; each `-v` shows more, `-q` (-1) a level less. Pages are
    shown from `-v` on, requests from `-vv` on. Libraries that log by the standard library go the same way, a level
    quieter, and never at DEBUG, where some show what they send.
    """
    chatty = verbosity + daemon
    level = (logging.WARNING, logging.INFO, logging.DEBUG, logging.ERROR)[min(chatty, 2)]
    json_lines = not sys.stderr.isatty()
    structlog.configure(
        processors=[
            partial(_wanted, verbosity),
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            _conceal,
            structlog.processors.JSONRenderer() if json_lines else _as_line,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=_Output,
        cache_logger_on_first_use=False,
    )
    root = logging.getLogger()
    root.handlers = [_Forward()]
    root.setLevel(logging.INFO if chatty >= 2 else logging.WARNING)
    warnings.showwarning = _warned
    for name in _NOISY:
        logging.getLogger(name).setLevel(logging.WARNING)
    for name in _FOREBODING:
        logging.getLogger(name).setLevel(logging.NOTSET if verbosity > 0 else logging.ERROR)


class _Output:
    """Writes to what standard error is at that moment: a progress bar puts itself in its place."""

    def __init__(self, *_: object) -> None:
        pass

    def msg(self, message: str) -> None:
        try:
            sys.stderr.write(message + "\n")
            sys.stderr.flush()
        except (OSError, ValueError):
            return  # nobody reads the log, or its disk is full; the work goes on

    debug = info = warning = error = critical = exception = log = msg


def _warned(message: Warning | str, category: type[Warning], *place: object, **_: object) -> None:
    """Logs what a library warns people of: openstacksdk warns of unknown keys in clouds.yaml."""
    structlog.get_logger().warning(str(message), logger=category.__name__)


class _Forward(logging.Handler):
    """Hands on what libraries log by the standard library."""

    def emit(self, record: logging.LogRecord) -> None:
        try:
            message = record.getMessage()
        except Exception:
            message = str(record.msg)
        log = structlog.get_logger()
        values: dict[str, Any] = {"logger": record.name}
        if record.exc_info:
            values["exc_info"] = record.exc_info
        log.log(min(record.levelno, logging.CRITICAL) // 10 * 10, message, **values)


def _wanted(verbosity: int, _: object, __: str, event: Event) -> Event:
    if verbosity < _DETAILS.get(str(event["event"]), verbosity):
        raise structlog.DropEvent
    return event


def _conceal(_: object, __: str, event: Event) -> Event:
    return {name: _concealed(name, value) for name, value in event.items()}


def _concealed(name: str, value: object) -> object:
    if _SECRET_NAME.search(name):
        return "***"
    if isinstance(value, int | float | None):
        return value
    if isinstance(value, Mapping):
        return {str(key): _concealed(str(key), inner) for key, inner in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        first = [_concealed("", inner) for inner in islice(value, MOST_VALUES)]
        return first if len(value) <= MOST_VALUES else [*first, f"... ({len(value)} values)"]
    whole = str(value)
    text = _NAMED_SECRET.sub(r"\1\2***", _USER_INFO.sub("***@", whole[: 8 * LONGEST_VALUE]))
    return text if len(text) <= LONGEST_VALUE else f"{text[:LONGEST_VALUE]}... ({len(whole)} characters)"


def _as_line(_: object, __: str, event: Event) -> str:
    level, moment, message = event.pop("level"), event.pop("timestamp"), event.pop("event")
    exception = event.pop("exception", None)
    values = "".join(f"  {visible(name)}={_value(value)}" for name, value in event.items())
    colour = _COLOURS.get(level, "0")
    line = f"{moment[11:19]} \x1b[{colour}m{level:<8}\x1b[0m {visible(str(message))}{values}"
    if exception:
        line += "".join("\n  " + visible(part) for part in str(exception).splitlines())
    return line


def _value(value: object) -> str:
    text = visible(str(value))
    return json.dumps(text, ensure_ascii=False).replace("\\\\", "\\") if " " in text or not text else text
