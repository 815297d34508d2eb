"""An event as CloudEvents 1.0 describes it, in JSON."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

from catalog.store.state.events import Event
from catalog.text import utc

CONTENT_TYPE = "application/cloudevents-batch+json; charset=utf-8"


def envelope(event: Event) -> dict[str, Any]:
    """The event as a CloudEvent; the same whenever it is read, unless its source was renamed meanwhile.

    `source` names the source, so `source` and `id` together are unique, as CloudEvents asks; `id` alone is, too.
    """
    named = {
        "specversion": "1.0",
        "id": event.id,
        "source": f"/sources/{quote(event.source)}",
        "type": event.type,
        "subject": event.subject,
        "time": utc(event.time),
        "datacontenttype": "application/json",
        "runid": event.run_id,
        "sequence": f"{event.number:020d}",
    }
    return without_nothing(named) | {"data": {"source": event.source} | without_nothing(event.data)}


def without_nothing(data: dict[str, Any]) -> dict[str, Any]:
    """Leaves out what is NULL in the tables."""
    return {key: value for key, value in data.items() if value is not None}
