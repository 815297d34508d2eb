"""The sources that a daemon sweeps, and their schedules, with each cloud asked for its projects and regions."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import structlog

from catalog.config.selection import select_sources
from catalog.config.settings import Settings, SourceSettings, as_one_source
from catalog.daemon.schedule import Schedule
from catalog.errors import CatalogError
from catalog.fetch.auth.login import LeftOut, expand, unite

log = structlog.get_logger("catalog.daemon")

ASK_EVERY_SECONDS = 3600.0
"""Seconds after which a cloud is asked again which projects there are."""
ASK_AGAIN_SECONDS = 60.0
"""Seconds after which a cloud that could not be asked is asked again."""


@dataclass(frozen=True, slots=True)
class SourceRegistry:
    """Sources and schedules by name; never changed, only replaced."""

    sources: dict[str, SourceSettings]
    schedules: dict[str, Schedule]
    left_out: tuple[LeftOut, ...] = ()

    @classmethod
    def of(
        cls, settings: Settings, found: Mapping[str, Sequence[SourceSettings]] | None = None
    ) -> SourceRegistry:
        """`found`: what each template stands for, by its name.

        Raises ConfigurationError without any source, or for a schedule that can't be kept.
        """
        schedules = {source.name: Schedule.of(source) for source in select_sources(settings.sources)}
        united, left_out = unite(settings.sources, found or {})
        sources = {source.name: source for source in united}
        return cls(
            sources,
            {name: schedules.get(name) or Schedule.of(source) for name, source in sources.items()},
            left_out,
        )

    def schedule_of(self, source: SourceSettings) -> Schedule:
        """By today's configuration; the source's own if it has left it."""
        return self.schedules.get(source.name) or Schedule.of(source)


class Projects:
    """Keeps the registry up to date with the configuration and with what clouds say of their projects.

    `changed` is called whenever `registry` was replaced. A cloud that can't be asked keeps its sources.
    """

    def __init__(self, settings: Settings, stopping: threading.Event, changed: Callable[[], None]) -> None:
        self.registry = SourceRegistry.of(settings)
        self._settings = settings
        self._stopping = stopping
        self._changed = changed
        self._found: dict[str, tuple[SourceSettings, ...]] = {}
        self._failed: dict[str, str] = {}
        self._lock = threading.Lock()
        self._wake = threading.Event()

    def take(self, settings: Settings) -> None:
        """A configuration was read again."""
        with self._lock:
            self._settings = settings
            self._rebuild()
        self._wake.set()

    def watch(self) -> None:
        """Asks the clouds until the daemon stops; runs in a thread of its own."""
        while not self._stopping.is_set():
            self._wake.clear()
            self._ask()
            self._wake.wait(ASK_AGAIN_SECONDS if self._failed else ASK_EVERY_SECONDS)

    def _ask(self) -> None:
        templates = [source for source in self._settings.sources if source.is_template]
        for template in templates:
            if self._stopping.is_set():
                return
            try:
                self._found[template.name] = expand(template)
                self._failed.pop(template.name, None)
            except Exception as error:
                what, reason = "cloud could not be asked for its sources", str(error)
                if not isinstance(error, CatalogError):
                    log.exception(what, source=template.name)
                elif self._failed.get(template.name) != reason:
                    log.warning(what, source=template.name, reason=reason)
                self._failed[template.name] = reason
                if alone := as_one_source(template):
                    self._found.setdefault(template.name, (alone,))
        if templates:
            with self._lock:
                self._rebuild()

    def _rebuild(self) -> None:
        names = [source.name for source in self._settings.sources if source.is_template]
        self._found = {name: self._found[name] for name in names if name in self._found}
        self._failed = {name: self._failed[name] for name in names if name in self._failed}
        registry = SourceRegistry.of(self._settings, self._found)
        if registry != self.registry:
            for one in registry.left_out:
                if one not in self.registry.left_out:
                    log.warning("source left out", source=one.entry, reason=one.reason)
            self.registry = registry
            self._changed()
