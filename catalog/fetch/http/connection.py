"""What a login yields: where the image service lives, and how each request to it is signed."""

from __future__ import annotations

import ssl
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol, runtime_checkable

if TYPE_CHECKING:
    import httpx


@runtime_checkable
class RenewableAuth(Protocol):
    """An `httpx.Auth` that can log in again: after a 401 the client calls `renew` once and asks again.

    `renew` returns True when there are new credentials to try, False when nothing else can be tried.
    It may raise ConfigurationError (a secret that is gone), LoginError, and any other FetchError of the
    identity service.
    """

    def renew(self) -> bool: ...


@dataclass(frozen=True, slots=True)
class Connection:
    """One image service, ready to be asked.

    `endpoint` is the service as the catalogue or the configuration names it: with or without `/v2`, with or
    without a path in front. `auth` signs each request; it may be a `RenewableAuth`. `verify`: True, False,
    the path of a CA bundle, or an ssl context. `proxy` beats the environment's; None leaves that in force.
    `extra_params` are sent with every listing without being a filter (for instance
    `enterprise_project_id=all_granted_eps`). `logins` says what each login so far reaches; `names` reads the projects'
    names, where the login can.
    """

    endpoint: str
    auth: httpx.Auth | None = None
    verify: bool | str | ssl.SSLContext = True
    region: str | None = None
    project_id: str | None = None
    extra_params: dict[str, str] = field(default_factory=dict)
    proxy: str | None = None
    names: ProjectNames | None = None
    logins: Callable[[], frozenset[frozenset[str]]] = field(default=frozenset, compare=False)


class ProjectNames(Protocol):
    """Reads (project_id, name, domain_name) of the projects that the credentials may see."""

    def __call__(self) -> list[tuple[str, str, str | None]]: ...
