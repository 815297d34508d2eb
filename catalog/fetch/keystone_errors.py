"""What keystoneauth1 raises, told in one line that says the way out."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import quote, quote_plus, urlsplit

from catalog.clouds import first_line
from catalog.errors import (
    CatalogError,
    ConfigurationError,
    LoginError,
    NetworkError,
    ThrottledError,
    UpstreamError,
)
from catalog.fetch.retries import TryAgain, is_throttled, retry_after

if TYPE_CHECKING:
    from keystoneauth1.exceptions import HttpError

QUOTED_BYTES = 200
"""How much of an identity service's own words is repeated."""


@dataclass(frozen=True, slots=True)
class Attempt:
    """A login as far as an error may tell of it. `secrets` are struck out of whatever the other side says."""

    cloud: str
    auth_url: str
    trusted: str | None
    secrets: tuple[str, ...]

    @property
    def service(self) -> str | None:
        """`https://host` of the identity service, without user info, path and query; None: there is none."""
        parts = urlsplit(self.auth_url)
        host = parts.netloc.rpartition("@")[2]
        return f"{parts.scheme}://{host}" if host else None

    @property
    def where(self) -> str:
        """`cloud 'x' (identity service at https://host)`."""
        place = f" (identity service at {self.service})" if self.service else ""
        return f"cloud {self.cloud!r}{place}"

    def quote(self, text: str) -> str:
        spellings = {spelling for secret in self.secrets for spelling in _spellings(secret)}
        for spelling in sorted(spellings, key=len, reverse=True):
            text = text.replace(spelling, "***")
        return " ".join(text.split())[:QUOTED_BYTES]

    def told(self, error: Exception) -> CatalogError | TryAgain:
        """The error in our own tree; TryAgain where another try may help."""
        from keystoneauth1 import exceptions

        match error:
            case exceptions.SSLError():
                return NetworkError(self._untrusted(error))
            case exceptions.ConnectionError():
                failure = NetworkError(f"{self.where}: cannot be reached: {self._reason(error)}")
                return TryAgain(failure)
            case exceptions.Unauthorized():
                return LoginError(
                    f"{self.where}: login refused: wrong password or key, unknown user, or no role in the "
                    f"project; check clouds.yaml and secure.yaml ({self.quote(error.message)})"
                )
            case exceptions.HttpError():
                return self._http(error)
            case exceptions.OptionError() | exceptions.NoMatchingPlugin():
                return ConfigurationError(f"{self.where}: clouds.yaml: {self.quote(first_line(error))}")
            case exceptions.MissingAuthMethods():
                return LoginError(
                    f"{self.where}: login refused: it asks for a second factor; use an application credential"
                )
            case exceptions.DiscoveryFailure():
                behind = error.__context__
                if isinstance(behind, (exceptions.SSLError, exceptions.ConnectionError)):
                    return self.told(behind)
        if type(error) is Exception:
            # so keystoneauth1 says that there is no password
            return ConfigurationError(
                f"{self.where}: {self.quote(first_line(error))}; set it in clouds.yaml, secure.yaml or OS_*"
            )
        return LoginError(
            f"{self.where}: no identity service answers; check auth_url ({self.quote(first_line(error))})"
        )

    def _http(self, error: HttpError) -> CatalogError | TryAgain:
        status = error.http_status
        said = f"HTTP {status}: {self.quote(error.message)}"
        headers = error.response.headers if error.response is not None else {}
        if is_throttled(status, headers, None):
            failure = ThrottledError(f"{self.where}: keeps asking to slow down ({said})")
            return TryAgain(failure, retry_after(headers), throttled=True)
        if status == 407:
            return NetworkError(
                f"{self.where}: the proxy asks for a login; put user and password in its address"
            )
        if status >= 500 or status == 408:
            return TryAgain(UpstreamError(f"{self.where}: fails ({said}); try again later", status))
        if status == 404:
            return LoginError(
                f"{self.where}: login refused: no such application credential, or no identity service at "
                f"this path; check clouds.yaml ({said})"
            )
        return LoginError(f"{self.where}: login refused ({said}); check the entry in clouds.yaml")

    def _untrusted(self, error: Exception) -> str:
        text = " ".join(str(behind) for behind in _chain(error))
        checked = (
            f"checked against {self.trusted}" if self.trusted else "checked against the built-in CA bundle"
        )
        if "CERTIFICATE_VERIFY_FAILED" in text:
            why = re.search(r"certificate verify failed: ([^(\]]+)", text)
            reason = f": {why[1].strip()}" if why else ""
            return (
                f"{self.where}: certificate not trusted{reason} ({checked}); "
                "set cacert in clouds.yaml, or REQUESTS_CA_BUNDLE"
            )
        return f"{self.where}: no TLS connection ({checked}); is auth_url right, https and all?"

    def _reason(self, error: Exception) -> str:
        """The system's own words at the end of the chain, or the kind of failure."""
        from keystoneauth1 import exceptions

        if isinstance(error, exceptions.ConnectTimeout):
            return "no answer in time"
        words = "the connection broke"
        for behind in _chain(error):
            if type(behind).__name__ == "ProxyError":
                return "the proxy of the environment refuses the connection"
            if isinstance(behind, OSError) and behind.strerror and behind.errno:
                words = behind.strerror
            elif type(behind).__name__ == "NameResolutionError":
                words = "its name is unknown to DNS"
        return words


def _spellings(secret: str) -> tuple[str, ...]:
    """A secret as it stands in what a service repeats of a request: itself, in Python's words, in JSON, in a URL."""
    return (
        secret,
        repr(secret)[1:-1],
        json.dumps(secret)[1:-1],
        json.dumps(secret, ensure_ascii=False)[1:-1],
        quote(secret, safe="", errors="replace"),
        quote_plus(secret, errors="replace"),
    )


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    """The error and what is behind it: urllib3 keeps it in an attribute, requests in the arguments."""
    seen: list[BaseException] = []
    waiting: list[object] = [error]
    while waiting:
        current = waiting.pop(0)
        if not isinstance(current, BaseException) or any(current is one for one in seen):
            continue
        seen.append(current)
        yield current
        waiting += [current.__cause__, current.__context__, getattr(current, "reason", None), *current.args]
