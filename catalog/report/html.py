"""`catalog report --html FILE`: one page that stands alone, for people who look rather than query.

No script, no font, no request: marks are inline SVG and styled boxes that stretch with the page. Everything
that a cloud delivered is escaped, and characters that act or hide are shown as such.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import jinja2
from markupsafe import Markup

from catalog.report.charts import duration
from catalog.report.page_data import gather
from catalog.report.sources import matching_sources
from catalog.store.db.connection import Connection
from catalog.text import visible

TEMPLATE = "page.html.j2"


def make_page(
    connection: Connection,
    *,
    now: datetime,
    sources: Sequence[str] = (),
    home: str | None = None,
) -> str:
    """The page as of now, of the sources that the globs pick, else of all that are not retired; with a link to `home`.

    Raises UsageError for a glob that picks nothing.
    """
    names = matching_sources(connection, sources) if sources else None
    return render(gather(connection, now, names) | {"home": home})


def render(context: dict[str, Any]) -> str:
    """The page's HTML; everything that is put in is escaped, and unseen characters are shown."""
    return environment(Path(__file__).parent).get_template(TEMPLATE).render(context)


def environment(folder: Path) -> jinja2.Environment:
    """Templates of a folder, with the filters `moment`, `number` and `duration`."""

    def finalize(value: Any) -> Any:
        return visible(value) if isinstance(value, str) and not isinstance(value, Markup) else value

    made = jinja2.Environment(
        loader=jinja2.FileSystemLoader(folder),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        finalize=finalize,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters.update(moment=_moment, number=_number, duration=duration)
    return made


def _moment(value: datetime | None) -> str:
    return value.astimezone(UTC).strftime("%Y-%m-%d %H:%M") if value else "never"


def _number(value: Any) -> str:
    return f"{value:,}".replace(",", "\u202f")  # a narrow blank, as the standard for units asks
