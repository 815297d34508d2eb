"""The pages' templates."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

from catalog.report.html import environment
from catalog.report.terminal import json_line

FOLDER = Path(__file__).with_name("templates")


def image_address(source_id: str, image_id: str) -> str:
    return f"/images/{quote(source_id, safe='')}/{quote(image_id, safe='')}"


def address(path: str, question: dict[str, Any]) -> str:
    """The path with those parameters that ask for something."""
    pairs: list[tuple[str, str]] = []
    for name, value in question.items():
        values = value if isinstance(value, tuple | list) else [value]
        pairs += [(name, str(each)) for each in values if each not in (None, "", False)]
    return f"{path}?{urlencode(pairs)}" if pairs else path


def _second(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S")


_environment = environment(FOLDER)
_environment.filters.update(second=_second, tojson_text=json_line)
_environment.globals.update(image_address=image_address, address=address)


def render(template: str, **context: Any) -> str:
    """A page; everything that is put in is escaped, and unseen characters are shown."""
    return _environment.get_template(f"{template}.html.j2").render(context)
