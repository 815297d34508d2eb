"""Messages: some events of one sweep as one request to a webhook."""

from __future__ import annotations

import html
import json
import threading
import time
import uuid
from collections.abc import Sequence
from typing import Any

from catalog.config.settings import WebhookSettings
from catalog.events import cloudevents, signature
from catalog.events.cloudevents import envelope
from catalog.events.sentences import sentence
from catalog.fetch.http.post import PostAnswer, post
from catalog.fingerprint import fingerprint
from catalog.store.state.events import Event

MOST_EVENTS = 500
"""Events of one request."""
MOST_BYTES = 1 << 20
"""Of its body, unless one event alone has more."""
MOST_LINES = 20
"""Events that a message to a chat room tells one by one; more are counted."""
TEST_TYPE = "catalog.webhook.test"


def size(event: Event) -> int:
    """About how many bytes it adds to a body."""
    return len(json.dumps(event.data)) + 500


def send(webhook: WebhookSettings, events: Sequence[Event], stop: threading.Event) -> PostAnswer:
    """Sends events of one sweep. A message has the same id, and the same body, however often it is sent.

    Raises ConfigurationError for a secret that can't be used, and whatever `post` raises.
    """
    return _send(webhook, [envelope(event) for event in events], [sentence(event) for event in events], stop)


def send_test(webhook: WebhookSettings, now: str, stop: threading.Event) -> PostAnswer:
    """Sends an event that tells nothing, of type TEST_TYPE. Raises like `send`."""
    event = {
        "specversion": "1.0", "id": str(uuid.uuid4()), "source": "/webhooks", "type": TEST_TYPE, "time": now,
        "datacontenttype": "application/json", "data": {"webhook": webhook.name},
    }  # fmt: skip
    return _send(
        webhook, [event], [f"A test of webhook {webhook.name}: events of the catalog come here."], stop
    )


def _send(
    webhook: WebhookSettings, envelopes: list[dict[str, Any]], lines: list[str], stop: threading.Event
) -> PostAnswer:
    content: object = envelopes
    content_type = cloudevents.CONTENT_TYPE
    if webhook.format == "slack":
        content, content_type = {"text": chat_text(lines)}, "application/json; charset=utf-8"
    body = json.dumps(content, ensure_ascii=False).encode("utf-8", "replace")
    headers = {
        "Content-Type": content_type,
        **signature.headers(signature.secret_of(webhook), _id(envelopes), int(time.time()), body),
    }
    return post(webhook.url, body, headers, webhook.deadline, stop)


def _id(envelopes: list[dict[str, Any]]) -> str:
    """Of the events alone, so that a receiver knows a message that it took already."""
    return f"msg_{fingerprint(' '.join(str(one['id']) for one in envelopes).encode()).hex()}"


def chat_text(lines: Sequence[str]) -> str:
    """Lines as a chat room takes them: nobody can be called by an image's name."""
    shown = list(lines[:MOST_LINES])
    if len(lines) > MOST_LINES:
        shown.append(f"and {len(lines) - MOST_LINES} more; see `catalog events`")
    return html.escape("\n".join(shown), quote=False)
