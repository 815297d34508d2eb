"""AK/SK signing (SDK-HMAC-SHA256) of requests, for the Image Management Service without a token.

The rule is that of the vendor's own SDK (huaweicloudsdkcore, signer.py), which the tests use as oracle.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import NamedTuple
from urllib.parse import parse_qsl, quote, unquote

from catalog.errors import LoginError
from catalog.fetch.http.connection import OriginAuth
from catalog.fetch.http.library import httpx

ALGORITHM = "SDK-HMAC-SHA256"
DATE_FORMAT = "%Y%m%dT%H%M%SZ"
TOLERATED_SKEW = timedelta(minutes=15)
"""A signature is good for about a quarter of an hour around the service's own time."""


class AccessKey(NamedTuple):
    access: str
    secret: str
    security_token: str | None = None
    """Comes with temporary keys."""


class AkskAuth(OriginAuth):
    """Signs by keys that `read` gives, again at each renewal."""

    kind = "aksk"
    requires_request_body = True

    def __init__(self, endpoint: str, project_id: str | None, read: Callable[[], AccessKey]) -> None:
        super().__init__(endpoint)
        self._project_id = project_id
        self._read = read
        self._key = read()
        self.remember_key(self._key.access)
        self._skew = timedelta()

    def sign(self, request: httpx.Request) -> None:
        self._signed_at = datetime.now(UTC)
        sign(request, self._key, self._project_id, self._signed_at)

    def answered(self, response: httpx.Response) -> None:
        if date := response.headers.get("Date"):
            try:
                self._skew = self._signed_at - parsedate_to_datetime(date)
            except (ValueError, TypeError):  # no date, or one without a zone: nothing is known of the clock
                self._skew = timedelta()

    def renew(self) -> bool:
        """Reads the keys again; True if they changed. Raises LoginError: this machine's clock is off."""
        key = self._read()
        if key != self._key:
            self._key = key
            self.remember_key(key.access)
            return True
        if abs(self._skew) > TOLERATED_SKEW:
            minutes = round(abs(self._skew).total_seconds() / 60)
            side = "ahead of" if self._skew > timedelta() else "behind"
            raise LoginError(
                f"AK/SK signature refused: this machine's clock is {minutes} minutes {side} the service's; "
                "set the clock (the service tolerates 15 minutes)"
            )
        return False


def sign(request: httpx.Request, key: AccessKey, project_id: str | None, now: datetime) -> None:
    """Adds the headers that carry the signature."""
    signed = {"host": request.headers["Host"], "x-sdk-date": now.strftime(DATE_FORMAT)}
    if project_id is not None:
        signed["x-project-id"] = project_id
    if key.security_token is not None:
        signed["x-security-token"] = key.security_token
    request.headers.update({name: value for name, value in signed.items() if name != "host"})
    names = ";".join(sorted(signed))
    canonical = "\n".join(
        (
            request.method.upper(),
            _canonical_path(request.url.raw_path.partition(b"?")[0].decode("ascii")),
            _canonical_query(request.url.query.decode("ascii")),
            *(f"{name}:{signed[name].strip()}" for name in sorted(signed)),
            "",
            names,
            hashlib.sha256(request.content).hexdigest(),
        )
    )
    to_sign = f"{ALGORITHM}\n{signed['x-sdk-date']}\n{hashlib.sha256(canonical.encode()).hexdigest()}"
    signature = hmac.new(key.secret.encode(), to_sign.encode(), hashlib.sha256).hexdigest()
    request.headers["Authorization"] = (
        f"{ALGORITHM} Access={key.access}, SignedHeaders={names}, Signature={signature}"
    )


def _canonical_path(path: str) -> str:
    encoded = "/".join(quote(part, safe="~") for part in unquote(path).split("/"))
    return encoded if encoded.endswith("/") else encoded + "/"


def _canonical_query(query: str) -> str:
    pairs = sorted(parse_qsl(query, keep_blank_values=True))
    return "&".join(f"{quote(name, safe='~')}={quote(value, safe='~')}" for name, value in pairs)
