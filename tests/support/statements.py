"""The store's statements by name, for tests that look at each of them."""

from __future__ import annotations

from catalog.store.db.statements import Statements
from catalog.store.history import ledger, merge, stage, stored_timelines
from catalog.store.maintenance import prune, remap, source_removal
from catalog.store.state import (
    announcements,
    due_sources,
    events,
    held_deletions,
    leases,
    lookups,
    projects,
    runs,
    sources,
    stored_state,
    webhooks,
)

_PUBLIC = (stage, prune, remap)
_OWN = (
    announcements, due_sources, events, held_deletions, leases, ledger, lookups, projects, runs, source_removal,
    sources, stored_state, stored_timelines, merge, webhooks,
)  # fmt: skip
_LOADED: dict[str, Statements] = {
    module.__name__.rpartition(".")[2]: statements
    for module, statements in (*((m, m.SQL) for m in _PUBLIC), *((m, m._SQL) for m in _OWN))
}
OF_BATCHES = ("stage", "stored_timelines", "ledger", "stored_state", "merge", "held_deletions", "lookups")
STATEMENTS = {name: text for file in OF_BATCHES for name, text in _LOADED[file].items()}
EVERY = {(file, name): text for file, texts in _LOADED.items() for name, text in texts.spread.items()}
"""All of them by file and name, as they are said where Citus keeps the tables."""
ABOUT_MANY = {
    ("announcements", "families"), ("announcements", "in_force"), ("due_sources", "due_sources"),
    ("due_sources", "health"), ("due_sources", "image_counts"), ("events", "newest"), ("events", "read"),
    ("held_deletions", "held"), ("leases", "version"), ("runs", "recent"), ("sources", "listing"),
    ("stored_state", "known_in"), ("webhooks", "states"),
}  # fmt: skip
"""Questions about all sources, or those that somebody chose."""
