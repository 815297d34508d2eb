"""HTTP of logins: a session that reads no more of an answer than a login can need.

requests reads whatever comes and inflates it; every request of keystoneauth1, version documents and federated
logins included, goes through this session instead.
"""

from __future__ import annotations

from typing import Any

import requests
from keystoneauth1.session import TCPKeepAliveAdapter

from catalog.text import has_too_many_values

MOST_BYTES = 16 * 1024 * 1024
"""Of one answer, inflated: fifty thousand projects, or a catalogue of as many endpoints."""
MOST_VALUES = 1_000_000
CONNECT_SECONDS = 5.0
"""How long an address may take to take a connection, its encryption included."""
_CHUNK = 8192
"""Bytes read at a time: what they inflate to is in memory before it is counted."""
_ENCODINGS = ("", "identity", "gzip", "deflate")
"""One of them; several, one in the other, would inflate a thousandfold each."""


class AnswerTooLarge(Exception):
    """An answer with more bytes or values than any identity service sends, or packed in a way nobody asked for."""


class BoundedAdapter(TCPKeepAliveAdapter):
    """Reads each answer whole before anybody else does, up to its bounds."""

    def send(self, request: requests.PreparedRequest, *args: Any, **options: Any) -> requests.Response:
        request.headers["Accept-Encoding"] = "identity"
        timeout = options.get("timeout")
        if isinstance(timeout, float):
            options["timeout"] = min(timeout, CONNECT_SECONDS), timeout
        response: requests.Response = super().send(request, *args, **{**options, "stream": True})
        try:
            body = _read(response)
        except BaseException:
            response.close()
            raise
        response._content, response._content_consumed = body, True  # as requests' own `content` does
        response.encoding = response.encoding or "utf-8"  # else requests guesses it, for minutes
        return response


def bounded_session() -> requests.Session:
    session = requests.Session()
    for scheme in list(session.adapters):
        session.mount(scheme, BoundedAdapter())
    return session


def _read(response: requests.Response) -> bytes:
    if response.headers.get("Content-Encoding", "").strip().lower() not in _ENCODINGS:
        raise AnswerTooLarge
    body = bytearray()
    for chunk in response.iter_content(_CHUNK):
        body += chunk
        if len(body) > MOST_BYTES:
            raise AnswerTooLarge
    if has_too_many_values(bytes(body), MOST_VALUES):
        raise AnswerTooLarge
    return bytes(body)
