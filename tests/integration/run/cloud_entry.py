"""A cloud of clouds.yaml as a running sweep finds it: its entry, its password and its tokens change meanwhile."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from catalog.config.settings import SourceSettings
from catalog.demo.answers import Request
from tests.identity import PASSWORD, IdentityService, service_entry
from tests.support.cloud_server import Exchange
from tests.support.faults import status
from tests.support.world import Site


@dataclass
class CloudEntry:
    """The cloud "meadow" in clouds.yaml and secure.yaml of a folder."""

    folder: Path
    identity: IdentityService

    def write(self, password: str | None = PASSWORD, auth_url: str | None = None, **entry: Any) -> None:
        """`entry`: keys beside `auth`, without those that are None; `project_id` goes into it."""
        auth = {
            "auth_url": auth_url or self.identity.url,
            "username": "ann",
            "user_domain_name": "Default",
            "project_id": entry.pop("project_id", "1" * 32),
        }
        secret = {} if password is None else {"password": password}
        whole = {key: value for key, value in {"region_name": "north", **entry}.items() if value is not None}
        whole["auth"] = auth
        # JSON is YAML.
        (self.folder / "secure.yaml").write_text(json.dumps({"clouds": {"meadow": {"auth": secret}}}))
        (self.folder / "clouds.yaml").write_text(json.dumps({"clouds": {"meadow": whole}}))

    def lead_to(self, site: Site, **settings: Any) -> Site:
        """The site is swept by way of this cloud from now on."""
        self.identity.catalogue = [
            service_entry("image", north=site.server.endpoint, south=site.server.endpoint)
        ]
        self.write()
        told = {
            "name": site.source.name,
            "kind": site.source.kind,
            "page_size": 2,
            "deadline": 20.0,
            **settings,
        }
        site.source = SourceSettings(cloud="meadow", **told)
        return site


def later_page(request: Request) -> bool:
    return "marker" in request.query


def lookup(request: Request) -> bool:
    return request.path.startswith("/v2/images/") or "id" in request.query


def expire(
    site: Site, when: Callable[[Request], bool], change: Callable[[], Any], times: int | None = 1
) -> None:
    """The service refuses the token at such requests, and meanwhile something changed."""

    def play(exchange: Exchange) -> None:
        change()
        status(401)(exchange)

    site.server.faults.add(play, when=when, times=times)
