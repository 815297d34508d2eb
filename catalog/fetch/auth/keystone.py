"""A cloud of clouds.yaml: logging in by keystoneauth1, finding the image service, reading project names.

keystoneauth1 knows every login type, the catalogue and its dialects; openstacksdk's loader knows where
people keep them. Here they sign requests to the image service, bounded by a sweep's deadline.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from datetime import datetime
from itertools import product
from typing import TYPE_CHECKING, Any, TypeVar

from catalog.config.openstack import ims_domain, ims_endpoint
from catalog.config.settings import SourceSettings
from catalog.deadline import Deadline
from catalog.errors import ConfigurationError, LoginError
from catalog.fetch.auth.clouds_entry import APPLICATION_CREDENTIAL, bound_to_project, read_entry
from catalog.fetch.auth.identity_session import AnswerTooLarge, bounded_session
from catalog.fetch.auth.keystone_errors import LoginContext, known_names
from catalog.fetch.http.background import BackgroundCall, DeadlineTask
from catalog.fetch.http.connection import OriginAuth, key_of
from catalog.fetch.http.endpoint import AddressError, parse_address, service_root
from catalog.fetch.http.library import httpx
from catalog.fetch.http.proxies import ca_bundle, proxy_for
from catalog.fetch.http.retry import Patience, Tries, TryAgain
from catalog.model import PROJECT, SourceKind
from catalog.text import short, storable, usable_id

if TYPE_CHECKING:
    from keystoneauth1.access import AccessInfo

T = TypeVar("T")

SERVICE_TYPES: dict[SourceKind, tuple[str, ...]] = {"glance": ("image",), "ims": ("imsv2", "ims", "image")}
"""Names of the image service in a catalogue, the best first."""
WRONG_ANSWERS = (ValueError, KeyError, TypeError, AttributeError, OSError, RecursionError)
"""Errors that come of a body that no identity service would send."""
INTERFACES = ("public", "internal", "admin")
TIMEOUT = 30.0
"""Seconds that the identity service may be silent."""


ROLES = 1000
"""Roles of a token that are looked at."""


class CloudLogin:
    """One login to one cloud for one project and region, as clouds.yaml names them when it is made.

    Building it reads the configuration, and sends nothing. Its methods raise ConfigurationError, LoginError,
    NetworkError, ThrottledError, UpstreamError, DeadlineError and Stopped.
    """

    def __init__(self, source: SourceSettings, deadline: Deadline) -> None:
        import urllib3
        from keystoneauth1.session import Session

        assert source.cloud is not None
        self._source = source
        self._cloud = source.cloud
        self._deadline = deadline
        self._lock = threading.Lock()
        self._headers: dict[str, str] | None = None
        self._access: AccessInfo | None = None
        self.entry = read_entry(self._source)
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
        self._context = LoginContext(self._cloud, self.auth_url, bundle)
        timeout = min(
            TIMEOUT, float(config.get("api_timeout") or TIMEOUT), max(0.1, self._deadline.remaining())
        )
        # A redirect could carry the password to another host.
        self._http = bounded_session()
        self._session = Session(
            plugin,
            self._http,
            verify=self.verify,
            cert=self.client_certificate,
            timeout=timeout,
            redirect=False,
        )
        if not self.verify:
            urllib3.disable_warnings(urllib3.exceptions.InsecureRequestWarning)  # asked for in clouds.yaml
        proxy = proxy_for(self.auth_url, self.proxy)
        self._http.proxies = {"http": proxy, "https": proxy} if proxy else {}
        self._http.trust_env = False  # `proxy_for` and `ca_bundle` read it, as for the listing
        self._plugin = plugin

    def headers(self) -> dict[str, str]:
        """The headers that carry the credential; logs in the first time."""
        with self._lock:
            if self._headers is None:
                self._headers = self._log_in()
            return self._headers

    def renewed(self) -> CloudLogin:
        """This login once more, with the configuration read again and already logged in.

        Raises LoginError also for one that leads to another identity service, region or project: that one's
        images are not those that were listed so far, and its token must not reach this one's image service.
        """
        self._http.close()
        fresh = CloudLogin(self._source, self._deadline)
        self._compare("identity service", self._context.service, fresh._context.service)
        self._compare("region", self.entry.get_region_name(), fresh.entry.get_region_name())
        self._compare("project", self.project_id(), fresh.project_id())
        return fresh

    def _compare(self, what: str, before: str | None, now: str | None) -> None:
        if before != now:
            new, old = (repr(value and short(value)) for value in (now, before))
            raise LoginError(
                f"{self._context.where}: the new login is of another {what}, {new} and not {old}: no more is "
                "listed with it; set clouds.yaml right, or run again if the change is meant"
            )

    def _log_in(self) -> dict[str, str]:
        from keystoneauth1.identity.base import BaseIdentityPlugin

        plugin = self._plugin
        headers: Mapping[str, str] | None = self._ask(lambda: plugin.get_headers(self._session))
        self._access = plugin.auth_ref if isinstance(plugin, BaseIdentityPlugin) else None
        return dict(headers or {})

    def granted(self, read: Callable[[AccessInfo], T]) -> T | None:
        """Reads what the identity service granted; None where the login needs no grant (`none`,
        `http_basic`). Raises LoginError for an odd one: keystoneauth1 looks into it only when it is asked.
        """
        self.headers()
        try:
            return None if self._access is None else read(self._access)
        except WRONG_ANSWERS:
            raise self._context.unexpected_response() from None

    def project_id(self) -> str | None:
        """The project that the login is for; None where it is for none."""
        return self.granted(lambda access: _text(access.project_id))

    def reach(self) -> frozenset[str]:
        """The rights that the token tells of; of a login without a grant its type, and which credential it is."""
        kind, headers = f"auth {self.entry.config.get('auth_type')}", self.headers()
        return self.granted(_reach) or frozenset([kind, *([key_of(repr(headers))] if headers else ())])

    def _check_scope(self) -> None:
        """The login must be for a project (or, for operators, for a domain or the system)."""
        if self.granted(_is_scoped) is False:
            raise LoginError(
                f"{self._context.where}: the token is not tied to a project; "
                "set project_name (with its domain) or project_id in clouds.yaml, or `project` of the source"
            )

    def endpoint(self, kind: SourceKind) -> tuple[str, str | None]:
        """(address, region) of the image service: set in clouds.yaml, in the catalogue, or by its pattern."""
        from os_service_types import ServiceTypes

        self._check_scope()
        region = self.entry.get_region_name() or None
        if override := self._override(kind):
            return override.strip(), region
        catalogue = self.granted(_services)
        if catalogue is None:
            address = self.entry.get_endpoint("image") or self._ask(
                lambda: self._plugin.get_endpoint(self._session)
            )
            if address:
                return address.strip(), region
            raise ConfigurationError(
                f"cloud {self._cloud!r}: expected image_endpoint_override in clouds.yaml, "
                "as this login brings no catalogue"
            )
        if endpoints := self._endpoints(kind, catalogue):
            return self._usable(*self._choose(endpoints, region))
        if kind == "ims" and region and (address := ims_endpoint(region, self.auth_url)):
            return address, region
        own_name = self.entry.config.get("image_service_name")
        named = f" called {own_name!r}" if own_name else ""
        known = ServiceTypes()  # another type might be anything
        offers = known_names(
            service["type"]
            for service in catalogue
            if service["endpoints"] and known.is_known(str(service["type"]))
        )
        raise LoginError(
            f"{self._context.where}: no image service{named} in the project's catalogue (it offers {offers}); "
            "set image_endpoint_override in clouds.yaml"
        )

    def regions(self, kind: SourceKind) -> list[str]:
        """Names of the regions with an image service in the catalogue, sorted; none where it is not asked."""
        if self._override(kind):
            return []
        self._check_scope()
        endpoints = self._endpoints(kind, self.granted(_services) or [])
        return sorted({str(one["region_name"]) for one in endpoints if one["region_name"]})

    def _override(self, kind: SourceKind) -> str | None:
        """The image service's address, where clouds.yaml sets it."""
        addresses = (self.entry.config.get(f"{name}_endpoint_override") for name in SERVICE_TYPES[kind])
        return next(filter(None, addresses), None)

    def _endpoints(self, kind: SourceKind, catalogue: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """Endpoints of the image service, of the best type that the catalogue has; each with its `service`'s name."""
        config = self.entry.config
        own_type, own_name = config.get("image_service_type"), config.get("image_service_name")
        for service_type in (own_type,) if own_type else SERVICE_TYPES[kind]:
            endpoints = [
                endpoint | {"service": service.get("name")}
                for service in catalogue
                if service["type"] == service_type and (not own_name or own_name == service.get("name"))
                for endpoint in service["endpoints"]
            ]
            if endpoints:
                return endpoints
        return []

    def _usable(self, address: str, region: str | None) -> tuple[str, str | None]:
        try:
            service_root(str(parse_address(address.strip())))
        except (AddressError, ConfigurationError):
            raise LoginError(
                f"{self._context.where}: invalid image endpoint in the catalogue; "
                "set image_endpoint_override in clouds.yaml"
            ) from None
        return address.strip(), _text(region)

    def _choose(self, endpoints: list[dict[str, Any]], region: str | None) -> tuple[str, str | None]:
        wanted = self.entry.get_interface("image") or "public"
        interfaces = [name.removesuffix("URL") for name in ([wanted] if isinstance(wanted, str) else wanted)]
        regions = {str(endpoint["region_name"]) for endpoint in endpoints if endpoint["region_name"]}
        if region is None and len(regions) > 1:
            raise ConfigurationError(
                f"cloud {self._cloud!r}: expected a region of the source, one of {known_names(regions)};"
                " set `region`, or `regions` for one source each"
            )
        own = [one for one in endpoints if region is None or one["region_name"] == region]
        of_all_regions = [one for one in endpoints if region is not None and not one["region_name"]]
        here = own + of_all_regions
        if not here:
            raise ConfigurationError(
                f"cloud {self._cloud!r}: expected a region with an image service, not {region!r}; "
                f"known: {known_names(regions)}"
            )
        for candidates, interface in product((own, of_all_regions), interfaces):
            found = [one for one in candidates if str(one["interface"]).removesuffix("URL") == interface]
            if len({str(one["url"]) for one in found}) > 1 and len({one["service"] for one in found}) > 1:
                raise ConfigurationError(
                    f"cloud {self._cloud!r}: the catalogue has several image services here "
                    f"({known_names(one['service'] for one in found)}); set image_service_name in clouds.yaml"
                )
            if found:
                return str(found[0]["url"]), region or found[0]["region_name"] or None
        offered = {str(endpoint["interface"]).removesuffix("URL") for endpoint in here} & set(INTERFACES)
        raise ConfigurationError(
            f"cloud {self._cloud!r}: expected an interface that the catalogue offers ({known_names(offered)}), "
            f"not {' or '.join(interfaces)!r}"
        )

    def enterable_projects(self) -> list[tuple[str, str]]:
        """(id, name) of the projects that the user may enter; where IMS is, those of the region alone.

        Raises LoginError if there are none.
        """
        if self.entry.config.get("auth_type") == APPLICATION_CREDENTIAL:
            raise ConfigurationError(bound_to_project(self._cloud))
        region = self.entry.get_region_name()
        of_region = bool(region) and ims_domain(self.auth_url) is not None
        found = [
            (project["id"], storable(project["name"]))
            for project in self._projects("/auth/projects")
            # There a project is named after its region: eu-de, eu-de_team.
            if usable_id(project["name"])
            and (not of_region or f"{project['name']}_".startswith(f"{region}_"))
        ]
        if not found:
            where = f" in region {region!r}" if of_region else ""
            raise LoginError(
                f"{self._context.where}: the user may enter no project{where}; give it a role in one, or name "
                "`project` instead of `projects`"
            )
        return found

    def project_names(self) -> list[tuple[str, str, str | None]]:
        """(id, name, domain's name) of all projects if this user may list them, else of the user's own."""
        domains = self.granted(
            lambda access: {
                _text(access.project_domain_id): _text(access.project_domain_name),
                _text(access.user_domain_id): _text(access.user_domain_name),
            }
        )
        if domains is None:
            return []
        try:
            projects = self._projects("/projects")
        except LoginError:  # the list of all is for administrators
            projects = self._projects("/auth/projects")
        return [
            (storable(one["id"]), storable(one["name"]), domains.get(str(one.get("domain_id"))))
            for one in projects
        ]

    def _projects(self, path: str) -> list[dict[str, Any]]:
        base = self.auth_url if self.auth_url.endswith("/v3") else f"{self.auth_url}/v3"
        answer: Any = self._ask(
            lambda: self._session.get(base + path, headers={"Accept": "application/json"}).json()
        )
        projects = answer.get("projects") if isinstance(answer, dict) else None
        if not isinstance(projects, list):
            raise LoginError(f"{self._context.where}: no list of projects at {path}; check auth_url")
        return [
            project
            for project in projects
            if isinstance(project, dict)
            and usable_id(project.get("id"))
            and isinstance(project.get("name"), str)
            and project.get("enabled", True)
        ]

    def _ask(self, work: Callable[[], T]) -> T:
        """Runs what talks to the identity service: while the network has time, and again where that may help."""
        tries = Tries(Patience())
        while True:
            task = DeadlineTask.before_merge(self._deadline)
            task.check()
            try:
                return BackgroundCall(lambda: self._translated(work), task, self._http.close).result()
            except TryAgain as again:
                task.sleep(tries.pause(again, task.remaining()))

    def _translated(self, work: Callable[[], T]) -> T:
        from keystoneauth1.exceptions import ClientException, RetriableConnectionFailure

        try:
            return work()
        except Exception as error:
            expected = (*WRONG_ANSWERS, AnswerTooLarge, ClientException, RetriableConnectionFailure)
            if not isinstance(error, expected) and type(error) is not Exception:
                raise  # a bug
            raise self._context.translate(error) from None


class KeystoneAuth(OriginAuth):
    """Puts a cloud login's headers on requests. After a renewal that failed, the login stays the old one."""

    def __init__(self, login: CloudLogin, endpoint: str) -> None:
        super().__init__(endpoint)
        self._login = login
        self._earlier: frozenset[frozenset[str]] = frozenset()

    def sign(self, request: httpx.Request) -> None:
        request.headers.update(self._login.headers())

    def renew(self) -> bool:
        reaches, before = self.reaches(), self._login
        self._login = before.renewed()
        self._earlier = reaches
        return self._login.headers() != before.headers()

    def repeat(self) -> None:
        self.renew()

    def reaches(self) -> frozenset[frozenset[str]]:
        return self._earlier | {self._login.reach()}

    def expires_at(self) -> datetime | None:
        expires: datetime | None = self._login.granted(lambda access: access.expires)
        return expires

    def project_name(self) -> str | None:
        return self._login.granted(lambda access: _text(access.project_name))

    def project_names(self) -> list[tuple[str, str, str | None]]:
        return self._login.project_names()


def _is_scoped(access: AccessInfo) -> bool:
    """A catalogue is given with a scope alone."""
    return bool(
        access.project_scoped or access.domain_scoped or access.system_scoped or access.has_service_catalog()
    )


def _reach(access: AccessInfo) -> frozenset[str]:
    """Roles by their names: some identity services give all of them the id 0."""
    try:
        roles = access.role_names or []
    except WRONG_ANSWERS:
        roles = []
    rights = {
        "auth keystone": True,
        f"{PROJECT}{access.project_id}": access.project_id,
        f"domain {access.domain_id}": access.domain_id,
        "system": access.system_scoped,
        "is_admin": access.is_admin_project,
        **{f"role {role}": True for role in roles[:ROLES]},
    }
    return frozenset(storable(right)[:255] for right, given in rights.items() if given)


def _text(value: object) -> str | None:
    """A name or an id out of a grant. Raises TypeError for anything else."""
    if value is not None and usable_id(value) is None:
        raise TypeError
    return storable(value) if isinstance(value, str) else None


def _services(access: AccessInfo) -> list[dict[str, Any]]:
    """The catalogue's services, with those of their endpoints that can be asked."""
    services: list[dict[str, Any]] = (
        access.service_catalog.normalize_catalog() if access.has_service_catalog() else []
    )
    for service in services:
        service["endpoints"] = [
            one for one in service["endpoints"] if one.get("url") and one.get("interface")
        ]
    return services
