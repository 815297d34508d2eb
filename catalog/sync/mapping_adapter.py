"""Tells the store's writer by the mapping what it must know of contents: the two never import one another."""

from __future__ import annotations

from catalog.config.settings import SourceSettings
from catalog.mapping import MappingRules, encode_json, map_document, show_difference
from catalog.model import MappedImage


class MappingAdapter:
    """`catalog.model.ContentRules` by a source's mapping rules."""

    def __init__(self, rules: MappingRules) -> None:
        self.rules = rules

    @classmethod
    def of(cls, source: SourceSettings) -> MappingAdapter:
        return cls(MappingRules(ignore=source.ignore, redact=source.redact))

    def difference(self, old: str, new: str) -> str | None:
        differing = show_difference(old, new, self.rules)
        return encode_json(differing) if differing else None

    def map_document(self, document: str) -> MappedImage:
        return map_document(document, self.rules)
