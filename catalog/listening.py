"""Sockets to listen on, as people name their addresses."""

from __future__ import annotations

import socket
from contextlib import ExitStack

from catalog.errors import ConfigurationError

QUEUE = 128
"""Connections that may wait to be taken."""


def listen(bind: str, variable: str) -> socket.socket:
    """A socket on "host:port", which `variable` names. Raises ConfigurationError where it can't listen."""
    host, _, port = bind.rpartition(":")
    host = host.strip("[]")
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, int(port), type=socket.SOCK_STREAM)[0]
        with ExitStack() as stack:
            opened = stack.enter_context(socket.socket(family, kind, protocol))
            opened.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            opened.bind(address)
            opened.listen(QUEUE)
            stack.pop_all()
    except (OSError, OverflowError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise ConfigurationError(
            f"{variable}: cannot listen on {bind}: {reason}; choose another address or port"
        ) from None
    return opened


def bound(listening: socket.socket) -> str:
    """The "host:port" that a socket listens on."""
    host, port = listening.getsockname()[:2]
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
