"""Finds what changed between two canonical documents (`image_revisions.changed`)."""

from __future__ import annotations

from typing import Any, cast

from catalog.mapping.canonical import encode_bytes
from catalog.mapping.key_rules import MappingRules
from catalog.mapping.record import meanings
from catalog.mapping.wire import Rejected, read_record

Document = dict[str, Any] | str | bytes


def show_difference(old: Document, new: Document, rules: MappingRules | None = None) -> dict[str, list[Any]]:
    """`{key: [old, new]}` by upstream keys, a missing side None; ignored keys and links left out.

    Values are equal if they mean the same: 40 is 40.0, but true is not 1. Take documents as text where
    you can, else numbers in text columns (6.1, 6.10) may have become floats. Values of documents given as
    text may hold Decimals: write them with `encode_json`. Raises Rejected if a text is not a JSON object.
    """
    rules = rules or MappingRules()
    before, after = _decoded(old), _decoded(new)
    # nearly all keys are plainly equal, which is cheaper to tell than what they mean
    keys = [
        key for key in before.keys() | after.keys() if not _are_plainly_equal(before.get(key), after.get(key))
    ]
    was, now = (meanings({key: side[key] for key in keys if key in side}, rules) for side in (before, after))
    return {
        key: [before.get(key), after.get(key)]
        for key in sorted(keys)
        if encode_bytes(was.get(key)) != encode_bytes(now.get(key))
    }


def _are_plainly_equal(old: object, new: object) -> bool:
    """Equal without a look at canonical forms. Of equal numbers only whole ones of one type: 1 == True."""
    if type(old) is not type(new) or old != new:
        return False
    if type(old) is list:
        return all(type(member) is str for member in old)
    return type(old) in _PLAIN


_PLAIN = frozenset({str, int, bool, type(None)})


def _decoded(document: Document) -> dict[str, Any]:
    if isinstance(document, dict):
        return document
    raw = document.encode("utf-8", "surrogatepass") if isinstance(document, str) else document
    decoded = read_record(raw)
    if not isinstance(decoded, dict):
        raise Rejected("not an object")
    return cast("dict[str, Any]", decoded)
