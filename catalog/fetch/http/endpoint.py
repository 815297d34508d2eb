"""Where a service lives, and whom it must show a certificate of."""

from __future__ import annotations

import ssl
from functools import cache, lru_cache
from pathlib import Path
from urllib.parse import urlsplit

import httpx

from catalog.address import split_address
from catalog.errors import ConfigurationError, FetchError


class AddressError(FetchError):
    """An address from outside that nothing can be asked of."""


def parse_address(
    text: str, base: httpx.URL | str = "", params: httpx.QueryParams | None = None
) -> httpx.URL:
    """The http or https address that somebody outside names, relative to `base` if there is one.

    `params` are set in its query. Raises AddressError, and nothing else, whatever the text holds; the message
    quotes none of it.
    """
    try:
        urlsplit(text)  # refuses brackets that httpx takes for part of a name
        url = httpx.URL(base).join(text) if base else httpx.URL(text)
        url = url.copy_merge_params(params) if params else url
        usable = bool(url.host) and split_address(str(url)) is not None  # `host` decodes punycode, or fails
    except (ValueError, TypeError, AttributeError, httpx.InvalidURL):
        usable = False
    if not usable:
        raise AddressError("an address that can't be used: expected http(s)://HOST[:PORT][/PATH]")
    return url


def service_root(endpoint: str) -> tuple[str, str]:
    """The root that paths are put behind, and the same without user and password, to be shown and stored."""
    parts = split_address(endpoint.strip())
    try:
        parse_address(endpoint.strip())  # httpx knows more of names beyond ASCII
    except AddressError:
        parts = None
    if parts is None:
        raise ConfigurationError("endpoint: expected the URL of an image service, https://HOST[:PORT][/PATH]")
    segments = parts.path.rstrip("/").split("/")
    if segments[-1][:1] == "v" and segments[-1][1:].replace(".", "", 1).isdigit():
        segments.pop()
    path = "/".join(segments).rstrip("/")
    host = f"[{parts.hostname}]" if ":" in str(parts.hostname) else parts.hostname
    shown = f"{parts.scheme}://{host}{f':{parts.port}' if parts.port else ''}{path}"
    return f"{parts.scheme}://{parts.netloc}{path}", shown


def trust(verify: bool | str | ssl.SSLContext) -> bool | ssl.SSLContext:
    """What httpx takes. Raises ConfigurationError: the bundle can't be read.

    Certificates are read once, not for each of fifty sources: that takes 25 ms each. A file that a cloud or the
    environment names is read anew when it changed.
    """
    if verify is True:
        return _usual()
    if not isinstance(verify, str):
        return verify
    bundle = Path(verify)
    try:
        if bundle.is_dir():
            return ssl.create_default_context(capath=verify)
        there = bundle.stat()
        return _of_file(verify, (there.st_mtime_ns, there.st_size, there.st_ino))
    except (OSError, ssl.SSLError) as error:
        raise ConfigurationError(
            f"cacert {verify}: expected a file of trusted certificates in PEM"
        ) from error


@cache
def _usual() -> ssl.SSLContext:
    return httpx.create_ssl_context()


@lru_cache(maxsize=8)
def _of_file(name: str, version: tuple[int, ...]) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=name)


def origin(url: httpx.URL) -> tuple[str, str, int | None]:
    """Scheme, host and port: what a token is meant for."""
    port = url.port or {"http": 80, "https": 443}.get(url.scheme)
    return url.scheme, url.host, port
