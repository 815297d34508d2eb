"""From a source's settings to a connection: where its image service lives, how requests are signed."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from catalog.config.openstack import REGION_DOMAINS, ims_endpoint, knows_enterprise_projects
from catalog.config.settings import PLACEHOLDER, REGION, SourceSettings, of_region
from catalog.deadline import Deadline
from catalog.errors import CatalogError, ConfigurationError
from catalog.fetch.auth.aksk import AccessKey, AkskAuth
from catalog.fetch.http.connection import Connection, OriginAuth
from catalog.fetch.http.endpoint import service_root
from catalog.fetch.http.library import httpx
from catalog.fetch.http.proxies import ca_bundle, check_proxies
from catalog.files import configured_secret
from catalog.text import storable

EXPANSION_SECONDS = 60.0
"""How long one cloud may take to say which projects there are, if its deadline is not shorter."""


@dataclass(frozen=True, slots=True)
class Credential:
    """A login as `catalog sources --check` describes it. `expires_at` None: it has no end that is known."""

    project_id: str | None
    project_name: str | None
    region: str | None
    endpoint: str
    expires_at: datetime | None

    def seconds_left(self, now: datetime) -> float | None:
        return (self.expires_at - now).total_seconds() if self.expires_at else None


@dataclass(frozen=True, slots=True)
class LeftOut:
    """A project's source that is not swept, as its `name` is taken. `entry`: the name with `projects = "*"`."""

    name: str
    entry: str
    reason: str


@dataclass(frozen=True, slots=True)
class Expansion:
    """The sources with each `projects = "*"` replaced; `failures` by the name that could not be."""

    sources: tuple[SourceSettings, ...]
    failures: dict[str, CatalogError]
    left_out: tuple[LeftOut, ...] = ()


def connect(source: SourceSettings, deadline: Deadline) -> Connection:
    """Logs in. With auth "none", "token" and "aksk" nothing is sent yet.

    Raises ConfigurationError (also for a secret that is not there), LoginError, NetworkError, ThrottledError,
    UpstreamError, DeadlineError and Stopped.
    """
    check_proxies()
    if source.failure is not None:
        raise source.failure
    if source.all_projects:
        raise ConfigurationError(f"source {source.name!r}: its projects are not known yet")
    if source.auth == "cloud":
        return _with_parameters(source, _cloud_connection(source, deadline))
    endpoint = source.endpoint or _endpoint_of_region(source)
    service_root(endpoint)  # raises for what is not a URL
    auth: OriginAuth | None = None
    if source.auth == "token":
        auth = TokenAuth(endpoint, _secret(source, "token"))
    elif source.auth == "aksk":
        auth = AkskAuth(endpoint, source.project_id, _access_key(source))
    connection = Connection(
        endpoint,
        auth,
        verify=ca_bundle() or True,
        region=source.region,
        project_id=source.project_id,
    )
    return _with_parameters(source, connection)


def expand_projects(sources: Sequence[SourceSettings]) -> Expansion:
    """Asks each cloud with `projects = "*"` which projects its user may enter, and one without a region which regions
    it has: one source each.

    A cloud that can't be asked leaves the other sources alone.
    """
    found: dict[str, Sequence[SourceSettings]] = {}
    failures: dict[str, CatalogError] = {}
    for source in sources:
        if source.is_template:
            try:
                found[source.name] = expand(source)
            except CatalogError as error:
                failures[source.name] = error
    united, left_out = unite(sources, found)
    return Expansion(united, failures, left_out)


def expand(source: SourceSettings) -> tuple[SourceSettings, ...]:
    """The sources that a template stands for. Raises like `connect`, and LoginError if it stands for none."""
    check_proxies()
    sources = _project_sources(source) if source.all_projects else (source,)
    return _region_sources(sources) if source.all_regions else sources


def _region_sources(sources: tuple[SourceSettings, ...]) -> tuple[SourceSettings, ...]:
    """One source per region where the cloud has an image service in several, else the sources themselves.

    The first one's login is asked: what there is differs from region to region, not from project to project.
    """
    from catalog.fetch.auth.keystone import CloudLogin

    first = sources[0]
    regions = CloudLogin(first, Deadline(min(EXPANSION_SECONDS, first.deadline))).regions(first.kind)
    if len(regions) > 1:
        chosen = [first.region] if first.region else regions
        return tuple(of_region(source, region) for region in chosen for source in sources)
    if REGION not in first.name:
        return tuple(dataclasses.replace(source, all_regions=False) for source in sources)
    if not regions:
        raise ConfigurationError(
            f"cloud {first.cloud!r}: names no region; set `region`, or leave {REGION} out of the name"
        )
    return tuple(of_region(source, regions[0]) for source in sources)


def _project_sources(source: SourceSettings) -> tuple[SourceSettings, ...]:
    """One source for each project that the user of `projects = "*"` may enter, by name.

    Projects of one name get their id instead. Raises like `connect`, and LoginError if the user may enter none.
    """
    from catalog.fetch.auth.keystone import CloudLogin

    login = CloudLogin(source, Deadline(min(EXPANSION_SECONDS, source.deadline)))
    projects = sorted(login.enterable_projects(), key=lambda project: project[1])
    names = [name for _, name in projects]
    return tuple(
        dataclasses.replace(
            source,
            name=source.name.replace(PLACEHOLDER, name if names.count(name) == 1 else storable(project_id)),
            project=name,
            project_id=project_id,
            all_projects=False,
        )
        for project_id, name in projects
    )


def unite(
    sources: Sequence[SourceSettings], found: Mapping[str, Sequence[SourceSettings]]
) -> tuple[tuple[SourceSettings, ...], tuple[LeftOut, ...]]:
    """The sources with what was `found` instead of each `projects = "*"`; and what is left out.

    Names are unique, or two clouds would delete each other's images (docs/configuration.md): an entry of the very name
    comes first, then whichever stands first. An entry for one of the projects found only says how to sweep it.
    """
    owners = {source.name: (source.name, source) for source in sources if not source.is_template}
    united: list[SourceSettings] = []
    left_out: list[LeftOut] = []
    for source in sources:
        for one in found.get(source.name, ()) if source.is_template else ():
            entry, owner = owners.setdefault(one.name, (source.name, one))
            if owner is one:
                united.append(one)
            elif not _is_same_place(owner, one):
                what = f"project {one.project!r}" if source.all_projects else f"region {one.region!r}"
                reason = (
                    f"{what} is left out: its source would be called {one.name!r}, a name "
                    f"that the source {entry!r} has taken; change one of the two names"
                )
                left_out.append(LeftOut(one.name, source.name, reason))
        if not source.is_template:
            united.append(source)
    return tuple(united), tuple(left_out)


def _is_same_place(owner: SourceSettings, one: SourceSettings) -> bool:
    return (owner.kind, owner.cloud, owner.region) == (one.kind, one.cloud, one.region) and (
        owner.project_id == one.project_id or owner.project in (one.project, one.project_id)
    )


def describe_credential(connection: Connection) -> Credential:
    """Describes the login behind a connection; sends nothing that `connect` did not send."""
    auth = connection.auth
    return Credential(
        project_id=connection.project_id,
        project_name=auth.project_name() if auth else None,
        region=connection.region,
        endpoint=service_root(connection.endpoint)[1],
        expires_at=auth.expires_at() if auth else None,
    )


class TokenAuth(OriginAuth):
    """A ready-made token; read again when it is refused."""

    kind = "token"

    def __init__(self, endpoint: str, read: Callable[[], str]) -> None:
        super().__init__(endpoint)
        self._read = read
        self._token = read()
        self.remember_key(self._token)

    def sign(self, request: httpx.Request) -> None:
        request.headers["X-Auth-Token"] = self._token

    def renew(self) -> bool:
        before, self._token = self._token, self._read()
        self.remember_key(self._token)
        return self._token != before


def _cloud_connection(source: SourceSettings, deadline: Deadline) -> Connection:
    from catalog.fetch.auth.keystone import CloudLogin, KeystoneAuth

    login = CloudLogin(source, deadline)
    endpoint, region = login.endpoint(source.kind)
    service_root(endpoint)  # raises for an override that is not a URL
    return Connection(
        endpoint,
        KeystoneAuth(login, endpoint),
        verify=login.verify,
        certificate=login.client_certificate,
        region=storable(region),
        project_id=login.project_id(),
        proxy=login.proxy,
    )


def _with_parameters(source: SourceSettings, connection: Connection) -> Connection:
    """Without this parameter a user of enterprise projects sees the images of some of them only; a filter beats it in
    listings, but not where one image is looked up."""
    if source.kind == "ims" and knows_enterprise_projects(connection.endpoint):
        return dataclasses.replace(connection, extra_params={"enterprise_project_id": "all_granted_eps"})
    return connection


def _endpoint_of_region(source: SourceSettings) -> str:
    endpoint = ims_endpoint(source.region or "")
    if endpoint is None or source.kind != "ims":
        known = ", ".join(REGION_DOMAINS)
        raise ConfigurationError(
            f"source {source.name!r}: expected an endpoint, or a region of a known IMS ({known})"
        )
    return endpoint


def _access_key(source: SourceSettings) -> Callable[[], AccessKey]:
    access, secret = _secret(source, "access_key"), _secret(source, "secret_key")
    temporary = source.security_token_env is not None or source.security_token_file is not None
    security_token = _secret(source, "security_token") if temporary else None
    return lambda: AccessKey(access(), secret(), security_token() if security_token else None)


def _secret(source: SourceSettings, stem: str) -> Callable[[], str]:
    """Reads the secret again at each call: from `{stem}_env`, else from `{stem}_file`."""
    variable: str | None = getattr(source, f"{stem}_env")
    path: Path | None = getattr(source, f"{stem}_file")

    def read() -> str:
        value, place = configured_secret(f"source {source.name!r}", stem, variable, path)
        if not value:
            raise ConfigurationError(f"{place}: expected a secret, found nothing")
        if not (value.isascii() and value.isprintable()):
            raise ConfigurationError(f"{place}: expected printable ASCII on one line")
        return value

    return read
