"""Rules for each upstream key: the table of `catalog.fields` and a source's `ignore` and `redact`."""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from catalog.fields import CAPABILITY_PREFIX, FIELDS, INDEX, LINK_KEYS, ROLES, Conversion, Field, Role
from catalog.mapping.credentials import names_location
from catalog.mapping.values import BITS, CONVERSIONS, boolean, timestamp
from catalog.text import utc

LONGEST_NAME = 1000
"""Bytes of a tag, capability or property name that still fit into an index row (semantics 3.2)."""
_REMEMBERED_KEYS = 10_000
_REMEMBERED_LENGTH = 200

_COLUMNS: dict[str, tuple[Field, int]] = {
    key: (column, rank) for column in FIELDS for rank, key in enumerate(column.keys)
}
_SPELL: dict[tuple[Conversion, bool], Callable[[Any], object]] = {
    ("timestamp", False): utc,
    ("boolean", True): {True: "true", False: "false"}.__getitem__,
    ("integer", True): str,
    ("bigint", True): str,
}
_AFTER_DATA_ORIGIN = "source_server_id"
_NEVER_REDACTED = frozenset({"id", "deleted"})


@dataclass(frozen=True, slots=True)
class Use:
    """The use of one upstream key.

    `name`: of its row (capability, property); `fits` is false if it is too long for one. Role `second`:
    another key comes first, so the value may end in a property. `text`: for a column of text; `plain`: and
    a text goes there as it is, and so does a whole number up to `most`. `location`: values name a location
    and may carry credentials. `spell`: makes the usual spelling of a converted value, as services document it,
    so that most deliveries need no other; None: that value itself.
    """

    key: str
    role: Role
    name: str
    fits: bool
    ignored: bool
    redacted: bool
    location: bool = False
    spell: Callable[[Any], object] | None = None
    link: bool = False
    position: int = -1
    rank: int = 0
    plain: bool = False
    most: int = -1
    text: bool = False
    convert: Callable[[Any], object] = boolean
    failure: str = ""
    repeats: bool = False
    seen: dict[str, tuple[object, object]] = field(default_factory=dict)
    """The first texts of a key whose values repeat (flags, properties): what each is in its table, and its meaning."""


@dataclass(frozen=True)
class MappingRules:
    """A source's globs over upstream keys, case-sensitive.

    `ignore`d keys open no revision. Values of `redact`ed keys, at any depth, are replaced by their SHA-256
    before anything is stored; the id and `deleted` are not: the catalog could not tell images apart, nor
    which of them live.
    """

    ignore: Sequence[str] = ()
    redact: Sequence[str] = ()
    uses: dict[str, Use] = field(default_factory=dict, init=False, repr=False, compare=False)
    """Keys met so far, bounded; `use` fills it."""

    @cached_property
    def _ignored(self) -> re.Pattern[str]:
        return _compile(self.ignore)

    @cached_property
    def _redacted(self) -> re.Pattern[str]:
        return _compile(self.redact)

    def redacts(self, key: str) -> bool:
        """True if values under this key are replaced by their hash."""
        return key not in _NEVER_REDACTED and self._redacted.match(key) is not None

    def use(self, key: str) -> Use:
        """The use of `key`."""
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
        redacted = self.redacts(key)
        if key in _COLUMNS:
            return _column_use(key, ignored, redacted)
        role, name = ROLES.get(key, "property"), key
        if key.startswith(CAPABILITY_PREFIX) and key != CAPABILITY_PREFIX:
            role, name = "capability", key[len(CAPABILITY_PREFIX) :]
        fits = len(name.encode()) <= LONGEST_NAME
        convert = timestamp if role == "deleted_at" else boolean
        repeats = role in ("capability", "property") and not (ignored or redacted)
        location = names_location(key)
        return Use(key, role, name, fits, ignored, redacted, location, convert=convert, repeats=repeats)


def _column_use(key: str, ignored: bool, redacted: bool) -> Use:
    column, rank = _COLUMNS[key]
    convert, failure = CONVERSIONS[column.conversion]
    second = rank > 0 or column.column == _AFTER_DATA_ORIGIN
    link = key in LINK_KEYS
    is_text = column.conversion == "text"
    as_text, bits = key.startswith("__") or key == "max_ram", BITS.get(column.conversion)
    as_it_is = not (second or link or ignored or redacted)
    return Use(
        key, "second" if second else "column", key, True, ignored, redacted, link=link, text=is_text, rank=rank,
        position=INDEX[column.column], plain=is_text and as_it_is, convert=convert, failure=failure,
        most=(1 << bits) - 1 if bits and as_it_is and not as_text else -1,
        spell=_SPELL.get((column.conversion, as_text)),
        repeats=column.conversion in ("boolean", "integer") and as_it_is,
    )  # fmt: skip


def _compile(globs: Sequence[str]) -> re.Pattern[str]:
    """One pattern for all globs; one that matches nothing for none."""
    return re.compile("|".join(map(fnmatch.translate, globs)) or r"(?!)")
