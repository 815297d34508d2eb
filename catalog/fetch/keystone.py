"""A cloud of clouds.yaml: logging in by keystoneauth1, finding the image service, reading project names.

keystoneauth1 knows every login type, the catalogue and its dialects; openstacksdk's loader knows where
people keep them. Here they become an `httpx.Auth` for the image service, bounded by a sweep's budget.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Generator, Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any, TypeVar

import httpx

from catalog.clouds import first_line, ims_domain, ims_endpoint, open_clouds, unknown_cloud
from catalog.errors import ConfigurationError, LoginError
from catalog.fetch.aksk import origin
from catalog.fetch.errand import Errand, Sent
from catalog.fetch.keystone_errors import Attempt
from catalog.fetch.retries import Patience, TryAgain
from catalog.fetch.surroundings import ca_bundle
from catalog.model import Budget, SourceKind
from catalog.settings import SourceSettings

if TYPE_CHECKING:
    from keystoneauth1.access import AccessInfo
    from openstack.config.cloud_region import CloudRegion

T = TypeVar("T")

SERVICE_TYPES: dict[SourceKind, tuple[str, ...]] = {"glance": ("image",), "ims": ("imsv2", "ims", "image")}
"""Names of the image service in a catalogue, the best first."""
SECRETS = ("password", "secret", "token", "passcode", "client_secret", "access_token", "oauth_access_secret")
PROJECT_KEYS = ("project_id", "project_name", "tenant_id", "tenant_name")
APPLICATION_CREDENTIAL = "v3applicationcredential"
WRONG_ANSWERS = (ValueError, KeyError, TypeError, AttributeError, OSError)
"""What comes of a body that no identity service would send."""
TIMEOUT = 30.0
"""Seconds that the identity service may be silent."""


class CloudLogin:
    """One login to one cloud for one project and region; used again until the image service refuses it.

    Building it reads the configuration, and sends nothing. Its methods raise ConfigurationError, LoginError,
    NetworkError, ThrottledError, UpstreamError, DeadlineError and Stopped.
    """

    def __init__(self, source: SourceSettings, budget: Budget) -> None:
        assert source.cloud is not None
        self._source = source
        self._cloud = source.cloud
        self._budget = budget
        self._lock = threading.Lock()
        self._headers: dict[str, str] | None = None
        self._access: AccessInfo | None = None
        self._open()

    def _open(self) -> None:
        import urllib3
        from keystoneauth1.session import Session

        self.entry = _entry(self._source)
        config: dict[str, Any] = self.entry.config
        plugin = self.entry.get_auth()
        if plugin is None:
            raise ConfigurationError(f"cloud {self._cloud!r}: expected auth in clouds.yaml")
        verify, self.client_certificate = self.entry.get_requests_verify_args()
        bundle = ca_bundle(config.get("cacert")) if verify else None
        self.verify: bool | str = (bundle or True) if verify else False
        self.proxy: str | None = config.get("proxy")
        auth: dict[str, Any] = config.get("auth") or {}
        self.auth_url = str(auth.get("auth_url") or "").rstrip("/")
        self._attempt = Attempt(
            cloud=self._cloud,
            auth_url=self.auth_url,
            trusted=bundle,
            secrets=tuple(str(auth[key]) for key in SECRETS if auth.get(key)),
        )
        timeout = min(
            TIMEOUT, float(config.get("api_timeout") or TIMEOUT), max(0.1, self._budget.remaining())
        )
        # A redirect could carry the password to another host.
        self._session = Session(
            auth=plugin, verify=self.verify, cert=self.client_certificate, timeout=timeout, redirect=False
        )
        if not self.verify:
            urllib3.disable_warnings(urllib3.exceptions.InsecureRequestWarning)  # asked for in clouds.yaml
        if self.proxy:
            self._session.session.proxies = {"http": self.proxy, "https": self.proxy}
        self._plugin = plugin

    def headers(self) -> dict[str, str]:
        """The headers that carry the credential; logs in the first time."""
        with self._lock:
            if self._headers is None:
                self._headers = self._log_in()
            return self._headers

    def renew(self) -> bool:
        """Reads the configuration again and logs in anew. True: there are other headers to try."""
        with self._lock:
            before = self._headers
            self._session.close()
            try:
                self._open()
            except ConfigurationError as error:  # in mid-listing, what was right at the start
                raise LoginError(str(error)) from None
            self._headers = self._log_in()
            return self._headers != before

    def _log_in(self) -> dict[str, str]:
        from keystoneauth1.identity.base import BaseIdentityPlugin

        plugin = self._plugin
        headers: Mapping[str, str] | None = self._ask(lambda: plugin.get_headers(self._session))
        self._access = plugin.auth_ref if isinstance(plugin, BaseIdentityPlugin) else None
        return dict(headers or {})

    def access(self) -> AccessInfo | None:
        """What the identity service granted; None where the login needs none (`none`, `http_basic`)."""
        self.headers()
        return self._access

    def scoped_access(self) -> AccessInfo | None:
        """`access`, tied to a project (or, for operators, to a domain or the system)."""
        access = self.access()
        if access is None or access.project_scoped or access.domain_scoped or access.system_scoped:
            return access
        if access.has_service_catalog():
            return access  # which the identity service gives with a scope alone
        raise LoginError(
            f"{self._attempt.where}: the token is not tied to a project; "
            "set project_name (with its domain) or project_id in clouds.yaml, or `project` of the source"
        )

    def endpoint(self, kind: SourceKind) -> tuple[str, str | None]:
        """(address, region) of the image service: set in clouds.yaml, in the catalogue, or by its pattern."""
        access = self.scoped_access()
        region = self.entry.get_region_name() or None
        for service_type in SERVICE_TYPES[kind]:
            if override := self.entry.config.get(f"{service_type}_endpoint_override"):
                return str(override), region
        if access is None:
            if address := self.entry.get_endpoint("image"):
                return address, region
            raise ConfigurationError(
                f"cloud {self._cloud!r}: expected image_endpoint_override in clouds.yaml, "
                "as this login brings no catalogue"
            )
        catalogue = access.service_catalog.normalize_catalog() if access.has_service_catalog() else []
        for service_type in SERVICE_TYPES[kind]:
            endpoints = [
                endpoint
                for service in catalogue
                if service["type"] == service_type
                for endpoint in service["endpoints"]
                if endpoint.get("url")
            ]
            if endpoints:
                return self._choose(endpoints, region)
        if kind == "ims" and region and (address := ims_endpoint(region, self.auth_url)):
            return address, region
        offered = ", ".join(sorted({str(service["type"]) for service in catalogue})) or "nothing"
        raise LoginError(
            f"{self._attempt.where}: no image service in the project's catalogue (it offers {offered}); "
            "set image_endpoint_override in clouds.yaml"
        )

    def _choose(self, endpoints: list[dict[str, Any]], region: str | None) -> tuple[str, str | None]:
        wanted = self.entry.get_interface("image") or "public"
        interfaces = [name.removesuffix("URL") for name in ([wanted] if isinstance(wanted, str) else wanted)]
        regions = sorted({str(endpoint["region_name"]) for endpoint in endpoints if endpoint["region_name"]})
        if region is None and len(regions) > 1:
            raise ConfigurationError(
                f"cloud {self._cloud!r}: expected a region of the source, one of {', '.join(regions)}"
            )
        here = [one for one in endpoints if region is None or one["region_name"] in (region, None, "")]
        if not here:
            raise ConfigurationError(
                f"cloud {self._cloud!r}: expected a region with an image service, not {region!r}; "
                f"known: {', '.join(regions)}"
            )
        for interface in interfaces:
            for endpoint in here:
                if str(endpoint["interface"]).removesuffix("URL") == interface:
                    return str(endpoint["url"]), region or endpoint["region_name"] or None
        offered = ", ".join(sorted({str(endpoint["interface"]) for endpoint in here}))
        raise ConfigurationError(
            f"cloud {self._cloud!r}: expected an interface that the catalogue offers ({offered}), "
            f"not {' or '.join(interfaces)!r}"
        )

    def enterable_projects(self) -> list[tuple[str, str]]:
        """(id, name) of the projects that the user may enter; where IMS is, those of the region alone."""
        if self.entry.config.get("auth_type") == APPLICATION_CREDENTIAL:
            raise ConfigurationError(_bound_to_project(self._cloud))
        region = self.entry.get_region_name()
        of_region = bool(region) and ims_domain(self.auth_url) is not None
        return [
            (project["id"], project["name"])
            for project in self._projects("/auth/projects")
            # There a project is named after its region: eu-de, eu-de_team.
            if not of_region or f"{project['name']}_".startswith(f"{region}_")
        ]

    def project_names(self) -> list[tuple[str, str, str | None]]:
        """(id, name, domain's name) of all projects if this user may list them, else of the user's own."""
        access = self.access()
        if access is None:
            return []
        domains = {
            access.project_domain_id: access.project_domain_name,
            access.user_domain_id: access.user_domain_name,
        }
        try:
            projects = self._projects("/projects")
        except LoginError:  # the list of all is for administrators
            projects = self._projects("/auth/projects")
        return [(one["id"], one["name"], domains.get(one.get("domain_id"))) for one in projects]

    def _projects(self, path: str) -> list[dict[str, Any]]:
        base = self.auth_url if self.auth_url.endswith("/v3") else f"{self.auth_url}/v3"
        answer: Any = self._ask(
            lambda: self._session.get(base + path, headers={"Accept": "application/json"}).json()
        )
        projects = answer.get("projects") if isinstance(answer, dict) else None
        if not isinstance(projects, list):
            raise LoginError(f"{self._attempt.where}: no list of projects at {path}; check auth_url")
        return [
            project
            for project in projects
            if isinstance(project, dict)
            and isinstance(project.get("id"), str)
            and isinstance(project.get("name"), str)
            and project.get("enabled", True)
        ]

    def _ask(self, work: Callable[[], T]) -> T:
        """Runs what talks to the identity service: within the budget, and again where that may help."""
        patience = Patience()
        tries = 0
        while True:
            errand = Errand(self._budget)
            errand.check()
            try:
                return Sent(lambda: self._told(work), errand, self._session.close).result()
            except TryAgain as again:
                tries += 1
                wait = again.after or patience.wait(tries)
                if tries >= patience.attempts or wait >= self._budget.remaining():
                    raise again.error from None
                errand.sleep(wait)

    def _told(self, work: Callable[[], T]) -> T:
        from keystoneauth1.exceptions import ClientException, RetriableConnectionFailure

        try:
            return work()
        except (*WRONG_ANSWERS, ClientException, RetriableConnectionFailure) as error:
            raise self._attempt.told(error) from None
        except Exception as error:
            if type(error) is not Exception:
                raise  # a fault of ours
            raise self._attempt.told(error) from None


class KeystoneAuth(httpx.Auth):
    """Puts a cloud login's headers on requests to the image service's origin, and on no other."""

    def __init__(self, login: CloudLogin, endpoint: str) -> None:
        self._login = login
        self._origin = origin(httpx.URL(endpoint))

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        if origin(request.url) == self._origin:
            request.headers.update(self._login.headers())
        yield request

    def renew(self) -> bool:
        return self._login.renew()

    def expires_at(self) -> datetime | None:
        """When the token ends; None where nothing is known of it."""
        access = self._login.access()
        expires: datetime | None = access.expires if access is not None else None
        return expires

    def project_name(self) -> str | None:
        access = self._login.access()
        return access.project_name if access is not None else None


def _entry(source: SourceSettings) -> CloudRegion:
    """The cloud's entry for the source's region, project and interface, its secrets read anew."""
    from keystoneauth1 import exceptions as login_exceptions
    from openstack import exceptions, warnings

    clouds = open_clouds()
    cloud = source.cloud or ""
    if cloud not in clouds.cloud_config["clouds"]:
        raise ConfigurationError(f"expected {unknown_cloud(cloud, clouds.get_cloud_names())}")
    entry = clouds.cloud_config["clouds"][cloud]
    _set_project(entry, source)
    wanted: dict[str, Any] = {}
    if source.region is not None:
        # Its one region is the entry's default, not all there are; a list of `regions` stays the bound.
        entry["region_name"] = wanted["region_name"] = source.region
    if source.interface is not None:
        wanted["interface"] = source.interface
    try:
        return clouds.get_one(cloud, **wanted)
    except (
        exceptions.ConfigException,
        login_exceptions.OptionError,
        login_exceptions.NoMatchingPlugin,
        warnings.ConfigurationWarning,
        KeyError,
        AttributeError,
        TypeError,
    ) as error:
        raise ConfigurationError(f"cloud {cloud!r} in clouds.yaml: {first_line(error)}") from None


def _set_project(entry: dict[str, Any], source: SourceSettings) -> None:
    """Another project than the entry's own: its id and name must go, or they would win."""
    project = source.project_id or source.project
    if project is None:
        return
    if entry.get("auth_type") == APPLICATION_CREDENTIAL:
        raise ConfigurationError(_bound_to_project(source.cloud or ""))
    auth: dict[str, Any] = entry.setdefault("auth", {})
    for key in PROJECT_KEYS:
        for table in (auth, entry):
            table.pop(key, None)
            table.pop(key.replace("_", "-"), None)
    if source.project_id is not None or _is_id(project):
        auth["project_id"] = project
        return
    auth["project_name"] = project
    if not any(
        key in table for table in (auth, entry) for key in ("project_domain_id", "project_domain_name")
    ):
        for key in ("domain_id", "domain_name"):
            value = auth.get(f"user_{key}") or entry.get(f"user_{key}")
            if value:
                auth[f"project_{key}"] = value


def _bound_to_project(cloud: str) -> str:
    return (
        f"cloud {cloud!r}: an application credential belongs to one project; leave out project and projects"
    )


def _is_id(text: str) -> bool:
    """Ids of projects are 32 hexadecimal digits (Keystone: uuid4().hex)."""
    return len(text) == 32 and all(character in "0123456789abcdef" for character in text)
