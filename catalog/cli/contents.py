"""The rules by which a source's contents are read, also where the source left the configuration."""

from __future__ import annotations

from fnmatch import fnmatchcase

from catalog.cli.side_by_side import PLACEHOLDER
from catalog.run.contents import Contents
from catalog.settings import Settings, SourceSettings
from catalog.store.sources import Source


def rules_of(settings: Settings, known: Source) -> Contents:
    """The configured source's rules, by name; the defaults for one that is not configured."""
    for source in settings.sources:
        if source.name == known.name or fnmatchcase(known.name, source.name.replace(PLACEHOLDER, "*")):
            return Contents.of(source)
    return Contents.of(SourceSettings(known.name, "ims" if known.kind == "ims" else "glance"))
