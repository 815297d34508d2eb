"""Events as an Atom feed (RFC 4287), newest first."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from xml.etree import ElementTree

from catalog.events.sentences import sentence
from catalog.store.state.events import Event
from catalog.text import utc

NAMESPACE = "http://www.w3.org/2005/Atom"
MOST_ENTRIES = 500
_NOT_IN_XML = {0xFFFE: 0xFFFD, 0xFFFF: 0xFFFD}
"""Characters that XML leaves out, beside those that `sentence` escapes."""


def feed(events: Iterable[Event]) -> str:
    """The feed's text; `events` newest first."""
    entries = list(events)
    root = ElementTree.Element("feed", xmlns=NAMESPACE)
    _add(root, "id", "urn:catalog:events")
    _add(root, "title", "Changes of images")
    _add(root, "updated", utc(entries[0].time if entries else datetime.fromtimestamp(0, UTC)))
    _add(_add(root, "author"), "name", "catalog")
    for event in entries:
        entry = _add(root, "entry")
        _add(entry, "id", f"urn:catalog:event:{event.id}")
        _add(entry, "title", sentence(event))
        _add(entry, "updated", utc(event.time))
        _add(entry, "category").set("term", event.type)
        # of an entry without a link Atom wants its content
        _add(entry, "content", sentence(event)).set("type", "text")
    ElementTree.indent(root)
    return '<?xml version="1.0" encoding="utf-8"?>\n' + ElementTree.tostring(root, encoding="unicode") + "\n"


def _add(parent: ElementTree.Element, name: str, text: str | None = None) -> ElementTree.Element:
    element = ElementTree.SubElement(parent, name)
    element.text = text and text.translate(_NOT_IN_XML)
    return element
