"""Shared by every use of the HTTP library: connections that can be cut, and its errors in safe words."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Mapping
from typing import Any
from weakref import WeakSet

from catalog import __version__
from catalog.errors import ConfigurationError
from catalog.fetch.http.library import httpx


class OpenStreams:
    """The connections that a client has open, so that they can be broken from another thread."""

    def __init__(self) -> None:
        self._streams: WeakSet[object] = WeakSet()

    def trace(self, event: str, info: Mapping[str, object]) -> None:
        """httpx's trace extension: remembers each connection's stream, for `cut`."""
        if event.endswith(("connect_tcp.complete", "start_tls.complete")):
            self._streams.add(info["return_value"])

    def cut(self) -> None:
        """Breaks every open connection, so that whoever reads from one wakes up."""
        for stream in list(self._streams):
            plug = stream.get_extra_info("socket")  # type: ignore[attr-defined]
            try:
                plug.shutdown(socket.SHUT_RDWR)
            except (OSError, AttributeError):
                continue  # closed already, or replaced by its TLS socket


def new_client(
    verify: ssl.SSLContext, proxy: str | None, headers: dict[str, str], **options: Any
) -> httpx.Client:
    """A client that follows no redirect, and takes certificates and proxies from nowhere else.

    Raises ConfigurationError for a proxy that can't be used.
    """
    try:
        return httpx.Client(
            verify=verify,
            proxy=proxy,
            headers={"User-Agent": f"image-catalog-sync/{__version__}", **headers},
            trust_env=False,
            follow_redirects=False,
            event_hooks={"response": [_hide_location]},
            **options,
        )
    except (ValueError, ImportError, httpx.InvalidURL):
        # From None: the error's own text may hold the proxy's password.
        raise ConfigurationError(
            "the proxy of the environment or of the cloud can't be used; expected http://HOST:PORT in HTTPS_PROXY and"
            " HTTP_PROXY"
        ) from None


def _hide_location(response: httpx.Response) -> None:
    """Takes `Location` away from httpx, which parses it even where it follows no redirect, and crashes at odd ones."""
    response.extensions["location"] = response.headers.pop("location", "")


_WAY_OUT = "check its address and the network"


def reason_of(error: httpx.TransportError, host: str) -> str:
    """The kind of failure at a host, and a way out; quotes the system's words, never those that may quote a header."""
    match error:
        case httpx.ProxyError():
            return "the proxy refuses the connection"
        case httpx.ConnectError():
            return f"no connection to {host} ({' '.join(str(error).split())[:200]}); {_WAY_OUT}"
        case httpx.TimeoutException():
            return f"no answer from {host} in time; {_WAY_OUT}"
    return "the connection broke before the answer's end"
