"""Rows for people and for programs: a table that fits the terminal, JSON, or CSV.

Text from a cloud may hold control characters, marks that turn the reading direction, or invisible ones:
a terminal gets them as escapes, so that no image's name can move the cursor or hide another.
"""

from __future__ import annotations

import csv
import json
import os
import re
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import IO, Any, Literal
from uuid import UUID

from rich.box import SIMPLE_HEAD
from rich.cells import cell_len
from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from catalog.text import visible

Format = Literal["table", "json", "csv"]
FORMATS: tuple[Format, ...] = ("table", "json", "csv")

_FOLDED_TEXT, _FOLDED_MOMENT = 8, 10
"""Cells to which a column may shrink: a part of a UUID, a date. Below that a table cannot be read."""
_BATCH = 2000
"""Rows that rich lays out at a time."""


def print_rows(
    columns: Sequence[str], rows: Iterable[Sequence[Any]], format: Format, stream: IO[str]
) -> None:
    """Prints all rows. JSON: an array of objects, moments as ISO 8601 in UTC. CSV: a header, then rows."""
    _PRINTERS[format](columns, rows, stream)


def _print_json(columns: Sequence[str], rows: Iterable[Sequence[Any]], stream: IO[str]) -> None:
    separator = "["
    for row in rows:
        text = json.dumps(dict(zip(columns, row, strict=True)), default=plain, ensure_ascii=False)
        _write(stream, f"{separator}\n  {_UNSEEN_IN_JSON.sub(_json_escape, text)}")
        separator = ","
    _write(stream, "[]\n" if separator == "[" else "\n]\n")


# Inside of JSON such characters stand in texts only, where an escape means the same.
_UNSEEN_IN_JSON = re.compile(
    "[\x7f-\x9f\xad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ud800-\udfff]"
)


def _json_escape(match: re.Match[str]) -> str:
    return f"\\u{ord(match[0]):04x}"


def _print_csv(columns: Sequence[str], rows: Iterable[Sequence[Any]], stream: IO[str]) -> None:
    """Texts exactly as they are, for programs; on a terminal with escapes."""
    shown: Callable[[str], str] = visible if stream.isatty() else str
    writer = csv.writer(_Lines(stream), lineterminator="\n")
    writer.writerow(columns)
    for row in rows:
        writer.writerow([shown(_text(value)) for value in row])


class _Lines:
    """The stream that csv writes to."""

    def __init__(self, stream: IO[str]) -> None:
        self.stream = stream

    def write(self, line: str) -> None:
        _write(self.stream, line)


def _print_table(columns: Sequence[str], rows: Iterable[Sequence[Any]], stream: IO[str]) -> None:
    tty = stream.isatty()
    console = Console(
        file=stream,
        force_terminal=tty,
        color_system="auto" if tty else None,
        no_color=None if tty else True,
        width=None if tty or os.environ.get("COLUMNS", "").isdigit() else 80,
        highlight=False,
        emoji=False,
        markup=False,
        safe_box=True,
    )
    rows = list(rows)
    cells = [[_encodable(visible(_shown(value)), stream) for value in row] for row in rows]
    if not cells:
        console.print("(no rows)", style="dim")
        return
    narrowest = [_narrowest([row[i] for row in rows]) for i in range(len(columns))]
    headers = [visible(column.replace("_", " ")) for column in columns]
    widths = _fitted(headers, cells, narrowest, console.width)
    if widths is None:
        _print_records(headers, cells, console)
    else:
        _print_grid(headers, cells, [least is None for least in narrowest], widths, console)


def _print_grid(
    headers: list[str], cells: list[list[str]], right: list[bool], widths: list[int], console: Console
) -> None:
    for start in range(0, len(cells), _BATCH):
        table = Table(
            box=SIMPLE_HEAD,  # its divider is the blank between columns
            show_header=start == 0,
            show_edge=False,
            padding=0,
            header_style="bold",
        )
        for header, width, numeric in zip(headers, widths, right, strict=True):
            table.add_column(
                Text(header), justify="right" if numeric else "left", width=width, overflow="fold"
            )
        for row in cells[start : start + _BATCH]:
            table.add_row(*map(Text, row))
        console.print(table)


def _print_records(headers: list[str], cells: list[list[str]], console: Console) -> None:
    """Each row as a block of lines, where the columns have no room side by side."""
    label = max(map(len, headers))
    for number, row in enumerate(cells, 1):
        console.rule(Text(str(number)), align="left", characters="-", style="dim")
        block = Table(box=None, show_header=False, pad_edge=False, padding=(0, 2, 0, 0))
        block.add_column(style="bold", width=label)
        block.add_column(overflow="fold")
        for header, cell in zip(headers, row, strict=True):
            if cell:
                block.add_row(Text(header), Text(cell))
        console.print(Padding(block, 0))


def _fitted(
    headers: list[str], cells: list[list[str]], narrowest: list[int | None], room: int
) -> list[int] | None:
    """A width for each column so that all fit, the widest texts folded most; None = no room."""
    wanted, least = [], []
    for i, header in enumerate(headers):
        content = max(cell_len(row[i]) for row in cells)
        word = max(map(len, header.split()), default=1)
        wanted.append(max(content, word))
        folded = narrowest[i]
        least.append(max(word, content if folded is None else min(content, folded)))
    room -= len(headers) - 1  # a blank between columns
    if sum(least) > room:
        return None
    widths = list(wanted)
    while (excess := sum(widths) - room) > 0:
        # Level the widest foldable columns down to the next narrower one.
        foldable = [i for i in range(len(widths)) if widths[i] > least[i]]
        widest = max(widths[i] for i in foldable)
        at_top = [i for i in foldable if widths[i] == widest]
        below = max((widths[i] for i in foldable if widths[i] < widest), default=0)
        cut = max(1, min(widest - below, -(-excess // len(at_top))))
        for i in at_top:
            widths[i] -= min(cut, widths[i] - least[i], max(0, sum(widths) - room))
    slack = room - sum(widths)
    for i, header in enumerate(headers):  # a header in one line, where there is room left
        more = min(max(0, len(header) - widths[i]), slack)
        widths[i] += more
        slack -= more
    return widths


def _narrowest(values: Sequence[Any]) -> int | None:
    """The width to which a column may be folded; None = it holds numbers, which are not."""
    present = [value for value in values if value is not None]
    if present and all(isinstance(v, int | float | Decimal) and not isinstance(v, bool) for v in present):
        return None
    return _FOLDED_MOMENT if all(isinstance(value, date) for value in present) else _FOLDED_TEXT


def _shown(value: Any) -> str:
    """A value as a cell of a table."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, datetime):
        return value.astimezone(UTC).strftime("%Y-%m-%d %H:%MZ")
    if isinstance(value, list | tuple):
        return ", ".join(map(_shown, value))
    return _text(value)


def _text(value: Any) -> str:
    """A value as exact text, for CSV."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, dict | list | tuple):
        return json.dumps(value, default=plain, ensure_ascii=False)
    if isinstance(value, Decimal):
        return format(value, "f")
    return str(value if isinstance(value, str | int | float) else plain(value))


def plain(value: Any) -> Any:
    """A value that JSON has no type for, in the types it has. Raises TypeError for anything unexpected."""
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat().replace("+00:00", "Z")
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, Decimal):
        return int(value) if value == value.to_integral_value() else float(value)
    if isinstance(value, timedelta):
        return value.total_seconds()
    if isinstance(value, UUID):
        return str(value)
    if isinstance(value, bytes | memoryview):
        return bytes(value).hex()
    raise TypeError(f"no text for {type(value).__name__}")


def _write(stream: IO[str], text: str) -> None:
    stream.write(_encodable(text, stream))


def _encodable(text: str, stream: IO[str]) -> str:
    """The text with what the stream's encoding cannot hold as escapes."""
    encoding = getattr(stream, "encoding", None) or "utf-8"
    return text.encode(encoding, "backslashreplace").decode(encoding)


_PRINTERS: dict[Format, Callable[[Sequence[str], Iterable[Sequence[Any]], IO[str]], None]] = {
    "table": _print_table,
    "json": _print_json,
    "csv": _print_csv,
}
