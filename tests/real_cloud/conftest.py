"""The real services, started once a session."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.real_cloud import services

REGION = "north"


@pytest.fixture(autouse=True)
def bare_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder without clouds.yaml."""
    monkeypatch.chdir(tmp_path)


@pytest.fixture(scope="session")
def real_glance(tmp_path_factory: pytest.TempPathFactory) -> Iterator[services.Glance]:
    """A real Glance without Keystone: a token `user:project:role,role` says itself who comes."""
    try:
        with services.glance(tmp_path_factory.mktemp("glance") / "data") as running:
            yield running
    except services.PythonMissing as missing:
        pytest.skip(str(missing))


@dataclass(frozen=True)
class Cloud:
    """A real Keystone and a real Glance that trusts it."""

    keystone: services.Keystone
    glance: services.Glance
    authtoken: dict[str, str]
    """Settings of a Glance that trusts this Keystone."""

    def offer(self, glance: services.Glance, region: str) -> list[str]:
        """Ids of the endpoints by which the catalogue offers a Glance in a region."""
        keystone = self.keystone
        services = keystone.request("GET", "/services?type=image")["services"]
        service = services[0]["id"] if services else keystone.create("service", name="glance", type="image")
        place = {"service_id": service, "url": glance.url, "region_id": region}
        return [keystone.create("endpoint", interface=name, **place) for name in ("public", "internal")]


@pytest.fixture(scope="session")
def real_cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cloud]:
    root = tmp_path_factory.mktemp("cloud")
    try:
        with services.keystone(root / "keystone", REGION) as keystone:
            user = keystone.create(
                "user", name="glance", password=services.GLANCE_PASSWORD, domain_id="default"
            )
            project = keystone.create("project", name="service", domain_id="default")
            keystone.grant(user, project, "admin", "service")
            authtoken = {
                "www_authenticate_uri": keystone.url,
                "auth_url": keystone.url,
                "auth_type": "password",
                "username": "glance",
                "password": services.GLANCE_PASSWORD,
                "project_name": "service",
                "user_domain_id": "default",
                "project_domain_id": "default",
                # A revoked token is refused at once, not minutes later.
                "token_cache_time": "-1",
            }
            with services.glance(root / "glance", authtoken) as glance:
                cloud = Cloud(keystone, glance, authtoken)
                cloud.offer(glance, REGION)
                yield cloud
    except services.PythonMissing as missing:
        pytest.skip(str(missing))
