"""Which sources a daemon sweeps while its configuration and its clouds' projects change."""

from __future__ import annotations

import dataclasses
import json
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import structlog

from catalog.config.settings import DatabaseSettings, Settings, SourceSettings
from catalog.daemon.source_registry import Projects, SourceRegistry
from catalog.errors import ConfigurationError
from tests.identity import PASSWORD, IdentityService

OTHER = SourceSettings(name="other", kind="glance", endpoint="http://127.0.0.1:9", auth="none", interval=60)
MARKED = SourceSettings(
    name="meadow/{project}", kind="glance", cloud="meadow", region="north", all_projects=True, interval=300
)


def settings(*sources: SourceSettings) -> Settings:
    return Settings(DatabaseSettings(None, Path("/nowhere")), sources)


@pytest.fixture
def identity(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[IdentityService]:
    """An identity service with two projects that its user may enter, and the clouds.yaml that names it."""
    service = IdentityService()
    auth = {"auth_url": service.url, "username": "ann", "password": PASSWORD, "user_domain_name": "Default"}
    auth |= {"project_name": "hay", "project_domain_name": "Default"}
    clouds = tmp_path / "clouds.yaml"
    clouds.write_text(json.dumps({"clouds": {"meadow": {"auth": auth, "region_name": "north"}}}))
    monkeypatch.setenv("OS_CLIENT_CONFIG_FILE", str(clouds))
    with service.running():
        yield service


class Watched:
    """Projects, watched in a thread as the daemon does."""

    def __init__(self, *sources: SourceSettings) -> None:
        self.changes = 0
        self.stopping = threading.Event()
        self.projects = Projects(settings(*sources), self.stopping, self._changed)
        self._thread = threading.Thread(target=self.projects.watch)
        self._thread.start()

    def _changed(self) -> None:
        self.changes += 1

    @property
    def names(self) -> list[str]:
        return sorted(self.projects.registry.sources)

    def until(self, true: Callable[[], bool]) -> None:
        ends = time.monotonic() + 30
        while not true():
            assert time.monotonic() < ends, self.names
            time.sleep(0.02)

    def end(self) -> None:
        self.stopping.set()
        self.projects.take(settings(OTHER))  # wakes it
        self._thread.join()


@pytest.fixture
def watch() -> Iterator[Callable[..., Watched]]:
    watched: list[Watched] = []

    def begin(*sources: SourceSettings) -> Watched:
        watched.append(Watched(*sources))
        return watched[-1]

    yield begin
    for one in watched:
        one.end()


def test_each_project_becomes_a_source_with_the_schedule_of_its_template(
    identity: IdentityService, watch: Callable[..., Watched]
) -> None:
    watched = watch(MARKED, OTHER)
    watched.until(lambda: watched.names == ["meadow/hay", "meadow/straw", "other"])
    schedules = watched.projects.registry.schedules
    assert schedules["meadow/hay"].expected_seconds == 300
    assert schedules["other"].expected_seconds == 60


def test_projects_follow_the_cloud_when_the_configuration_is_read_again(
    identity: IdentityService, watch: Callable[..., Watched]
) -> None:
    watched = watch(MARKED, OTHER)
    watched.until(lambda: len(watched.names) == 3)
    identity.projects = identity.projects[1:]
    watched.projects.take(settings(MARKED, OTHER))
    watched.until(lambda: watched.names == ["meadow/straw", "other"])
    watched.projects.take(settings(OTHER))
    assert watched.names == ["other"]


def test_a_cloud_that_cannot_be_asked_keeps_its_sources_and_leaves_the_others_alone(
    identity: IdentityService, watch: Callable[..., Watched]
) -> None:
    watched = watch(MARKED, OTHER)
    watched.until(lambda: len(watched.names) == 3)
    identity.password = "another"
    asked = len(identity.logins)
    watched.projects.take(settings(MARKED, dataclasses.replace(OTHER, name="another")))
    watched.until(lambda: len(identity.logins) > asked)
    assert watched.names == ["another", "meadow/hay", "meadow/straw"]


def test_a_source_of_the_very_name_beats_a_project_and_the_log_says_so_once(
    identity: IdentityService, watch: Callable[..., Watched]
) -> None:
    """Or two clouds would take turns in deleting each other's images."""
    taken = dataclasses.replace(OTHER, name="meadow/hay")
    with structlog.testing.capture_logs() as logged:
        watched = watch(MARKED, taken)
        watched.until(lambda: watched.names == ["meadow/hay", "meadow/straw"])
        asked = len(identity.logins)
        watched.projects.take(settings(MARKED, taken))
        watched.until(lambda: len(identity.logins) > asked)
        watched.until(lambda: watched.names == ["meadow/hay", "meadow/straw"])
    assert watched.projects.registry.sources["meadow/hay"] == taken
    (line,) = [line for line in logged if line["event"] == "source left out"]
    assert line["source"] == "meadow/{project}"
    assert "'meadow/hay'" in line["reason"]


def test_a_user_that_may_enter_no_project_is_logged(
    identity: IdentityService, watch: Callable[..., Watched]
) -> None:
    identity.projects = []
    with structlog.testing.capture_logs() as logged:
        watched = watch(MARKED, OTHER)
        watched.until(lambda: any("may enter no project" in line.get("reason", "") for line in logged))
    assert watched.names == ["other"]


def test_a_configuration_without_a_change_changes_nothing(watch: Callable[..., Watched]) -> None:
    nightly = dataclasses.replace(OTHER, cron="30 2 * * *", timezone="Europe/Berlin")
    watched = watch(nightly)
    watched.projects.take(settings(nightly))
    assert watched.changes == 0


def test_a_configuration_without_sources_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="no source is configured"):
        SourceRegistry.of(settings())
