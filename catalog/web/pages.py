"""The pages: what people look at."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Any

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute, Route

from catalog.config.selection import select_names
from catalog.events import atom
from catalog.events.cursor import places
from catalog.events.filters import chosen_types
from catalog.report.compare import compare
from catalog.report.html import make_page
from catalog.report.images import ORDERS, STATES, count_images, page_of_images, values_of
from catalog.report.one_image import show_image
from catalog.report.page_data import change_fields, sources_of
from catalog.report.pages import page_of_changes, page_of_history
from catalog.report.queries import CHANGES
from catalog.report.sources import asked_sources, matching_sources
from catalog.store.db.connection import Connection
from catalog.store.state import events as log
from catalog.web import api, cursors, parameters
from catalog.web.answers import Answer, answer, page
from catalog.web.cache import Cache
from catalog.web.endpoint import Asked, Show, endpoint
from catalog.web.parameters import Parameter
from catalog.web.reading import Reader
from catalog.web.templates import address
from catalog.web.timeline import draw

FACET_VALUES = 12
"""Values of a facet that are shown, the most frequent ones."""
FACETS = {
    "source": "Source",
    "os": "System",
    "state": "State",
    "tag": "Tag",
    "capability": "Capability",
    "owner": "Owner",
}
MANY = ("tag", "capability")
"""Facets of which several values can be chosen: an image must have all of them."""
MOST_DIFFERENCES = 1000
MOST_MARKS = 500
"""Revisions in a timeline."""
REPORT_POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; frame-ancestors 'none'"
"""The report stands alone: its styles are in it."""

Question = dict[str, list[str]]


def routes(reader: Reader, cache: Cache) -> list[BaseRoute]:
    shown: tuple[tuple[str, Show, Sequence[Parameter]], ...] = (
        ("/images", images, parameters.IMAGES),
        ("/images/{source_id}/{image_id}", image, parameters.NONE),
        ("/changes", changes, parameters.CHANGED),
        ("/changes.atom", feed, parameters.FEED),
        ("/compare", comparison, parameters.COMPARE),
        ("/sources", sources, parameters.NONE),
        ("/report", report, parameters.SOURCES),
    )
    found: list[BaseRoute] = [
        Route(path, endpoint(reader, None if show is sources else cache, show, known))
        for path, show, known in shown
    ]
    return [Route("/", _home), *found]


def _home(request: Request) -> Response:
    return RedirectResponse("/images", HTTPStatus.FOUND)


def question_of(request: Request) -> Question:
    """The question as it stands in the address, without the place in its answer."""
    question: Question = {}
    for name, value in request.query_params.multi_items():
        if value and name != "after":
            question.setdefault(name, []).append(value)
    return question


def images(connection: Connection, asked: Asked, request: Request) -> Answer:
    wanted = api.image_filter(asked)
    values = values_of(connection, wanted)
    found = page_of_images(connection, wanted, asked["limit"], asked["after"], values)
    is_all = found.next is None and asked["after"] is None and wanted.as_of is None
    counts = count_images(connection, wanted, FACET_VALUES, found if is_all else None, values)
    question = question_of(request)
    return page(
        request,
        "images",
        images=found.images,
        total=counts.total,
        about="about " if counts.estimated else "",
        next=_next(question, cursors.IMAGES.render(found.next)),
        is_first=asked["after"] is None,
        facets=[_facet(name, counts.facets.get(name, []), question) for name in FACETS if counts.total],
        chosen=_chosen(question),
        question=question,
        asked=asked,
        orders=ORDERS,
        known_states=STATES,
        sortable=_sortable(question, asked["sort"]),
        known=bool(matching_sources(connection)),
    )


def _next(question: Question, after: str | None) -> str | None:
    return None if after is None else address("", question | {"after": [after]})


def _facet(name: str, counts: Sequence[tuple[str, int | None]], question: Question) -> dict[str, Any]:
    """A facet's values, each with the address that asks for it too; a count of None was not counted."""
    chosen = question.get(name, [])
    if name == "state" and not counts and "as_of" not in question:
        counts = [(state, None) for state in STATES]
    values = []
    for value, count in counts:
        wanted = [*chosen, value] if name in MANY else [value]
        values.append(
            {
                "label": value.replace("_", " ") if name == "state" else value,
                "count": count,
                "is_chosen": value in chosen,
                "address": address("/images", question | {name: wanted}),
            }
        )
    is_cut = len(values) == FACET_VALUES and name != "state"
    return {"name": name, "title": FACETS[name], "values": values, "is_full": is_cut}


def _chosen(question: Question) -> list[dict[str, str]]:
    """The conditions that were chosen, each with the address that leaves it out."""
    found = []
    for name, values in question.items():
        if name in ("sort", "limit"):
            continue
        for place, value in enumerate(values):
            left = [*values[:place], *values[place + 1 :]]
            found.append(
                {"name": name, "value": value, "address": address("/images", question | {name: left})}
            )
    return found


def _sortable(question: Question, sort: str) -> dict[str, dict[str, str]]:
    """By column, the address that sorts by it (again: the other way round), and how it is sorted now."""
    found = {}
    for name in ORDERS:
        now = {name: "ascending", f"-{name}": "descending"}.get(sort, "none")
        turned = f"-{name}" if now == "ascending" else name
        found[name] = {"address": address("/images", question | {"sort": [turned]}), "now": now}
    return found


def image(connection: Connection, asked: Asked, request: Request) -> Answer:
    found = api.found_image(connection, request)
    whole = show_image(connection, found, explain=True)
    revisions, more = page_of_history(connection, found.source_id, found.image_id, MOST_MARKS)
    now = datetime.now(UTC)
    timeline = draw(whole["status_periods"], revisions, now.replace(second=0, microsecond=0))
    parts = {
        "tags", "capabilities", "properties", "status_periods", "changes", "lineage", "other_sources", "explanation",
    }  # fmt: skip
    columns = {name: value for name, value in whole.items() if name not in parts and value is not None}
    return page(
        request,
        "image",
        image=whole,
        columns=columns,
        sizes=("size", "virtual_size", "image_size", "size_bytes"),
        timeline=timeline,
        has_more_marks=more is not None,
        source_ids=_source_ids(connection),
    )


def _source_ids(connection: Connection) -> dict[str, str]:
    """Keys of all sources, by their names."""
    return dict(connection.execute("SELECT name, source_id FROM sources").fetchall())


def changes(connection: Connection, asked: Asked, request: Request) -> Answer:
    rows, place = page_of_changes(connection, **asked)
    question = question_of(request)
    feed_question = {"source": question.get("source", [])}
    return page(
        request,
        "changes",
        changes=[row | {"fields": change_fields(row["changed"])} for row in rows],
        next=_next(question, cursors.CHANGES.render(place)),
        is_first=asked["after"] is None,
        question=question,
        known_changes=CHANGES,
        known_sources=matching_sources(connection),
        since=asked["since"],
        feed=address("/changes.atom", feed_question),
    )


def feed(connection: Connection, asked: Asked, request: Request) -> Answer:
    types = chosen_types(asked["type"])
    found = log.newest(connection, places(connection, asked["source"], {}), atom.MOST_ENTRIES, types)
    return answer(atom.feed(found), "application/atom+xml")


def comparison(connection: Connection, asked: Asked, request: Request) -> Answer:
    ids = _source_ids(connection)
    known = sorted(ids)
    found, sides = None, {}
    if asked["a"] is not None:
        found = compare(connection, asked["a"], asked["b"], from_=asked["from"], to=asked["to"]).dicts()
        for side, pattern in (("a", asked["a"]), ("b", asked["b"] or asked["a"])):
            sides[side] = ids[select_names(known, [pattern])[0]]
    return page(
        request,
        "compare",
        known_sources=known,
        question=question_of(request),
        asked=asked,
        differences=found and found[:MOST_DIFFERENCES],
        sides=sides,
        count=None if found is None else len(found),
    )


def sources(connection: Connection, asked: Asked, request: Request) -> Answer:
    now = datetime.now(UTC)
    rows = sources_of(connection, matching_sources(connection), now)
    return page(request, "sources", sources=rows, now=now.replace(second=0, microsecond=0))


def report(connection: Connection, asked: Asked, request: Request) -> Answer:
    patterns = asked["source"] and asked_sources(connection, asked["source"])
    text = make_page(connection, now=datetime.now(UTC), sources=patterns, home="/images")
    return answer(text, "text/html", Content_Security_Policy=REPORT_POLICY)
