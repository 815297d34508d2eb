"""Addresses of image services, and the certificates that they must show."""

from __future__ import annotations

import ssl
from functools import lru_cache
from pathlib import Path
from urllib.parse import urlsplit

from catalog.address import split_address
from catalog.errors import ConfigurationError, FetchError
from catalog.fetch.http.library import httpx


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


def trust(verify: bool | str, certificate: str | tuple[str, str] | None = None) -> ssl.SSLContext:
    """Makes an SSL context of a bundle of trusted certificates and a client's own one.

    Raises ConfigurationError: one of them can't be read. Certificates are read once, not for each of fifty sources:
    that takes 25 ms each. A file that a cloud or the environment names is read again when it changed.
    """
    files = [certificate] if isinstance(certificate, str) else [*(certificate or ())]
    try:
        found = [Path(file).stat() for file in ([*files, verify] if isinstance(verify, str) else files)]
        return _context(
            verify, certificate, tuple((one.st_mtime_ns, one.st_size, one.st_ino) for one in found)
        )
    except (OSError, ssl.SSLError) as error:
        if files:
            expected = f"cert, key or cacert in clouds.yaml: expected PEM files; {error}"
        else:
            expected = f"cacert {verify}: expected a file of trusted certificates in PEM"
        raise ConfigurationError(expected) from error


@lru_cache(maxsize=8)
def _context(
    verify: bool | str, certificate: str | tuple[str, str] | None, versions: tuple[tuple[int, ...], ...]
) -> ssl.SSLContext:
    if isinstance(verify, str):
        folder = Path(verify).is_dir()
        context = ssl.create_default_context(
            cafile=None if folder else verify, capath=verify if folder else None
        )
    else:
        context = httpx.create_ssl_context(verify)
    if certificate:
        context.load_cert_chain(*([certificate] if isinstance(certificate, str) else certificate))
    return context


def origin(url: httpx.URL) -> tuple[str, str, int | None]:
    """Scheme, host and port: a token is meant for these."""
    port = url.port or {"http": 80, "https": 443}.get(url.scheme)
    return url.scheme, url.host, port
