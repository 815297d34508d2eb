"""Rows for people and for programs: a table that fits the terminal, JSON, JSON Lines, or CSV.

On a terminal a table fits its width: names that have no room end in an ellipsis, ids are whole, moments are local,
and a column in which nothing stands is left out. Elsewhere nothing is cut or wrapped, and moments are UTC.

Text from a cloud may hold control characters, marks that turn the reading direction, or invisible ones:
a terminal gets them as escapes, so that no image's name can move the cursor or hide another.
"""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from functools import partial
from itertools import combinations, pairwise
from typing import IO, Any, Literal
from uuid import UUID

from rich.cells import cell_len, set_cell_size
from rich.console import Console
from rich.text import Text

from catalog.text import utc, visible

Format = Literal["table", "json", "jsonl", "csv", "safe-csv"]
FORMATS: tuple[Format, ...] = ("table", "json", "jsonl", "csv")
"""Those that `--format` takes; `safe-csv` is `csv` with `--safe`."""

_LEAST_TEXT = 12
"""Cells to which a column of text may be cut where no line has more room for it."""
_TELLING_TEXT = 28
"""Cells in which names are told apart, `Standard_Ubuntu_22.04_latest` say: below that a row takes another line."""
_MOST_LINES = 3
"""Lines of one row in a table; columns that need more stand below one another."""
_INDENT = 2
"""Blanks before later lines of a row."""
_ID = re.compile(r"[0-9a-f]{32}|[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)


def print_rows(
    columns: Sequence[str], rows: Iterable[Sequence[Any]], format: Format, stream: IO[str]
) -> None:
    """Prints all rows. JSON: an array of objects, moments as ISO 8601 in UTC; JSON Lines: an object per line. CSV: a
    header, then rows; the safe one has an apostrophe before texts that a spreadsheet would take for a formula."""
    _PRINTERS[format](columns, rows, stream)
    stream.flush()  # what is said on standard error next comes after it


def _print_json(columns: Sequence[str], rows: Iterable[Sequence[Any]], stream: IO[str]) -> None:
    separator = "["
    for row in rows:
        _write(stream, f"{separator}\n  {json_line(dict(zip(columns, row, strict=True)))}")
        separator = ","
    _write(stream, "[]\n" if separator == "[" else "\n]\n")


def _print_jsonl(columns: Sequence[str], rows: Iterable[Sequence[Any]], stream: IO[str]) -> None:
    for row in rows:
        _write(stream, json_line(dict(zip(columns, row, strict=True))) + "\n")


def json_line(value: Any) -> str:
    """A value as JSON on one line; characters that act on a terminal, or are unseen in it, as escapes."""
    return _UNSEEN_IN_JSON.sub(_json_escape, json.dumps(value, default=plain, ensure_ascii=False))


# Inside of JSON such characters stand in texts only, where an escape means the same.
_UNSEEN_IN_JSON = re.compile(
    "[\x7f-\x9f\xad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ud800-\udfff]"
)


def _json_escape(match: re.Match[str]) -> str:
    return f"\\u{ord(match[0]):04x}"


def _print_csv(
    columns: Sequence[str], rows: Iterable[Sequence[Any]], stream: IO[str], *, safe: bool = False
) -> None:
    """Texts exactly as they are, for programs; on a terminal with escapes."""
    shown: Callable[[str], str] = visible if stream.isatty() else str
    # with this end of line the module quotes a lone CR as well as a lone LF; _Lines writes the usual one
    writer = csv.writer(_Lines(stream), lineterminator="\r\n")
    writer.writerow(columns)
    for row in rows:
        texts = [shown(_text(value)) for value in row]
        if safe:
            texts = [
                "'" + text if isinstance(value, str) and _FORMULA.match(text) else text
                for value, text in zip(row, texts, strict=True)
            ]
        writer.writerow(texts)


# What begins a formula in spreadsheets, in its full width too, be it behind blanks (OWASP, CSV injection).
_FORMULA = re.compile(r"[\t\r\n]|\s*[=+\-@\uff1d\uff0b\uff0d\uff20]")


class _Lines:
    """The stream that csv writes to."""

    def __init__(self, stream: IO[str]) -> None:
        self.stream = stream

    def write(self, line: str) -> None:
        _write(self.stream, line.removesuffix("\r\n") + "\n")


@dataclass(slots=True)
class _Column:
    """A column of a table as it is laid out."""

    header: str
    cells: list[str]
    right: bool
    least: int
    """The width below which it can't be read: ids, moments and numbers are never cut."""
    width: int = 0

    @property
    def content(self) -> int:
        return max(map(cell_len, self.cells))

    @property
    def telling(self) -> int:
        """The width below which its texts are hard to tell apart."""
        return max(self.least, min(self.content, _TELLING_TEXT))


def _print_table(columns: Sequence[str], rows: Iterable[Sequence[Any]], stream: IO[str]) -> None:
    tty = stream.isatty()
    console = _console(stream)
    rows = list(rows)
    if not rows:
        console.print("(no rows)", style="dim")
        return
    table = [_column(name, [row[i] for row in rows], stream) for i, name in enumerate(columns)]
    if tty:
        table = [column for column in table if any(column.cells)] or table
    lines = _lines(table, console.width) if tty else [table]
    if lines is None:
        _print_records(table, console, stream)
        return
    for number, line in enumerate(lines):
        _fit(line, console.width - _INDENT * bool(number) if tty else None)
    _print_grid(lines, len(rows), console, stream)


def _console(stream: IO[str]) -> Console:
    tty = stream.isatty()
    return Console(
        file=stream,
        force_terminal=tty,
        color_system="auto" if tty else None,
        no_color=None if tty else True,
        highlight=False,
        emoji=False,
        markup=False,
        soft_wrap=True,
    )


def _column(name: str, values: list[Any], stream: IO[str]) -> _Column:
    present = [value for value in values if value is not None]
    moments = bool(present) and all(isinstance(value, datetime) for value in present)
    numeric = bool(present) and all(
        isinstance(v, int | float | Decimal) and not isinstance(v, bool) for v in present
    )
    header = visible(name.replace("_", " "))
    if moments and stream.isatty():
        header += f" ({'/'.join(sorted({_zone(value) for value in present}))})"
        cells = ["" if v is None else v.astimezone().strftime("%Y-%m-%d %H:%M") for v in values]
    else:
        cells = [_encodable(visible(_shown(value)), stream) for value in values]
    uncut = numeric or name == "id" or name.endswith(("_id", "_ids"))
    least = [
        cell_len(cell)
        if uncut or isinstance(value, date) or _ID.fullmatch(cell)
        else min(cell_len(cell), _LEAST_TEXT)
        for value, cell in zip(values, cells, strict=True)
    ]
    word = max(map(cell_len, header.split()), default=1)
    return _Column(_encodable(header, stream), cells, numeric, max(word, *least))


def _zone(moment: datetime) -> str:
    return moment.astimezone().tzname() or "local"


def _lines(table: list[_Column], room: int) -> list[list[_Column]] | None:
    """The columns, in their order, in as few lines as have room for them, and least cut; None = too many."""
    for widths in ([column.telling for column in table], [column.least for column in table]):
        for count in range(1, _MOST_LINES + 1):
            if (breaks := _best_breaks(table, widths, room, count)) is not None:
                return [table[start:end] for start, end in breaks]
    return None


def _best_breaks(
    table: list[_Column], widths: Sequence[int], room: int, count: int
) -> list[tuple[int, int]] | None:
    """Where so many lines begin and end in which each column has its width, and least is cut; None = no room."""
    best: tuple[int, list[tuple[int, int]]] | None = None
    for breaks in combinations(range(1, len(table)), count - 1):
        lines = list(pairwise((0, *breaks, len(table))))
        rooms = [room - _INDENT * bool(n) - (end - start - 1) for n, (start, end) in enumerate(lines)]
        if any(sum(widths[start:end]) > has for (start, end), has in zip(lines, rooms, strict=True)):
            continue
        cut = sum(
            max(0, sum(max(c.least, c.content) for c in table[start:end]) - has)
            for (start, end), has in zip(lines, rooms, strict=True)
        )
        if best is None or cut <= best[0]:
            best = cut, lines
    return best and best[1]


def _fit(line: list[_Column], room: int | None) -> None:
    """Gives each column of a line its width, so that all fit, the widest texts cut most; no `room`: nothing is cut."""
    for column in line:
        column.width = max(column.content, cell_len(column.header) if room is None else column.least)
    if room is None:
        return
    room -= len(line) - 1  # a blank between columns
    while (excess := sum(column.width for column in line) - room) > 0:
        # level the widest columns that may be cut down to the next narrower one
        cuttable = [column for column in line if column.width > column.least]
        widest = max(column.width for column in cuttable)
        at_top = [column for column in cuttable if column.width == widest]
        below = max((column.width for column in cuttable if column.width < widest), default=0)
        cut = max(1, min(widest - below, -(-excess // len(at_top))))
        for column in at_top:
            over = max(0, sum(each.width for each in line) - room)
            column.width -= min(cut, column.width - column.least, over)
    slack = room - sum(column.width for column in line)
    for column in line:  # a header in one line, where there is room left
        more = min(max(0, cell_len(column.header) - column.width), slack)
        column.width += more
        slack -= more


def _print_grid(lines: list[list[_Column]], rows: int, console: Console, stream: IO[str]) -> None:
    for number, line in enumerate(lines):
        headers = [_wrapped(column.header, column.width) for column in line]
        for place in range(deep := max(map(len, headers))):
            # words stand above the rule
            texts = [([""] * (deep - len(words)) + words)[place] for words in headers]
            console.print(Text(_joined(line, texts, number, stream), style="bold"))
    rule = "─" if _encodable("─", stream) == "─" else "-"
    wide = max(sum(c.width + 1 for c in line) - 1 + _INDENT * bool(n) for n, line in enumerate(lines))
    console.print(rule * wide)
    for row in range(rows):
        for number, line in enumerate(lines):
            text = _joined(line, [column.cells[row] for column in line], number, stream)
            if text or not number:
                _write(stream, text + "\n")


def _wrapped(header: str, width: int) -> list[str]:
    lines = [""]
    for word in header.split():
        if lines[-1] and cell_len(lines[-1]) + 1 + cell_len(word) > width:
            lines.append(word)
        else:
            lines[-1] = f"{lines[-1]} {word}".strip()
    return lines


def _joined(line: list[_Column], texts: list[str], number: int, stream: IO[str]) -> str:
    """Texts in the columns of a line of a table, the first line or a later one."""
    padded = (_padded(column, text, stream) for column, text in zip(line, texts, strict=True))
    return (" " * _INDENT * bool(number) + " ".join(padded)).rstrip()


def _padded(column: _Column, text: str, stream: IO[str]) -> str:
    width = cell_len(text)
    if width > column.width:
        more = "…" if _encodable("…", stream) == "…" else "..."
        return set_cell_size(text, column.width - len(more)) + more
    blanks = " " * (column.width - width)
    return blanks + text if column.right else text + blanks


def _print_records(table: list[_Column], console: Console, stream: IO[str]) -> None:
    """Each row as a block of lines, where the columns have no room side by side."""
    for row in range(len(table[0].cells)):
        console.rule(Text(str(row + 1)), align="left", characters="-", style="dim")
        _print_block([(column.header, column.cells[row], column.least) for column in table], console)


def print_pairs(pairs: Sequence[tuple[str, Any]], stream: IO[str], *, keys: bool = False) -> None:
    """Prints names and values below one another; those that have no value are left out. `keys`: the names are the
    cloud's, and stay as they are."""
    given = [(name, [value]) for name, value in pairs if value not in (None, "", [], {})]
    columns = [(name, _column(name, values, stream)) for name, values in given]
    _print_block(
        [
            (_encodable(visible(name), stream) if keys else each.header, each.cells[0], each.least)
            for name, each in columns
        ],
        _console(stream),
    )


def _print_block(parts: Sequence[tuple[str, str, int]], console: Console) -> None:
    """Headers, cells and the width below which a cell must not be broken."""
    label = max((cell_len(header) for header, _, _ in parts), default=0) + 2
    for header, cell, least in parts:
        room = max(_LEAST_TEXT, least, console.width - label)
        lines = _words(cell, room, console) if console.is_terminal else [cell]
        for number, line in enumerate(lines if cell else []):
            head = "" if number else header
            console.print(Text(head + " " * (label - cell_len(head)), style="bold"), line, sep="")


def _words(text: str, room: int, console: Console) -> list[str]:
    """The text in lines, broken between words where they fit."""
    return [line.plain.rstrip() for line in Text(text).wrap(console, room)]


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
        return utc(value.astimezone(UTC))
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
    "jsonl": _print_jsonl,
    "csv": _print_csv,
    "safe-csv": partial(_print_csv, safe=True),
}
