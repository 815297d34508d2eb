"""What the environment says of every connection: which certificates to trust, which proxy to take."""

from __future__ import annotations

import os
from pathlib import Path
from urllib.parse import urlsplit
from urllib.request import getproxies

import httpx

from catalog.errors import ConfigurationError

CA_VARIABLES = ("OS_CACERT", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE", "SSL_CERT_DIR")
"""In this order, and for login and listing alike: their two HTTP libraries look at different ones."""
PROXY_VARIABLES = ("HTTPS_PROXY", "HTTP_PROXY", "ALL_PROXY", "NO_PROXY")


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
    """Raises ConfigurationError: the proxy variables can't be parsed. Their values may hold passwords."""
    names = [
        name for variable in PROXY_VARIABLES for name in (variable, variable.lower()) if os.environ.get(name)
    ]
    if not names:
        return
    try:
        for scheme, address in getproxies().items():
            if scheme == "no":
                continue
            # httpx takes a broken address for a host name, and fails late.
            _ = urlsplit(address if "://" in address else f"//{address}").port
        httpx.Client(verify=False).close()  # noqa: S501 - nothing is sent; trust costs 20 ms to load
    except (ValueError, TypeError, ImportError, httpx.InvalidURL):
        raise ConfigurationError(
            f'{", ".join(names)}: expected addresses such as "http://proxy.example.com:3128"'
        ) from None
