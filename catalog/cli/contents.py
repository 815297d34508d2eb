"""The rules by which a source's contents are read, also where the source left the configuration."""

from __future__ import annotations

from catalog.config.settings import Settings, source_settings
from catalog.store.state.sources import Source
from catalog.sync.mapping_adapter import Contents


def rules_of(settings: Settings, known: Source) -> Contents:
    """The configured source's rules, by name; `[defaults]` for one that is not configured."""
    return Contents.of(source_settings(settings, known.name, known.kind))
