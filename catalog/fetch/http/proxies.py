"""Trusted certificates and proxies of every connection, as the environment names them.

One rule for both HTTP libraries, which read the same variables by different rules: requests, which logs in,
and httpx, which lists.
"""

from __future__ import annotations

import os
from contextlib import suppress
from ipaddress import ip_address, ip_network
from pathlib import Path
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

from catalog.errors import ConfigurationError
from catalog.fetch.http.library import httpx

CA_VARIABLES = ("OS_CACERT", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE", "SSL_CERT_DIR")
"""In this order, and for login and listing alike: their two HTTP libraries look at different ones."""
PROXIED = ("https", "http", "all")


def ca_bundle(cacert: str | None = None) -> str | None:
    """The file or folder of trusted certificates: `cacert` of the cloud, else the environment's.

    None where nobody names one. Raises ConfigurationError: it is not there.
    """
    named = [("cacert", cacert)] + [(variable, os.environ.get(variable)) for variable in CA_VARIABLES]
    for origin, name in named:
        if name:
            path = Path(name).expanduser()
            if not path.exists():
                raise ConfigurationError(
                    f"{origin}: expected a file of trusted certificates; {path} is missing"
                )
            return str(path)
    return None


def check_proxies() -> None:
    """Raises ConfigurationError: the proxy variables can't be parsed. Their values may hold passwords.

    Any NO_PROXY is accepted: what it does not understand names no host.
    """
    variables = [f"{scheme}_proxy" for scheme in PROXIED]
    names = [name for variable in variables for name in (variable.upper(), variable) if os.environ.get(name)]
    if not names:
        return
    try:
        for scheme, address in getproxies().items():
            if scheme not in PROXIED:
                continue
            proxy = _with_scheme(address)
            _ = urlsplit(proxy).port  # httpx takes a broken address for a host name, and fails late
            # Nothing is sent; trust costs 20 ms to load.
            httpx.Client(proxy=proxy, trust_env=False, verify=False).close()
    except (ValueError, TypeError, ImportError, httpx.InvalidURL):
        raise ConfigurationError(
            f'{", ".join(names)}: expected addresses such as "http://proxy.example.com:3128"'
        ) from None


def proxy_for(url: str, of_cloud: str | None = None) -> str | None:
    """The proxy of requests to a URL: the cloud's own, else the environment's; None: it goes direct.

    Logins and listings go by this rule, or a token could take a way that its login did not. NO_PROXY counts in
    each spelling that some library knows: what it was meant to keep off the proxy must not be sent there.
    """
    if of_cloud:
        return _with_scheme(of_cloud)
    if not any(scheme in PROXIED for scheme in getproxies()):
        return None  # the usual case, and 30 ms of imports less
    from requests.utils import get_environ_proxies, select_proxy

    address = None if _goes_direct(url) else select_proxy(url, get_environ_proxies(url))
    return _with_scheme(address) if address else None


def _goes_direct(url: str) -> bool:
    """True if NO_PROXY names the URL in a way that requests does not read: with a port or a scheme, IPv6."""
    parts = urlsplit(url)
    location = parts.netloc.rpartition("@")[2]
    if proxy_bypass(location):
        return True
    try:
        address = ip_address(parts.hostname or "")
    except ValueError:
        address = None
    for entry in getproxies().get("no", "").lower().split(","):
        entry = entry.strip()
        if entry in (f"{parts.scheme}://{location}", f"{parts.scheme}://{parts.hostname}"):
            return True
        if address is not None:
            with suppress(ValueError):
                if address in ip_network(entry.strip("[]"), strict=False):
                    return True
    return False


def _with_scheme(address: str) -> str:
    return address if "://" in address else f"http://{address}"
