"""Addresses of services as people and catalogues write them."""

from __future__ import annotations

from ipaddress import IPv4Address
from urllib.parse import SplitResult, urlsplit

LONGEST_HOST = 253
"""Characters of a name in DNS."""


def service_of(endpoint: str) -> tuple[str | None, int | None, str]:
    """Host, port and path of an image service, however its address is spelled; the scheme doesn't matter."""
    parts = split_address(endpoint)
    if parts is None:
        return None, None, endpoint
    port = None if parts.port in (80, 443) else parts.port
    return parts.hostname, port, parts.path.rstrip("/")


def split_address(text: str) -> SplitResult | None:
    """The parts of an http or https address with a host; None for anything else.

    Stricter than urlsplit, which takes hosts that no connection can be made to, and leaves out line breaks:
    those reach httpx, which refuses both.
    """
    try:
        parts = urlsplit(text)
        host, port = parts.hostname or "", parts.port
        host.encode("idna")  # UnicodeError: a label of the name is empty or too long
        if host.count(".") == 3 and host.replace(".", "").isdecimal():
            IPv4Address(host)
    except ValueError:
        return None
    usable = parts.scheme in ("http", "https") and 0 < len(host) <= LONGEST_HOST and port != 0
    return parts if usable and text.isprintable() else None
