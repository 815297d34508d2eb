"""All that a sweep read, and what of it is complete: each pass, the run, the observation (semantics 4.1, 4.5, 4.7)."""

from __future__ import annotations

from dataclasses import dataclass, field

from catalog.config.settings import SourceSettings
from catalog.model import DEFAULT_PASSES, Listing, Outcome
from catalog.sync.buffer import ListingBuffer
from catalog.sync.missing import MissingVerdict


@dataclass(slots=True)
class Fetched:
    """All that a sweep brought before it writes."""

    buffer: ListingBuffer
    passes: list[Listing] = field(default_factory=list)
    verdict: MissingVerdict = field(default_factory=MissingVerdict)
    complete: bool = False
    """Absence alone proves lack (semantics 4.6)."""
    missing: set[str] = field(default_factory=set)
    logins: frozenset[frozenset[str]] = frozenset()
    """The rights of each login that some of this was read with."""
    login: frozenset[str] = frozenset()
    """Rights that later logins are compared with."""

    @property
    def all_complete(self) -> bool:
        return all(listing.verdict == "complete" for listing in self.passes)

    @property
    def outcome(self) -> Outcome:
        if self.all_complete:
            return "complete"
        return "partial" if self.buffer.listed else "failed"

    @property
    def failure(self) -> Listing | None:
        return next((listing for listing in self.passes if listing.verdict != "complete"), None)

    def observation_is_complete(self, source: SourceSettings) -> bool:
        """Absence alone proves something: nothing was left out of what was asked for, refused or without a name."""
        names = {listing.name for listing in self.passes}
        refused = any(listing.refused for listing in self.passes)
        everything = names.issuperset(DEFAULT_PASSES[source.kind]) and not source.filters and not refused
        return self.all_complete and everything and not self.buffer.has_nameless
