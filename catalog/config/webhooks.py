"""`[[webhooks]]` of the file become `WebhookSettings`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from catalog.address import split_address
from catalog.config.selection import fitting
from catalog.config.settings import WebhookSettings
from catalog.config.toml import Duration, Place
from catalog.model import EVENT_TYPES

FILTERS = ("sources", "types", "fields", "tags", "families")
LONGEST_DEADLINE = 300
"""Seconds."""
LONGEST_NAME = 100
"""Characters."""


class WebhookTable(msgspec.Struct):
    name: str | None = None
    url: str | None = None
    format: str = "cloudevents"
    secret_env: str | None = None
    secret_file: str | None = None
    deadline: Duration = "10s"
    sources: list[str] = []
    types: list[str] = []
    fields: list[str] = []
    tags: list[str] = []
    families: list[str] = []


def read_webhooks(file: Place, tables: Sequence[dict[str, Any]]) -> tuple[WebhookSettings, ...]:
    """Raises ConfigurationError. No secret is read here, and no message holds a `url`: it may be one."""
    webhooks: list[WebhookSettings] = []
    for index, table in enumerate(tables):
        place = file.into(f"webhooks[{index}]")
        webhook = _webhook(place, place.convert(table, WebhookTable))
        if webhook.name in (other.name for other in webhooks):
            raise place.error("name", f"a unique name; {webhook.name!r} is the name of another webhook")
        webhooks.append(webhook)
    return tuple(webhooks)


def _webhook(place: Place, table: WebhookTable) -> WebhookSettings:
    name = table.name or ""
    if not (0 < len(name) <= LONGEST_NAME and name == name.strip() and name.isprintable()):
        raise place.error("name", f"a name of at most {LONGEST_NAME} characters, unique among the webhooks")
    if table.url is None or split_address(table.url) is None:
        raise place.error("url", 'an address such as "https://hooks.example.com/catalog"')
    if table.format not in ("cloudevents", "slack"):
        raise place.error("format", f'"cloudevents" or "slack"; found {table.format!r}')
    given = [key for key in ("secret_env", "secret_file") if getattr(table, key)]
    if len(given) > 1 or (not given and table.format == "cloudevents"):
        raise place.error("secret_env", "one of secret_env and secret_file, to sign what is sent")
    for pattern in table.types:
        if not fitting(EVENT_TYPES, pattern):
            raise place.error(
                "types", f"types of events, or globs: {', '.join(EVENT_TYPES)}; found {pattern!r}"
            )
    deadline = place.seconds("deadline", table.deadline)
    place.within("deadline", deadline, 0, LONGEST_DEADLINE)
    return WebhookSettings(
        name,
        table.url,
        "slack" if table.format == "slack" else "cloudevents",
        table.secret_env,
        place.path(table.secret_file) if table.secret_file else None,
        deadline,
        **{key: tuple(getattr(table, key)) for key in FILTERS},
    )
