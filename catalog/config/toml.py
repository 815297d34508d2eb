"""A place in the configuration file: makes its table a typed one, names it when something is wrong."""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from catalog.config.durations import duration_seconds
from catalog.errors import ConfigurationError
from catalog.files import read_secret

Table = TypeVar("Table", bound=msgspec.Struct)
Duration = int | float | str
TYPE_WORDS = {
    "str": "a text", "int": "a whole number", "float": "a number", "bool": "true or false", "array": "a list",
    "object": "a table", "null": "nothing",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Place:
    """`file` as people named it; `folder` of relative paths; `table` as `sources[1]`; a source's `name`."""

    file: str
    folder: Path
    table: str = ""
    name: str | None = None

    def into(self, table: str, name: object = None) -> Place:
        return Place(self.file, self.folder, table, name if isinstance(name, str) else None)

    def error(self, key: str, expected: str) -> ConfigurationError:
        """The one line that names file, key and what was expected."""
        path = f"{self.table}.{key}" if self.table and key else self.table or key
        of = f" (source {self.name!r})" if self.name else ""
        where = f"{self.file}: {path}{of}" if path else self.file
        return ConfigurationError(f"{where}: expected {expected}")

    def convert(self, table: dict[str, Any], kind: type[Table]) -> Table:
        """The table as a typed one. Raises ConfigurationError: an unknown key or a wrong type."""
        known = kind.__struct_fields__
        for key in table:
            if key not in known:
                raise self._unknown_key(key, known)
        try:
            return msgspec.convert(table, kind)
        except msgspec.ValidationError as error:
            problem, _, path = str(error).partition(" - at `$")
            key = path.rstrip("`").lstrip(".")
            raise self.error(key, _expected(problem)) from None

    def _unknown_key(self, key: str, known: tuple[str, ...]) -> ConfigurationError:
        near = difflib.get_close_matches(key, known, n=1)
        hint = f"{near[0]!r} (nearest)" if near else f"one of {', '.join(known)}"
        return self.error(key, f"a known key, such as {hint}" if near else hint)

    def seconds(self, key: str, value: Duration) -> float:
        """A duration above zero, in seconds. Raises ConfigurationError."""
        seconds = duration_seconds(value)
        if not seconds:
            expected = 'a duration above zero such as "15m", "90s", "1h", "2d", or a number of seconds'
            raise self.error(key, f"{expected}; found {value!r}")
        return seconds

    def within(self, key: str, value: float, low: float, high: float) -> None:
        """Raises ConfigurationError unless low <= value <= high."""
        if not low <= value <= high:
            raise self.error(key, f"a number from {low:g} to {high:g}; found {value!r}")

    def path(self, value: str) -> Path:
        """A path of the file: relative to the file's folder, `~` being the user's."""
        return self.folder / Path(value).expanduser()

    def read_secret(self, key: str, value: str) -> str:
        """The text of a file that holds one secret, without the line's end. Raises ConfigurationError."""
        path = self.path(value)
        try:
            return read_secret(path)
        except OSError as error:
            raise self.error(key, f"a readable file; {path}: {error.strerror}") from None


def from_environment(environ: Mapping[str, str], name: str) -> tuple[Place, str] | None:
    """The value of a variable, else the secret in the file that NAME_FILE names, and which of them it is.

    Raises ConfigurationError for a file that can't be read.
    """
    if value := environ.get(name):
        return Place(name, Path.cwd()), value
    if file := environ.get(f"{name}_FILE"):
        place = Place(f"{name}_FILE", Path.cwd())
        return place, place.read_secret("", file)
    return None


def _expected(problem: str) -> str:
    """msgspec's "Expected `int | null`, got `str`" in a person's words."""
    match = re.fullmatch(r"Expected `(.+)`, got `(.+)`", problem)
    if match is None:
        return problem[:1].lower() + problem[1:]
    wanted = [TYPE_WORDS.get(word, word) for word in match[1].split(" | ") if word != "null"]
    return f"{' or '.join(wanted)}, found {TYPE_WORDS.get(match[2], match[2])}"
