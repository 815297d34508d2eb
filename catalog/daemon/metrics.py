"""The answer to Prometheus: gauges taken from the database at each scrape, and the runs that this process ended.

So gauges are right after a restart, and the same from every daemon of a database.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from prometheus_client import CollectorRegistry, Metric, ProcessCollector, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily

from catalog import __version__
from catalog.errors import CatalogError
from catalog.store.db import schema
from catalog.store.db.connection import Database
from catalog.store.state import webhooks
from catalog.store.state.due_sources import SourceHealth, health

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
STATEMENT_SECONDS = 3
"""A scrape that needs more than this is given up by the database."""
OUTCOMES = ("complete", "partial", "failed")
GAUGES = {
    "last_complete": (
        "catalog_source_last_complete_timestamp_seconds",
        "When the last complete sweep was observed, or ended after the clock was ahead; absent if there was none.",
    ),
    "last_changes": (
        "catalog_source_last_changes_timestamp_seconds",
        "When the last changes-only sweep that read all that is new observed.",
    ),
    "expected_seconds": (
        "catalog_source_expected_interval_seconds",
        "Longest regular time between two sweeps.",
    ),
    "held": (
        "catalog_deletions_held",
        "Deletions that the limit holds back, waiting for `catalog deletions`.",
    ),
    "rejected": ("catalog_rejected_records", "Records of the last sweep that could not be stored as images."),
    "run_seconds": ("catalog_run_duration_seconds", "How long the last sweep took."),
}
"""By attribute of a source's health, the gauge that shows it and what that means."""


@dataclass(frozen=True, slots=True)
class Reading:
    """The database at one moment. `schema_current`: it serves this release; else the rest is empty."""

    schema_current: bool
    sources: Sequence[SourceHealth] = ()
    waiting: Mapping[str, int] = field(default_factory=dict)
    """Events that each webhook was not told of."""


def read(database: Database) -> Reading:
    """Raises DatabaseError."""
    if not schema_is_current(database):
        return Reading(False)
    with database.transaction(read_only=True) as connection:
        connection.execute(f"SET LOCAL statement_timeout = '{STATEMENT_SECONDS}s'")
        waiting = {name: state.waiting for name, state in webhooks.states(connection).items()}
        return Reading(True, health(connection), waiting)


def schema_is_current(database: Database) -> bool:
    """True if the database's schema is at least this release's. Raises DatabaseError."""
    with database.transaction() as connection:
        connection.execute(f"SET LOCAL statement_timeout = '{STATEMENT_SECONDS}s'")
        have = schema.version(connection)
    return have is not None and have >= schema.head()


class Counts:
    """What happened in this process, counted by labels; thread-safe."""

    def __init__(self) -> None:
        self._counts: Counter[tuple[str, ...]] = Counter()
        self._lock = threading.Lock()

    def know(self, known: Iterable[tuple[str, ...]]) -> None:
        """Labels of today's configuration: their counters begin at 0, others' are forgotten."""
        with self._lock:
            self._counts = Counter({labels: self._counts[labels] for labels in sorted(known)})

    def add(self, *labels: str) -> None:
        with self._lock:
            self._counts[labels] += 1

    def items(self) -> list[tuple[tuple[str, ...], int]]:
        with self._lock:
            return list(self._counts.items())


class Metrics:
    """A collector for prometheus_client. `ask` gives the database's reading, or raises CatalogError; `runs` are counted
    by source and outcome, `failures` of deliveries by webhook."""

    def __init__(self, ask: Callable[[], Reading], runs: Counts, failures: Counts) -> None:
        self._ask = ask
        self._runs = runs
        self._failures = failures
        self._registry = CollectorRegistry(auto_describe=False)
        self._registry.register(self)
        ProcessCollector(registry=self._registry)

    def text(self) -> bytes:
        return generate_latest(self._registry)

    def collect(self) -> Iterator[Metric]:
        build = GaugeMetricFamily("catalog_build_info", "1: this release runs.", labels=["version"])
        build.add_metric([__version__], 1)
        yield build
        runs = CounterMetricFamily(
            "catalog_runs", "Sweeps that this process ended.", labels=["source", "outcome"]
        )
        for labels, count in self._runs.items():
            runs.add_metric(labels, count)
        yield runs
        failures = CounterMetricFamily(
            "catalog_webhook_failures",
            "Requests to webhooks that failed, sent by this process.",
            labels=["webhook"],
        )
        configured = self._failures.items()
        for labels, count in configured:
            failures.add_metric(labels, count)
        yield failures
        try:
            reading = self._ask()
        except CatalogError:
            yield GaugeMetricFamily("catalog_database_up", "1: the database answers.", value=0)
            return
        yield GaugeMetricFamily("catalog_database_up", "1: the database answers.", value=1)
        yield GaugeMetricFamily(
            "catalog_schema_current",
            "1: the database's schema is at least the one that this release needs.",
            value=float(reading.schema_current),
        )
        if reading.schema_current:
            yield from _gauges(reading.sources)
            backlog = GaugeMetricFamily(
                "catalog_webhook_backlog", "Events that a webhook was not told of yet.", labels=["webhook"]
            )
            for (name,), _ in configured:
                backlog.add_metric([name], reading.waiting.get(name, 0))
            yield backlog


def _gauges(sources: Sequence[SourceHealth]) -> Iterator[Metric]:
    for attribute, (name, text) in GAUGES.items():
        family = GaugeMetricFamily(name, text, labels=["source"])
        for source in sources:
            if (number := getattr(source, attribute)) is not None:
                family.add_metric([source.name], number)
        yield family
    failing = GaugeMetricFamily(
        "catalog_source_failing",
        "1: the last sweep was not complete, for a reason of this kind.",
        labels=["source", "error_kind"],
    )
    images = GaugeMetricFamily(
        "catalog_images",
        "Images ever seen, each in one state: live and listed, unlisted (live, but not listed), or deleted.",
        labels=["source", "state"],
    )
    for source in sources:
        failing.add_metric([source.name, source.error_kind if source.failing else ""], source.failing)
        states = {
            "live": source.live - source.unlisted,
            "unlisted": source.unlisted,
            "deleted": source.deleted,
        }
        for state, count in states.items():
            images.add_metric([source.name, state], count)
    yield failing
    yield images
