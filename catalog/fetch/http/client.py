"""GET requests to one image service: bounded in time, bytes and tries, and never to another origin."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from http.cookiejar import CookieJar, DefaultCookiePolicy
from typing import TypeVar

import structlog

from catalog.errors import (
    BadListingError,
    ConfigurationError,
    FetchError,
    LoginError,
    NetworkError,
    ThrottledError,
    UpstreamError,
)
from catalog.fetch.http.background import DeadlineTask
from catalog.fetch.http.body import DEFAULT_BOUND, CutBodyError, read_body
from catalog.fetch.http.connection import Connection
from catalog.fetch.http.endpoint import AddressError, origin, parse_address, service_root, trust
from catalog.fetch.http.library import httpx
from catalog.fetch.http.proxies import proxy_for
from catalog.fetch.http.retry import Patience, Tries, TryAgain, error_code, is_throttled, retry_after
from catalog.fetch.http.transport import OpenStreams, new_client, reason_of
from catalog.logs import REQUEST

log = structlog.get_logger("catalog.fetch")
T = TypeVar("T")
Params = tuple[tuple[str, str], ...]

_ERROR_BODY = 64 * 1024
_REDIRECTS = 3
_GIVEN_UP = frozenset({408, 413, 502, 504})
"""Of a gateway that did not wait for the whole answer, or finds it too large."""
_UNTRUSTED = "CERTIFICATE_VERIFY_FAILED"  # OpenSSL's word, in the text of a ConnectError
_HINTS = {
    400: "the service refuses the request",
    403: "the credentials may not do this here; check their role and project",
    404: "nothing is there; check `endpoint`",
}


class PageTooLargeError(FetchError):
    """A gateway gave the answer up twice; a smaller page may come through."""


class TokenRefusedError(LoginError):
    """A 401 of the image service itself: a new login may help."""


class RefusedError(UpstreamError):
    """A 4xx. `body` is the answer's text, for a look at what it names; it never goes into a message."""

    def __init__(self, message: str, status: int, code: str | None, body: bytes) -> None:
        super().__init__(message, status)
        self.code = code
        self.body = body


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds of one answer (bytes), and of a silent connection (seconds)."""

    max_page_bytes: int = DEFAULT_BOUND
    max_inflated_bytes: int = DEFAULT_BOUND
    connect_timeout: float = 5.0
    read_timeout: float = 60.0


class HttpClient:
    """Asks one origin. `requests` and `retries` count what went out; both are cumulative.

    Every path is put behind `root`, the endpoint without a version at its end (`https://host/image/v2` and
    `https://host/image` are the same service). Raises ConfigurationError for an endpoint or a proxy that is
    not a URL, and for certificates that can't be read.
    """

    def __init__(
        self, connection: Connection, *, limits: Limits | None = None, patience: Patience | None = None
    ) -> None:
        self.requests = 0
        self.retries = 0
        self.root, self.endpoint = service_root(connection.endpoint)
        self._connection = connection
        self._limits = limits or Limits()
        self._patience = patience or Patience()
        self._streams = OpenStreams()
        self._given_up = False
        self._counting = threading.Lock()
        self._http = new_client(
            trust(connection.verify, connection.certificate),
            proxy_for(self.endpoint, connection.proxy),
            {"Accept": "application/json", "Accept-Encoding": "gzip"},
            auth=connection.auth,
            cookies=CookieJar(DefaultCookiePolicy(netscape=False)),  # none is needed, none is read
        )

    def close(self) -> None:
        self._http.close()

    def cut(self) -> None:
        """Breaks every open connection, so that whoever reads from one wakes up."""
        self._streams.cut()

    def get(
        self,
        path: str,
        params: Params,
        decode: Callable[[bytes], T],
        task: DeadlineTask,
        *,
        can_be_smaller: bool = False,
    ) -> T:
        """The decoded body of a 200. `decode` raises BadListingError, or CutBodyError to have the page again.

        Raises LoginError, NetworkError, ThrottledError, RefusedError (4xx), UpstreamError, BadListingError,
        DeadlineError and Stopped; PageTooLargeError only where the caller can ask for less.
        """
        tries = Tries(self._patience)
        renewed = False
        while True:
            task.check()
            try:
                return self._attempt(path, params, decode, task)
            except TokenRefusedError:
                self._given_up |= renewed
                if not self._renew():
                    raise
                renewed = True
            except TryAgain as again:
                task.check()  # a connection that we cut ourselves is not the service's failure
                pause = tries.pause(again, task.remaining())
                if can_be_smaller and tries.gateway_gave_up:
                    raise PageTooLargeError(str(again.error)) from again
                task.sleep(pause)
            with self._counting:
                self.retries += 1

    def _renew(self) -> bool:
        """Logs in once more; False if nothing else can be tried.

        One that failed, or was refused like the one before, is the last: repeated for each of many images it
        would get the account locked.
        """
        if self._given_up or self._connection.auth is None:
            return False
        self._given_up = True
        try:
            self._given_up = not self._connection.auth.renew()
        except ConfigurationError as error:  # in mid-listing, what was right at the start
            raise LoginError(str(error)) from None
        return not self._given_up

    def repeat_login(self) -> None:
        """Logs in again, where a login tells what it reaches. Raises FetchError, also for one that failed before."""
        if self._given_up:
            raise LoginError("the login was refused before")
        self._given_up = True
        try:
            if self._connection.auth is not None:
                self._connection.auth.repeat()
        except ConfigurationError as error:
            raise LoginError(str(error)) from None
        self._given_up = False

    def _attempt(self, path: str, params: Params, decode: Callable[[bytes], T], task: DeadlineTask) -> T:
        what = f"GET {path}"
        url = parse_address(self.root + path, params=httpx.QueryParams(params))
        for _ in range(_REDIRECTS + 1):
            try:
                answer = self._send(url, task)
                if answer.status == 200:
                    return decode(answer.body)
            except (httpx.LocalProtocolError, UnicodeEncodeError):
                # From None: the error's own text may quote the header.
                raise LoginError(
                    f"{what}: the credentials hold characters that no header can carry"
                ) from None
            except httpx.TransportError as error:
                failure = self._network_error(what, error)
                if _UNTRUSTED in str(error):
                    raise failure from error
                raise TryAgain(failure, too_large=isinstance(error, httpx.ReadTimeout)) from error
            except CutBodyError as error:
                raise TryAgain(error) from error
            if not 301 <= answer.status <= 308:
                break
            url = self._redirected(what, url, answer)
        raise _failure(what, answer)

    def _send(self, url: httpx.URL, task: DeadlineTask) -> _Answer:
        left = max(0.01, task.remaining())
        timeout = httpx.Timeout(
            min(self._limits.read_timeout, left), connect=min(self._limits.connect_timeout, left)
        )
        with self._counting:
            self.requests += 1
        log.debug(REQUEST, method="GET", url=str(url))
        extensions = {"trace": self._streams.trace}
        with self._http.stream("GET", url, timeout=timeout, extensions=extensions) as response:
            chunks = _watched(response.iter_raw(), task)
            if response.status_code == 200:
                body = read_body(
                    chunks,
                    response.headers.get("content-encoding", ""),
                    self._limits.max_page_bytes,
                    self._limits.max_inflated_bytes,
                )
            else:
                body = _beginning(chunks, response.headers.get("content-encoding", ""))
            location = response.extensions["location"]
            return _Answer(response.status_code, response.headers, body, location)

    def _redirected(self, what: str, url: httpx.URL, answer: _Answer) -> httpx.URL:
        """The place that a redirect names, if it is on the same origin: the token goes nowhere else.

        Another path may be another project's or region's service, or a page to log in at, which says 404 too: only
        a slash at its end may come or go. What was asked for stays asked for: a redirect that forgets the query,
        or bends it, leads to another listing (without `os_hidden` to all that is not hidden), and what that lacks
        would seem deleted.
        """
        try:
            target = parse_address(answer.location, url, url.params)
        except AddressError:
            target = None
        if target is None or origin(target) != origin(url) or _path(target) != _path(url):
            raise UpstreamError(
                f"{what}: redirected to another place (HTTP {answer.status}), which is not an answer; "
                "check `endpoint`",
                answer.status,
            )
        return target

    def _network_error(self, what: str, error: httpx.TransportError) -> NetworkError:
        """Names the kind of failure; quotes the system's words, never those that may quote a header."""
        text = str(error)
        if _UNTRUSTED in text:
            verify = self._connection.verify
            used = verify if isinstance(verify, str) else "the system's"
            return NetworkError(
                f"{what}: the service's certificate is not trusted ({used} CA bundle); set `cacert`"
            )
        host = parse_address(self.root).netloc.decode("ascii", "replace")
        return NetworkError(f"{what}: {reason_of(error, host)}")


@dataclass(frozen=True, slots=True)
class _Answer:
    status: int
    headers: Mapping[str, str]
    body: bytes
    location: str


def _path(url: httpx.URL) -> bytes:
    return url.raw_path.partition(b"?")[0].rstrip(b"/")


def _watched(chunks: Iterable[bytes], task: DeadlineTask) -> Iterable[bytes]:
    for chunk in chunks:
        task.check()
        yield chunk


def _beginning(chunks: Iterable[bytes], encoding: str) -> bytes:
    """Reads what it can of an error's body; its status counts even if the body cannot be read."""
    try:
        return read_body(chunks, encoding, _ERROR_BODY, _ERROR_BODY)
    except (BadListingError, httpx.TransportError):
        return b""


def _failure(what: str, answer: _Answer) -> FetchError | TryAgain:
    """The error of any other status than 200; TryAgain where another try may help."""
    status = answer.status
    code = error_code(answer.body)
    said = f"HTTP {status}" + (f", {code}" if code else "")
    if is_throttled(status, answer.headers, code):
        error = ThrottledError(f"{what}: the service keeps asking to slow down ({said}); raise `interval`")
        return TryAgain(error, retry_after(answer.headers), throttled=True)
    if status == 401:
        return TokenRefusedError(f"{what}: the service does not accept the credentials ({said})")
    if status in (408, 413) or status >= 500:
        failure = UpstreamError(f"{what}: the service fails ({said}); try again later", status)
        return TryAgain(failure, too_large=status in _GIVEN_UP)
    if 400 <= status < 500:
        hint = _HINTS.get(status, "the service refuses the request")
        return RefusedError(f"{what}: {hint} ({said})", status, code, answer.body)
    return BadListingError(f"{what}: an answer that is not a listing ({said})")
