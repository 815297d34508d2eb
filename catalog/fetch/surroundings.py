"""What the environment says of every connection: which certificates to trust, which proxy to take.

Said once for both HTTP libraries, which read the same variables by different rules: requests, which logs in,
and httpx, which lists.
"""

from __future__ import annotations

import os
from pathlib import Path
from urllib.parse import urlsplit
from urllib.request import getproxies

import httpx

from catalog.errors import ConfigurationError

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

    Whatever NO_PROXY holds is no fault: what it does not understand names no host.
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
            httpx.Client(proxy=proxy, trust_env=False, verify=False).close()  # noqa: S501
    except (ValueError, TypeError, ImportError, httpx.InvalidURL):
        raise ConfigurationError(
            f'{", ".join(names)}: expected addresses such as "http://proxy.example.com:3128"'
        ) from None


def proxy_for(url: str, of_cloud: str | None = None) -> str | None:
    """The proxy of requests to a URL: the cloud's own, else the environment's; None: there is none.

    The environment is read by the rules of requests. By any others a listing could take a proxy that the login
    does not, with the token: httpx knows no networks in NO_PROXY.
    """
    if of_cloud:
        return _with_scheme(of_cloud)
    if not any(scheme in PROXIED for scheme in getproxies()):
        return None  # the usual case, and 30 ms of imports less
    from requests.utils import get_environ_proxies, select_proxy

    address = select_proxy(url, get_environ_proxies(url))
    return _with_scheme(address) if address else None


def _with_scheme(address: str) -> str:
    return address if "://" in address else f"http://{address}"
