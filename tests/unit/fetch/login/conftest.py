"""An identity service on loopback, and the clouds.yaml that names it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from catalog.config.settings import SourceSettings
from tests.identity import PASSWORD, IdentityService
from tests.unit.fetch.login.connecting import CloudsYaml


@pytest.fixture(autouse=True)
def bare_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder without clouds.yaml, and no wait between two tries."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("catalog.fetch.http.retry.Patience.wait", lambda self, failures: 0.0)


@pytest.fixture
def identity() -> Iterator[IdentityService]:
    with IdentityService().running() as service:
        yield service


@pytest.fixture
def cloud(identity: IdentityService, tmp_path: Path) -> CloudsYaml:
    """Writes clouds.yaml with one cloud, changed as asked, and secure.yaml with its password."""

    def write(entry: dict[str, Any] | None = None, **source: Any) -> SourceSettings:
        auth = {
            "auth_url": identity.url,
            "username": "ann",
            "project_name": "hay",
            "user_domain_name": "Default",
            "project_domain_name": "Default",
        }
        whole: dict[str, Any] = {"auth": auth, "region_name": "north", **(entry or {})}
        whole = {key: value for key, value in whole.items() if value is not None}
        # JSON is YAML.
        (tmp_path / "clouds.yaml").write_text(json.dumps({"clouds": {"meadow": whole}}))
        if "auth_type" not in whole:
            secure = {"clouds": {"meadow": {"auth": {"password": PASSWORD}}}}
            (tmp_path / "secure.yaml").write_text(json.dumps(secure))
        return SourceSettings(**({"name": "s", "kind": "glance", "cloud": "meadow"} | source))

    return write
