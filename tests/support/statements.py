"""The store's statements by name, for tests that look at each of them."""

from __future__ import annotations

from catalog.store.history import ledger, stage, timelines, writer
from catalog.store.state import held_deletions, lookups, stored_state

_MODULES = (timelines, ledger, stored_state, writer, held_deletions, lookups)
STATEMENTS = {**stage.SQL, **{name: text for module in _MODULES for name, text in module._SQL.items()}}
