"""Picks the events that somebody, or a webhook, asks for."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from catalog.config.selection import fits, fitting
from catalog.config.settings import WebhookSettings
from catalog.errors import UsageError
from catalog.model import EVENT_TYPES
from catalog.store.state.events import Event

Families = Callable[[Iterable[str]], dict[str, str]]
"""Gives the family of each name."""


def chosen_types(patterns: Sequence[str]) -> list[str]:
    """The types that any of the globs picks, all for none. Raises UsageError for a glob that picks none."""
    for pattern in patterns:
        if not fitting(EVENT_TYPES, pattern):
            raise UsageError(f"no type of event is called {pattern!r}; known: {', '.join(EVENT_TYPES)}")
    return [name for name in EVENT_TYPES if fits([name], patterns)]


def wanted(webhook: WebhookSettings, events: list[Event], families: Families) -> list[bool]:
    """For each event, whether it fits every filter of the webhook.

    Tags and families count as they are and as they were just before; only changed images have fields.
    """
    family: dict[str, str] = {}
    if webhook.families:
        family = families({name for event in events for name in _names(event)})
    return [
        fits([event.source], webhook.sources)
        and fits([event.type], webhook.types)
        and fits(event.data.get("changed") or (), webhook.fields)
        and fits(_tags(event), webhook.tags)
        and fits([family.get(name, name) for name in _names(event)], webhook.families)
        for event in events
    ]


def _names(event: Event) -> list[str]:
    return [name for name in (event.data.get("name"), _before(event, "name")) if isinstance(name, str)]


def _tags(event: Event) -> list[str]:
    before = _before(event, "tags")
    tags = [*(event.data.get("tags") or ()), *(before if isinstance(before, list) else ())]
    return [tag for tag in tags if isinstance(tag, str)]


def _before(event: Event, key: str) -> object:
    """The value that a changed key had; None for one that did not change."""
    values = (event.data.get("changed") or {}).get(key)
    return values[0] if isinstance(values, list) and values else None
