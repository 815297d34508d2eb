"""`catalog daemon`: scheduled sweeps until it is told to stop (semantics 6).

    main thread     waits for signals, and does nothing that may hang
    watch           asks the database every few seconds what is due soon, and makes jobs of it
    scheduler       APScheduler: fires the jobs on time, one per source, in a pool of `parallel_sources` threads
    webhooks        asks every second which have something to be told of, a thread for each that has
    projects        finds out which sources `projects = "*"` stands for
    health          /healthz, /readyz, /metrics

`sources.next_due_at` says what is due, for all daemons; jobs are its next few seconds, kept in memory.
Whoever gets the lease of a due source sweeps it; the others find it busy, or due later.
"""

from __future__ import annotations

import dataclasses
import gc
import logging
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from datetime import UTC, datetime, timedelta
from functools import partial
from itertools import product
from typing import Any
from urllib.parse import urlsplit

import structlog
from apscheduler.executors.pool import ThreadPoolExecutor
from apscheduler.schedulers.background import BackgroundScheduler

from catalog import __version__
from catalog.config.settings import Settings, SourceSettings
from catalog.daemon.health import HealthServer, Probe
from catalog.daemon.metrics import OUTCOMES, Counts, Metrics, read, schema_is_current
from catalog.daemon.notify import notify, watchdog_seconds
from catalog.daemon.schedule import ChangesClaim, Schedule, ScheduledClaim
from catalog.daemon.source_registry import Projects, SourceRegistry
from catalog.daemon.webhooks import Webhooks
from catalog.errors import CatalogError, DatabaseError, DatabaseUnavailable, SchemaError
from catalog.model import RunResult
from catalog.store.db import schema
from catalog.store.db.connection import Connection, Database, clock
from catalog.store.maintenance.source_removal import drop_unread
from catalog.store.state import due_sources, sources
from catalog.sync.changes_only import sweep_changes
from catalog.sync.sweep import sweep

log = structlog.get_logger("catalog.daemon")

POLL_SECONDS = 2.0
"""Seconds between two questions for what is due."""
LONGEST_RETRY_SECONDS = 10.0
"""Seconds between two attempts to reach a database that is unavailable, at most."""
REST_SECONDS = 30.0
"""Seconds that a source rests after a failure that left no row in the ledger."""
STOPPING_SECONDS = 6.0
"""Seconds that sweeps get to end once they were told to."""
DELIVERY_STOPPING_SECONDS = 1.0
"""Seconds that deliveries get after that."""
SHUTDOWN_SECONDS = 8.0
"""Seconds after which a stopping daemon ends, whatever hangs: open transactions are rolled back."""
SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
FAR_POLL_SECONDS = 10.0
"""Seconds between two looks at sources whose next run is further away than usual."""
DELAY_SECONDS = 0.02
"""Seconds that a job comes after the database's time, so that it is never too early."""
LOGGED = (
    "source", "run_id", "outcome", "listed", "inserted", "updated", "deleted", "restored", "rejected", "held",
)  # fmt: skip
"""Columns of `runs` that the log shows of each."""


def serve(load: Callable[[], Settings]) -> int:
    """Runs the daemon in the main thread; `load` reads the configuration, at the start and at SIGHUP.

    Returns 0 after SIGTERM or SIGINT, within ten seconds. Raises ConfigurationError for a configuration or an
    address that can't be used, SchemaError for a database at an older schema: nothing was written then.
    """
    # Blocked, they wait until `sigwaitinfo` takes them: no handler runs in the middle of something.
    signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
    # Our own lines say what happened to a job.
    logging.getLogger("apscheduler").setLevel(logging.CRITICAL)
    settings = load()
    with ExitStack() as stack:
        daemon = Daemon(settings, stack)
        notify("READY=1")  # waiting for the database is its work too
        if daemon.wait_for_database(load):
            daemon.start()
            while (received := daemon.wait_for_signal()) == signal.SIGHUP:
                daemon.reload(load)
            notify("STOPPING=1")
            daemon.stop(received)
    return 0


def _next_signal(seconds: float | None = None) -> signal.Signals | None:
    """The next signal sent to us; None if none came within this time."""
    found = signal.sigwaitinfo(SIGNALS) if seconds is None else signal.sigtimedwait(SIGNALS, seconds)
    return signal.Signals(found.si_signo) if found is not None else None


class Daemon:
    """One daemon process. `stack` closes what it opens."""

    def __init__(self, settings: Settings, stack: ExitStack) -> None:
        self.settings = settings
        self.stopping = threading.Event()
        self.counts = Counts()
        self.registry = SourceRegistry.of(settings)
        self.projects = Projects(settings, self.stopping, self._renew)
        self._wake = threading.Event()
        self._lock = threading.Condition()
        self._under_way: dict[str, str] = {}
        """Names of sources that are being swept, with the cloud of each."""
        self._resting: dict[str, float] = {}
        self._complete_only: set[str] = set()
        """Sources whose service can't be asked for changes alone."""
        self._trouble: str | None = None
        self._aligned: SourceRegistry | None = None
        self._far_again = 0.0
        self._looked = time.monotonic()
        # First of all the address, so that one in use is told before anything is started or written.
        self.health = HealthServer(settings.http_bind, self._check_ready, lambda: self._metrics.text())
        self.database = stack.enter_context(
            # each sweep needs two connections: its own, and one that keeps its lease
            Database(settings.database, pool_size=2 * settings.parallel_sources + 2)
        )
        if self.database.embedded:
            schema.require(self.database)
        # Databases of their own, so that neither a scrape nor a webhook waits for the sweeps' connections.
        address = self.database.libpq_url if self.database.embedded else settings.database.url
        same = dataclasses.replace(settings.database, url=address)
        asked = stack.enter_context(Database(same, pool_size=1))
        told = stack.enter_context(Database(same, pool_size=2))
        self.webhooks = Webhooks(
            told, settings.webhooks, self.stopping, self._database_lost, self._database_found
        )
        self._schema = Probe(lambda: schema_is_current(asked))
        self._metrics = Metrics(Probe(lambda: read(asked)).ask, self.counts, self.webhooks.failures)
        stack.enter_context(self.health)

    def _check_ready(self) -> None:
        if not self._schema.ask():
            raise SchemaError("the database's schema is older than this release; run `catalog db upgrade`")

    def wait_for_database(self, load: Callable[[], Settings]) -> bool:
        """True once the database answers with a schema that serves; False if it is told to stop before.

        Raises SchemaError for an older schema, or none.
        """
        required = Probe(lambda: schema.require(self.database))
        pause = 1.0
        while True:
            try:
                required.ask()
            except DatabaseError as error:
                self._database_lost(error)
            else:
                self._database_found()
                return True
            notify("WATCHDOG=1")
            received = _next_signal(pause)
            if received == signal.SIGHUP:
                self.reload(load)
            elif received is not None:
                return False
            pause = min(2 * pause, LONGEST_RETRY_SECONDS)

    def wait_for_signal(self) -> signal.Signals:
        """The next signal; until then tells systemd's watchdog that what is due is still looked for."""
        limit = watchdog_seconds()
        while (received := _next_signal(limit and limit / 4)) is None:
            if limit and time.monotonic() - self._looked < limit / 2:
                notify("WATCHDOG=1")
        return received

    def start(self) -> None:
        self._scheduler: Any = BackgroundScheduler(
            executors={"default": ThreadPoolExecutor(self.settings.parallel_sources)},
            job_defaults={"coalesce": True, "max_instances": 1, "misfire_grace_time": None},
            timezone=UTC,
        )
        with suppress(DatabaseError):  # away again: they are met once it is back
            self.webhooks.meet()
        self._renew()
        for note in self.settings.notes:
            log.warning(note)
        self._scheduler.start()
        threading.Thread(target=self._watch, name="watch", daemon=True).start()
        threading.Thread(target=self.projects.watch, name="projects", daemon=True).start()
        threading.Thread(target=self.webhooks.watch, name="webhooks", daemon=True).start()
        log.info(
            "daemon started",
            version=__version__,
            database=self.database.safe_url,
            http=self.health.address,
            sources=len(self.registry.sources),
            parallel_sources=self.settings.parallel_sources,
            webhooks=len(self.settings.webhooks),
        )

    def reload(self, load: Callable[[], Settings]) -> None:
        """Takes over the sources of the configuration as it is now; a broken one changes nothing."""
        try:
            settings = load()
            SourceRegistry.of(settings)
        except Exception as error:
            log.error("configuration refused, the old one stays", reason=str(error))
            return
        if (settings.database, settings.parallel_sources) != (
            self.settings.database, self.settings.parallel_sources,
        ):  # fmt: skip
            log.warning("database and parallel_sources of the new configuration need a restart")
        self.projects.take(settings)
        self.webhooks.take(settings.webhooks)
        log.info("configuration read again", sources=len(self.registry.sources))

    def _renew(self) -> None:
        """The configuration or a cloud's list of projects is another."""
        self.registry = self.projects.registry
        self.counts.know(product(self.registry.sources, OUTCOMES))
        self._wake.set()

    def stop(self, received: signal.Signals | None) -> None:
        """No new sweeps; those under way end after their page. Returns when they did, or after STOPPING_SECONDS."""
        threading.Thread(target=self._end_at_last, name="last moment", daemon=True).start()
        self.stopping.set()
        self._wake.set()
        with self._lock:
            log.info(
                "stopping",
                signal=received.name if received else None,
                under_way=", ".join(sorted(self._under_way)),
            )
            self._scheduler.shutdown(wait=False)
            self._lock.wait_for(lambda: not self._under_way, timeout=STOPPING_SECONDS)
        self.webhooks.end(DELIVERY_STOPPING_SECONDS)
        log.info("stopped")

    def _end_at_last(self) -> None:
        time.sleep(SHUTDOWN_SECONDS)
        log.error("shutdown timed out", under_way=", ".join(sorted(self._under_way)))
        os._exit(0)

    # --- due sources

    def _watch(self) -> None:
        pause = 1.0
        while not self.stopping.is_set():
            self._wake.clear()
            self._looked = time.monotonic()
            wait = POLL_SECONDS
            try:
                self._look()
                self._database_found()
                pause = 1.0
            except DatabaseError as error:
                self._database_lost(error)
                wait, pause = pause, min(2 * pause, LONGEST_RETRY_SECONDS)
            except Exception:
                log.exception("due sources could not be read")
            self._wake.wait(wait)

    def _look(self) -> None:
        """Makes jobs of what is due before the next look but one."""
        if not schema_is_current(self.database):
            self._scheduler.remove_all_jobs()
            raise DatabaseError("its schema is older than this release; run `catalog db upgrade`")
        registry = self.registry
        if registry is not self._aligned:
            self.database.transact(partial(_announce, registry=registry))
            self.database.transact(partial(_align, schedules=registry.schedules))
            for name in (self._aligned.sources.keys() if self._aligned else set()) - registry.sources.keys():
                # a cloud that could not be asked, and is one source per region; one under way goes at its end
                drop_unread(self.database, name, due=True)
            self._aligned = registry
        with self.database.transaction() as connection:
            due = due_sources.due_sources(connection, registry.sources)
        for name in registry.sources:
            entry = due.get(name, due_sources.NEW)
            changes_in = None if name in self._complete_only else entry.changes_in
            if entry.due_in is None or entry.busy:
                continue
            if entry.due_in < 2 * POLL_SECONDS:
                self._add_job(self._sweep, name, entry.due_in)
            elif changes_in is not None and changes_in < 2 * POLL_SECONDS:
                self._add_job(self._sweep_changes, name, changes_in)
        plans = registry.schedules
        far = [name for name, entry in due.items() if (entry.due_in or 0.0) > plans[name].usual_wait]
        if far and time.monotonic() >= self._far_again:
            # not at each look: for most of the year a crontab of January alone is as far away
            self.database.transact(partial(_align, schedules={name: plans[name] for name in far}))
            self._far_again = time.monotonic() + FAR_POLL_SECONDS

    def _add_job(self, work: Callable[[str], None], name: str, due_in: float) -> None:
        rest = self._resting.get(name, 0.0) - time.monotonic()
        delay = timedelta(seconds=max(due_in, rest, 0.0) + DELAY_SECONDS)
        # One that still waits for a thread of the pool is not run twice: max_instances.
        self._scheduler.add_job(
            work,
            "date",
            run_date=datetime.now(UTC) + delay,
            args=[name],
            id=name,
            replace_existing=True,
        )

    # --- one sweep

    def _sweep(self, name: str) -> None:
        def work(source: SourceSettings) -> None:
            claim = ScheduledClaim(lambda: self.registry.schedule_of(source))
            self._tell(sweep(self.database, source, stop=self.stopping, claim=claim), claim)

        self._work(name, work)

    def _sweep_changes(self, name: str) -> None:
        def work(source: SourceSettings) -> None:
            if source.changes_interval is not None:
                claim = ChangesClaim(source.changes_interval)
                self._tell_changes(sweep_changes(self.database, source, stop=self.stopping, claim=claim))

        self._work(name, work)

    def _work(self, name: str, work: Callable[[SourceSettings], None]) -> None:
        """One sweep of a source, if it is its turn, and a rest after what no sweep could tell."""
        source = self.registry.sources.get(name)
        if source is None or self.stopping.is_set():
            return  # it left the configuration since the job was made
        with self._working(source) as admitted:
            if not admitted:
                return  # still due: it gets its turn once a sweep of its cloud has ended
            try:
                try:
                    work(source)
                finally:
                    if name not in self.registry.sources:  # since the sweep began
                        drop_unread(self.database, name, due=True)
            except DatabaseUnavailable as error:
                self._database_lost(error)
            except Exception as error:
                self._resting[name] = time.monotonic() + REST_SECONDS
                if isinstance(error, CatalogError):
                    log.error(
                        "sweep not possible", source=name, reason=str(error), retry_seconds=REST_SECONDS
                    )
                else:
                    log.exception("sweep crashed (bug)", source=name, retry_seconds=REST_SECONDS)
            else:
                self._resting.pop(name, None)
        gc.collect()  # the command line makes Python look for cycles seldom; a sweep's are not kept for the next

    @contextmanager
    def _working(self, source: SourceSettings) -> Iterator[bool]:
        """False if sweeps of its cloud take all threads but one, and other clouds' sources need that one."""
        cloud, name = _cloud(source), source.name
        shared = any(_cloud(other) != cloud for other in self.registry.sources.values())
        with self._lock:
            taken = list(self._under_way.values()).count(cloud)
            admitted = not shared or taken < max(1, self.settings.parallel_sources - 1)
            if admitted:
                self._under_way[name] = cloud
        try:
            yield admitted
        finally:
            if admitted:
                with self._lock:
                    del self._under_way[name]
                    self._lock.notify_all()

    def _tell_changes(self, run: RunResult) -> None:
        values = {"scope": run.scope, **{name: getattr(run, name) for name in LOGGED}}
        if not run.supported:
            self._complete_only.add(run.source)
            log.warning("complete sweeps alone", source=run.source, reason=run.note)
        elif run.outcome in ("partial", "failed"):
            log.warning("sweep", **values, error_kind=run.error_kind, reason=run.error)
        elif run.inserted + run.updated + run.deleted + run.restored + run.rejected:
            log.info("sweep", **values)

    def _tell(self, run: RunResult, claim: ScheduledClaim) -> None:
        if run.outcome == "busy":
            log.debug("left to another process", source=run.source)
            return
        self.counts.add(run.source, run.outcome)
        due = claim.due_at.isoformat(timespec="seconds") if claim.due_at else None
        values = {name: getattr(run, name) for name in LOGGED} | {"next_due_at": due}
        if run.outcome == "complete":
            # somebody must decide about what is held
            (log.warning if run.held else log.info)("sweep", **values)
        else:
            values |= {"error_kind": run.error_kind, "reason": run.error, "failures": claim.failures}
            log.warning("sweep", **values)
            rest = self.registry.schedules[run.source].back_off(claim.failures) if due else 0
            if rest:
                log.warning(
                    "source keeps failing, it is swept less often",
                    source=run.source, failures=claim.failures, back_off_seconds=rest, next_due_at=due,
                )  # fmt: skip
        self._wake.set()

    # --- the database unavailable

    def _database_lost(self, error: DatabaseError) -> None:
        """Logged once, however many threads notice it and however often they try."""
        with self._lock:
            news, self._trouble = self._trouble is None, str(error)
        if news:
            log.error("database unavailable, retrying until it is back", reason=str(error))

    def _database_found(self) -> None:
        with self._lock:
            news, self._trouble = self._trouble is not None, None
        if news:
            log.info("database is back")


def _cloud(source: SourceSettings) -> str:
    """The cloud of a source, whose sources may be slow together: its entry in clouds.yaml, else the host."""
    return source.cloud or urlsplit(source.endpoint or "").netloc


def _announce(connection: Connection, *, registry: SourceRegistry) -> None:
    """Records what is new, and warns of sources that look at the same images."""
    for source in registry.sources.values():
        expected = registry.schedules[source.name].expected_seconds
        sources.announce(connection, source.name, source.kind, source.cloud, expected)
    for names in sources.same_services(connection):
        log.warning("sources look at one endpoint, region and project", sources=names)


def _align(connection: Connection, *, schedules: Mapping[str, Schedule]) -> None:
    """Brings forward what is due earlier by this configuration and clock than by those that set it."""
    now = clock(connection)
    for name, plan in schedules.items():
        due_sources.align(connection, name, plan.next_due(now, now), plan.latest(now), plan.expected_seconds)
        changes = None if plan.changes is None else now + timedelta(seconds=plan.changes)
        due_sources.align_changes(connection, name, changes)
