"""The choice of sources by globs, also where a cloud must be asked for its projects."""

from __future__ import annotations

from pathlib import Path

import pytest

from catalog.cli.side_by_side import choose, side_by_side, workers
from catalog.config.settings import DatabaseSettings, Settings, SourceSettings
from catalog.errors import ConfigurationError, UsageError

FILE = DatabaseSettings(url=None, data_dir=Path())
SERVER = DatabaseSettings(url="postgresql://db/x", data_dir=Path())


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """Two plain sources, and one of a cloud that cannot be reached, with a source for each project."""
    (tmp_path / "clouds.yaml").write_text(
        "clouds:\n  away:\n    auth: {auth_url: 'http://127.0.0.1:9/v3', username: u, password: p, "
        "project_name: a, user_domain_name: d, project_domain_name: d}\n"
    )
    monkeypatch.chdir(tmp_path)
    starred = SourceSettings("away/{project}", "glance", cloud="away", all_projects=True)
    plain = [SourceSettings(name, "glance", endpoint="http://x", auth="none") for name in ("lab", "otc/a")]
    return Settings(SERVER, (*plain, starred))


def names(sources: tuple[SourceSettings, ...]) -> list[str]:
    return [source.name for source in sources]


def test_a_cloud_that_is_not_meant_is_not_asked(settings: Settings) -> None:
    chosen, failures = choose(settings, ["lab"])
    assert (names(chosen), failures) == (["lab"], {})


def test_a_cloud_that_cannot_be_asked_fails_alone(settings: Settings) -> None:
    chosen, failures = choose(settings, [])
    assert names(chosen) == ["lab", "otc/a"]
    assert list(failures) == ["away/{project}"]


def test_a_project_of_a_cloud_that_cannot_be_asked_is_that_clouds_failure(settings: Settings) -> None:
    """Not an unknown name: nobody can know."""
    chosen, failures = choose(settings, ["away/web", "lab"])
    assert (names(chosen), list(failures)) == (["lab"], ["away/{project}"])
    chosen, failures = choose(settings, ["away/*"])
    assert (names(chosen), list(failures)) == ([], ["away/{project}"])


def test_a_name_that_fits_none_is_refused(settings: Settings) -> None:
    for patterns in (["nope"], ["lab", "nope"], ["nope", "away/*"]):
        with pytest.raises(UsageError, match="'nope'"):
            choose(settings, patterns)


def test_without_any_source_the_way_out_is_told() -> None:
    with pytest.raises(ConfigurationError, match="OS_CLOUD"):
        choose(Settings(SERVER, ()), [])


def test_results_come_for_every_item() -> None:
    assert sorted(side_by_side(lambda number: number * 2, range(20), 3)) == [n * 2 for n in range(20)]


def test_no_more_at_once_than_configured_nor_than_the_embedded_server_bears() -> None:
    assert workers(Settings(SERVER, (), parallel_sources=200), 100) == 100
    assert workers(Settings(SERVER, (), parallel_sources=4), 100) == 4
    assert workers(Settings(FILE, (), parallel_sources=200), 100) == 16
    assert workers(Settings(SERVER, ()), 0) == 1
