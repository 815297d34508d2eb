"""The result of a login: where the image service lives, and how each request to it is signed."""

from __future__ import annotations

import hashlib
from abc import abstractmethod
from collections.abc import Collection, Generator
from dataclasses import dataclass, field
from datetime import datetime

from catalog.fetch.http.endpoint import origin, parse_address
from catalog.fetch.http.library import httpx
from catalog.model import KEY, NO_LOGIN, PROJECT
from catalog.text import storable


def key_of(credential: str) -> str:
    """Stands, in the reach of a login, for a credential that tells nothing of itself."""
    return KEY + hashlib.sha256(credential.encode()).hexdigest()[:8]


class OriginAuth(httpx.Auth):
    """Signs requests to the image service's origin, and to no other."""

    kind: str
    """As `auth` of a source names it."""

    def __init__(self, endpoint: str) -> None:
        self._origin = origin(parse_address(endpoint.strip()))
        self._keys: set[str] = set()

    def remember_key(self, key: str) -> None:
        """Notes which token or access key is used now: of one that tells nothing of itself only that it is another."""
        self._keys.add(key_of(key))

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        if origin(request.url) == self._origin:
            self.sign(request)
            self.answered((yield request))
        else:
            yield request

    @abstractmethod
    def sign(self, request: httpx.Request) -> None:
        """Adds the headers that carry the credential."""

    def answered(self, response: httpx.Response) -> None:
        """Looks at the answer to a request that was signed."""

    @abstractmethod
    def renew(self) -> bool:
        """Logs in again after a 401; True if there are new credentials to try.

        Raises ConfigurationError (a secret that is gone), LoginError, and any other FetchError of the identity
        service.
        """

    def repeat(self) -> None:
        """Logs in again, so that `reaches` tells what is granted by now; a credential that tells nothing stays.

        Raises like `renew`.
        """

    def reaches(self) -> frozenset[frozenset[str]]:
        """The rights of each login so far, as far as they are known."""
        kind = f"auth {self.kind}"
        return frozenset(frozenset([kind, key]) for key in self._keys) or frozenset([frozenset([kind])])

    def expires_at(self) -> datetime | None:
        """The end of the credential; None where nothing is known of it."""
        return None

    def project_name(self) -> str | None:
        """The name of the project that the login is for, where the login tells it."""
        return None

    def project_names(self) -> list[tuple[str, str, str | None]]:
        """(project_id, name, domain_name) of the projects that the credentials may see."""
        return []


@dataclass(frozen=True, slots=True)
class Connection:
    """One image service, ready to be asked.

    `endpoint` is the service as the catalogue or the configuration names it: with or without `/v2`, with or
    without a path in front. `verify`: True, False, or the path of a CA bundle; `certificate`: of the client, the
    path of one in PEM, or of it and its key. `proxy` beats the environment's; None leaves that in force.
    `extra_params` are sent with every listing without being a filter (for instance
    `enterprise_project_id=all_granted_eps`).
    """

    endpoint: str
    auth: OriginAuth | None = None
    verify: bool | str = True
    certificate: str | tuple[str, str] | None = None
    region: str | None = None
    project_id: str | None = None
    extra_params: dict[str, str] = field(default_factory=dict)
    proxy: str | None = None

    @property
    def logins(self) -> frozenset[frozenset[str]]:
        """The rights of each login so far."""
        return self.auth.reaches() if self.auth else frozenset([frozenset([NO_LOGIN])])


def of_project(login: Collection[str], project_id: str | None) -> frozenset[str]:
    """The reach of a login with the project that it is for, where only others know that: keys don't tell it."""
    if not project_id or NO_LOGIN in login or any(right.startswith(PROJECT) for right in login):
        return frozenset(login)
    return frozenset(login) | {PROJECT + storable(project_id)[:250]}
