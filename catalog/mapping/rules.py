"""What becomes of each upstream key: the table of `catalog.fields` and a source's `ignore` and `redact`."""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Literal

from catalog.fields import (
    CAPABILITY_PREFIX,
    DELETED_AT_KEY,
    FIELDS,
    ID_KEY,
    INDEX,
    LINK_KEYS,
    TAGS_KEY,
    Field,
)
from catalog.mapping.credentials import names_place
from catalog.mapping.values import BITS, CONVERSIONS

LONGEST_NAME = 1000
"""Bytes of a tag, capability or property name that still fit into an index row (semantics 3.2)."""
_REMEMBERED_KEYS = 10_000
_REMEMBERED_LENGTH = 200

Role = Literal["id", "deleted_at", "tags", "column", "second", "capability", "property"]

_COLUMNS: dict[str, tuple[Field, int]] = {
    key: (column, rank) for column in FIELDS for rank, key in enumerate(column.keys)
}
_AFTER_DATA_ORIGIN = "source_server_id"


@dataclass(frozen=True, slots=True)
class Use:
    """What becomes of one upstream key.

    `name`: of its row (capability, property); `held` false if it is too long for one. Role `second`:
    another key comes first, so the value may end in a property. `text`: for a column of text; `plain`: and
    a text goes there as it is, and so does a whole number from `least` to `most`. `place`: values name a
    place and may carry credentials.
    """

    key: str
    role: Role
    name: str
    held: bool
    ignored: bool
    redacted: bool
    link: bool = False
    place: bool = False
    position: int = -1
    rank: int = 0
    plain: bool = False
    least: int = 0
    most: int = -1
    text: bool = False
    convert: Callable[[object], object] = lambda value: value
    failure: str = ""


@dataclass(frozen=True)
class MappingRules:
    """A source's globs over upstream keys, case-sensitive.

    `ignore`d keys open no revision. Values of `redact`ed keys are replaced by their SHA-256 before anything
    is stored; the id is not, the catalog could not tell images apart.
    """

    ignore: Sequence[str] = ()
    redact: Sequence[str] = ()
    uses: dict[str, Use] = field(default_factory=dict, init=False, repr=False, compare=False)
    """Keys met so far, bounded; `use` fills it."""
    _ignored: re.Pattern[str] = field(init=False, repr=False, compare=False)
    _redacted: re.Pattern[str] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "ignore", tuple(self.ignore))
        object.__setattr__(self, "redact", tuple(self.redact))
        object.__setattr__(self, "_ignored", _compile(self.ignore))
        object.__setattr__(self, "_redacted", _compile(self.redact))

    def use(self, key: str) -> Use:
        """What becomes of `key`."""
        known = self.uses.get(key)
        if known is None:
            known = self._find_use(key)
            if len(key) <= _REMEMBERED_LENGTH:
                if len(self.uses) >= _REMEMBERED_KEYS:
                    self.uses.clear()
                self.uses[key] = known
        return known

    def _find_use(self, key: str) -> Use:
        ignored = self._ignored.match(key) is not None
        redacted = key != ID_KEY and self._redacted.match(key) is not None
        if key in _COLUMNS:
            return _column_use(key, ignored, redacted)
        role: Role = "property"
        name = key
        if key in (ID_KEY, DELETED_AT_KEY, TAGS_KEY):
            role = {ID_KEY: "id", DELETED_AT_KEY: "deleted_at", TAGS_KEY: "tags"}[key]  # type: ignore[assignment]
        elif key.startswith(CAPABILITY_PREFIX) and key != CAPABILITY_PREFIX:
            role, name = "capability", key[len(CAPABILITY_PREFIX) :]
        held = len(name.encode()) <= LONGEST_NAME
        return Use(key, role, name, held, ignored, redacted, place=names_place(key))


def _column_use(key: str, ignored: bool, redacted: bool) -> Use:
    column, rank = _COLUMNS[key]
    convert, failure = CONVERSIONS[column.conversion]
    second = rank > 0 or column.column == _AFTER_DATA_ORIGIN
    link = key in LINK_KEYS
    as_it_is = not (second or link or ignored or redacted)
    bits = BITS.get(column.conversion) if as_it_is else None
    return Use(
        key,
        "second" if second else "column",
        key,
        True,
        ignored,
        redacted,
        link=link,
        position=INDEX[column.column],
        rank=rank,
        plain=column.conversion == "text" and as_it_is,
        least=-(1 << bits) if bits else 0,
        most=(1 << bits) - 1 if bits else -1,
        text=column.conversion == "text",
        convert=convert,
        failure=failure,
    )


def _compile(globs: Sequence[str]) -> re.Pattern[str]:
    """One pattern for all globs; one that matches nothing for none."""
    return re.compile("|".join(map(fnmatch.translate, globs)) or r"(?!)")
