"""The same work on several sources at once, and the choice of the sources."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from typing import TypeVar

from catalog.cli.failures import say_warning
from catalog.config.selection import fits, fitting, select_sources
from catalog.config.settings import (
    PLACEHOLDER,
    REGION,
    Settings,
    SourceSettings,
    as_one_source,
    configured_source,
)
from catalog.errors import CatalogError, ConfigurationError
from catalog.fetch.auth.login import expand_projects
from catalog.store.db.connection import Connection
from catalog.store.state.sources import same_services

T = TypeVar("T")
R = TypeVar("R")
EMBEDDED_SOURCES = 16
"""Sources at once on the embedded server: each may need two of its 50 connections, other processes some."""


def workers(settings: Settings, sources: int) -> int:
    """The number of sources that are worked on at a time."""
    most = settings.parallel_sources
    if settings.database.url is None:
        most = min(most, EMBEDDED_SOURCES)
    return max(1, min(most, sources))


def side_by_side(work: Callable[[T], R], items: Sequence[T], at_once: int) -> Iterator[R]:
    """Results in the order in which they come. `work` must not raise."""
    with ThreadPoolExecutor(at_once, thread_name_prefix="source") as pool:
        for future in as_completed([pool.submit(work, item) for item in items]):
            yield future.result()


def choose(
    settings: Settings, patterns: Sequence[str]
) -> tuple[tuple[SourceSettings, ...], dict[str, CatalogError]]:
    """The sources that the globs pick, templates resolved; and the failures, by a source's name.

    A project's source whose name is taken is a failure of the entry with `projects = "*"`. Only clouds whose
    sources may be meant are asked for their projects and regions. Raises ConfigurationError for a glob that fits
    nothing.
    """
    configured = settings.sources
    if not any(source.is_template for source in configured):
        return select_sources(configured, patterns), {}
    meant = [source for source in configured if not source.is_template or _may_fit(source, patterns)]
    expansion = expand_projects(meant)
    for source in configured:
        error = expansion.failures.get(source.name)
        alone = as_one_source(source)
        if error is None or alone is None or not fits([alone.name], patterns):
            continue
        # its own sweep fails like that, and is on record
        alone = dataclasses.replace(alone, failure=error)
        del expansion.failures[source.name]
        expansion = dataclasses.replace(expansion, sources=(*expansion.sources, alone))
    if expansion.failures:
        # a glob may have meant sources of a cloud that can't be asked: that cloud's failure says so
        names = [source.name for source in expansion.sources]
        known = [
            p
            for p in patterns
            if fitting(names, p)
            or not any(_may_fit(one, [p]) for one in meant if one.name in expansion.failures)
        ]
        if not names or (patterns and not known):
            return (), expansion.failures
        patterns = known
    failures = dict(expansion.failures)
    for one in expansion.left_out:
        if fits([one.name], patterns):
            reasons = [str(failures[one.entry])] if one.entry in failures else []
            failures[one.entry] = ConfigurationError("; ".join([*reasons, one.reason]))
    return select_sources(expansion.sources or configured, patterns), failures


def warn_of_same_services(connection: Connection, settings: Settings) -> None:
    """Says which recorded sources double each other, and the way out."""
    for names in same_services(connection):
        left = [name for name in names if configured_source(settings, name) is None] or names
        say_warning(
            f"{', '.join(names)} look at one endpoint, region and project, so each image counts {len(names)} times;"
            f" run `catalog sources remove {left[0]}` unless you need both"
        )


def _may_fit(template: SourceSettings, patterns: Sequence[str]) -> bool:
    """True if a glob could fit a name made from `template`, judged by the beginnings of both."""
    start = re.split(f"{re.escape(PLACEHOLDER)}|{re.escape(REGION)}", template.name)[0]
    for pattern in patterns:
        literal = pattern[: min((pattern.find(c) for c in "*?[" if c in pattern), default=len(pattern))]
        if start.startswith(literal) or literal.startswith(start):
            return True
    return not patterns
