"""Errors of keystoneauth1 in one line that says the way out.

Nothing that the other side wrote is repeated but a status, a business code and names that everybody knows: a
service may repeat what it was sent, in spellings that nobody can foresee.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from catalog.errors import (
    CatalogError,
    ConfigurationError,
    LoginError,
    NetworkError,
    ThrottledError,
    UpstreamError,
)
from catalog.fetch.auth.identity_session import AnswerTooLarge
from catalog.fetch.http.retry import TryAgain, error_code, is_throttled, retry_after
from catalog.text import first_line, listed, short

if TYPE_CHECKING:
    from keystoneauth1.exceptions import HttpError

SHOWN_NAMES = 10
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_. -]{0,23}")
"""Names of regions and services; tokens are longer."""


@dataclass(frozen=True, slots=True)
class LoginContext:
    """A login as far as an error may tell of it. `trusted`: the CA bundle that certificates are checked against."""

    cloud: str
    auth_url: str
    trusted: str | None

    @property
    def service(self) -> str | None:
        """`https://host` of the identity service, without user info, path and query; None if nothing is known of it."""
        parts = urlsplit(self.auth_url)
        host = parts.netloc.rpartition("@")[2]
        return f"{parts.scheme}://{host}" if host else None

    @property
    def where(self) -> str:
        """`cloud 'x' (identity service at https://host)`."""
        location = f" (identity service at {self.service})" if self.service else ""
        return f"cloud {self.cloud!r}{location}"

    def unexpected_response(self) -> LoginError:
        return LoginError(f"{self.where}: unexpected login response; check auth_url")

    def translate(self, error: Exception) -> CatalogError | TryAgain:
        """The error in our own tree; TryAgain where another attempt may help."""
        from keystoneauth1 import exceptions

        match error:
            case AnswerTooLarge():
                return LoginError(
                    f"{self.where}: an answer is larger than any of an identity service; check auth_url"
                )
            case exceptions.SSLError():
                return NetworkError(self._untrusted(error))
            case exceptions.ConnectionError():
                return TryAgain(NetworkError(f"{self.where}: cannot be reached: {_reason(error)}"))
            case exceptions.Unauthorized():
                return LoginError(
                    f"{self.where}: login refused: wrong password or key, unknown user, or no role in the "
                    f"project; check clouds.yaml and secure.yaml ({_status(error)})"
                )
            case exceptions.HttpError():
                return self._http(error)
            case exceptions.OptionError() | exceptions.NoMatchingPlugin():
                return ConfigurationError(f"{self.where}: clouds.yaml: {short(first_line(error), 200)}")
            case exceptions.MissingAuthMethods():
                return LoginError(
                    f"{self.where}: login refused: it asks for a second factor; use an application credential"
                )
            case exceptions.DiscoveryFailure():
                behind = error.__context__
                if isinstance(behind, (exceptions.SSLError, exceptions.ConnectionError, AnswerTooLarge)):
                    return self.translate(behind)
            case KeyError() if str(error.args[:1]).lower() == "('x-subject-token',)":
                return LoginError(
                    f"{self.where}: the login was granted without a token (header X-Subject-Token); "
                    "check auth_url, and the proxy in between"
                )
        if type(error) is Exception:
            # so keystoneauth1 says that the password is missing
            return ConfigurationError(
                f"{self.where}: {short(first_line(error), 200)}; set it in clouds.yaml, secure.yaml or OS_*"
            )
        return LoginError(f"{self.where}: no identity service answers; check auth_url")

    def _http(self, error: HttpError) -> CatalogError | TryAgain:
        status, reported = error.http_status, _status(error)
        headers = error.response.headers if error.response is not None else {}
        if is_throttled(status, headers, None):
            failure = ThrottledError(f"{self.where}: keeps asking to slow down ({reported})")
            return TryAgain(failure, retry_after(headers), throttled=True)
        if status == 407:
            return NetworkError(
                f"{self.where}: the proxy asks for a login; put user and password in its address"
            )
        if status >= 500 or status == 408:
            return TryAgain(UpstreamError(f"{self.where}: fails ({reported}); try again later", status))
        if status == 404:
            return LoginError(
                f"{self.where}: login refused: no such application credential, or no identity service at "
                f"this path; check clouds.yaml ({reported})"
            )
        return LoginError(f"{self.where}: login refused ({reported}); check the entry in clouds.yaml")

    def _untrusted(self, error: Exception) -> str:
        text = " ".join(str(behind) for behind in _chain(error))
        checked = (
            f"checked against {self.trusted}" if self.trusted else "checked against the built-in CA bundle"
        )
        if "CERTIFICATE_VERIFY_FAILED" in text:
            why = re.search(r"certificate verify failed: ([^(\]]+)", text)
            reason = f": {short(why[1].strip(), 200)}" if why else ""
            return (
                f"{self.where}: certificate not trusted{reason} ({checked}); "
                "set cacert in clouds.yaml, or REQUESTS_CA_BUNDLE"
            )
        return f"{self.where}: no TLS connection ({checked}); is auth_url right, https and all?"


def known_names(names: Iterable[object]) -> str:
    """Names of a catalogue, as far as they look like names: sorted, at most SHOWN_NAMES."""
    usable = sorted({name for name in names if isinstance(name, str) and _NAME.fullmatch(name)})
    return listed(usable, SHOWN_NAMES) or "nothing"


def _status(error: HttpError) -> str:
    """`HTTP 403`, with the vendor's code where there is one (`IAM.0002`)."""
    code = error_code(error.response.content) if error.response is not None else None
    return f"HTTP {error.http_status}" + (f", {code}" if code else "")


def _reason(error: Exception) -> str:
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
