"""The store's statements by name, for tests that look at each of them."""

from __future__ import annotations

from catalog.store.db.statements import load
from catalog.store.history import stage

FILES = ("timelines.sql", "ledger.sql", "stored_state.sql", "writer.sql", "held_deletions.sql", "lookups.sql")
STATEMENTS = {**stage.SQL, **{name: text for file in FILES for name, text in load(file).items()}}
