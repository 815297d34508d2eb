"""An event in one line of words, for feeds and chat rooms."""

from __future__ import annotations

import json
from typing import Any

from catalog.store.state import events
from catalog.store.state.events import Event
from catalog.text import listed, short

MOST_KEYS = 5
"""Changed keys that are told with their values; more are counted."""
DULL = ("updated_at",)
"""Keys that change with every other one."""


def sentence(event: Event) -> str:
    """Describes an event in one line that is safe to show; values are cut to what can be read."""
    data, source = event.data, short(event.source)
    match event.type:
        case events.HELD:
            return (
                f"{source}: {data['held']} deletions are held, {data['open']} wait for a decision;"
                f" see `catalog deletions list {source}`"
            )
        case events.FAILING:
            return f"{source}: sweeps fail ({data.get('error_kind')}): {short(str(data.get('error')), 300)}"
        case events.RECOVERED:
            return f"{source}: the last sweep was complete again; sweeps failed since {data['since']}"
        case events.LOADED:
            part = "" if data["complete"] else ", and not yet all"
            return f"{source}: {data['images']} images loaded for the first time{part}"
    name, image_id = short(str(data.get("name") or "without a name")), short(event.subject or "", 255)
    return f"{source}: image {name} ({image_id}) {_happened(event)}"


def _happened(event: Event) -> str:
    data = event.data
    match event.type:
        case events.CREATED:
            return f"is new; status {short(str(data.get('status')))}, {short(str(data.get('visibility')))}"
        case events.DELETED:
            return f"is gone: {data.get('deletion_reason')}"
        case events.RESTORED:
            return "is back"
        case events.UNLISTED:
            return "is no longer listed"
    return f"changed: {_changes(data.get('changed') or {})}"


def _changes(changed: dict[str, Any]) -> str:
    keys = [key for key in changed if key not in DULL] or list(changed)
    return listed([_change(key, changed[key]) for key in keys], MOST_KEYS)


def _change(key: str, values: Any) -> str:
    if not isinstance(values, list) or len(values) != 2:
        return short(key)  # too large to be told
    old, new = map(_value, values)
    return f"{short(key)} {old} → {new}"


def _value(value: Any) -> str:
    return short(value if isinstance(value, str) else json.dumps(value, ensure_ascii=False))
