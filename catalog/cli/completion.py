"""Shell completion: names of sources, reports and images. It prints no message and never fails."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import wraps
from typing import TYPE_CHECKING

import click
from click.shell_completion import CompletionItem

from catalog.errors import CatalogError

if TYPE_CHECKING:
    from catalog.cli.invocation import Invocation

MOST_IMAGES = 50
"""Images that are offered at a time."""

Completer = Callable[[click.Context, click.Parameter, str], list[CompletionItem]]


def _offered(find: Callable[[click.Context, str], Iterator[CompletionItem]]) -> Completer:
    """Returns what `find` found before anything went wrong: completion shows no errors."""

    @wraps(find)
    def complete(context: click.Context, _: click.Parameter, incomplete: str) -> list[CompletionItem]:
        items: list[CompletionItem] = []
        with suppress(CatalogError, OSError):
            items.extend(find(context, incomplete))
        return items

    return complete


@_offered
def source_names(context: click.Context, incomplete: str) -> Iterator[CompletionItem]:
    """Sources of the configuration and of the database."""
    from catalog.store.state.sources import matching

    invocation = _invocation(context)
    names = {source.name for source in invocation.settings.sources if not source.is_template}
    with suppress(CatalogError), invocation.reading() as connection:
        names |= {source.name for source in matching(connection, ())}
    yield from (CompletionItem(name) for name in sorted(names) if name.startswith(incomplete))


@_offered
def report_names(context: click.Context, incomplete: str) -> Iterator[CompletionItem]:
    """Reports, with what they answer."""
    from catalog.report.queries import QUERIES

    for query in QUERIES:
        if query.name.startswith(incomplete):
            yield CompletionItem(query.name, help=query.help)


@_offered
def image_names(context: click.Context, incomplete: str) -> Iterator[CompletionItem]:
    """Ids that begin so, or names, of live images; an id is offered with its image's name."""
    from catalog.report.find import beginning_with

    with _invocation(context).reading() as connection:
        for image_id, name in beginning_with(connection, incomplete, MOST_IMAGES):
            if image_id.startswith(incomplete):
                yield CompletionItem(image_id, help=name)
            elif name is not None:
                yield CompletionItem(name)


def _invocation(context: click.Context) -> Invocation:
    """The options before the command; the program itself was not called."""
    from catalog.cli.invocation import Invocation

    given = context.find_root().params
    return Invocation(given.get("config"), given.get("database_url"), -1)
