"""Where tables are kept by source, a statement that names its source is one node's work."""

from __future__ import annotations

import re

import pytest

from catalog.store.db.distribution import BY_SOURCE, placements
from tests.support.statements import ABOUT_MANY, EVERY

SPREAD = {placement.table for placement in placements() if placement.how == BY_SOURCE}
_TABLE = re.compile(r"\b(?:FROM|JOIN|UPDATE|USING) (\w+)(?: (?:AS )?\w+)?(?=[\s,)])")
_NAMED = re.compile(r"source_id = (?:%\(source\)s|\{\}|\w+\.source_id)|USING \(source_id")


def tables(text: str) -> list[str]:
    """The spread tables that a statement reads or changes, each as often as it names it."""
    return [name for name in _TABLE.findall(text) if name in SPREAD]


@pytest.mark.parametrize(("file", "name"), sorted(EVERY))
def test_each_does(file: str, name: str) -> None:
    text = EVERY[file, name]
    if (file, name) in ABOUT_MANY:
        assert tables(text), "it reads nothing that is spread: it needs no exception"
    else:
        assert len(_NAMED.findall(text)) >= len(tables(text))


def test_none_finds_rows_by_their_place() -> None:
    assert [key for key, text in EVERY.items() if "ctid" in text] == []


def test_none_asks_the_clock_where_it_changes_rows() -> None:
    assert [
        key for key, text in EVERY.items() if text.startswith("UPDATE") and "clock_timestamp" in text
    ] == []
