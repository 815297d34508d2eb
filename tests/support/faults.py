"""Faults between a cloud and its client, for `CloudServer.faults` to play at chosen requests.

server.faults.add(status(503, retry_after="2"), at=2)
server.faults.add(hang(), when=lambda request: "marker" in request.query, times=None)
"""

from __future__ import annotations

import gzip
import json
import zlib
from collections.abc import Callable, Iterator
from typing import Any

from catalog.demo.answers import Answer, Request
from tests.support.cloud_server import Exchange, Fault, head

_BLOCK = b" " * 65536


def by_address(request: Request) -> bool:
    """A look-up of one image."""
    return request.path.startswith("/v2/images/")


def status(code: int, body: bytes = b"", retry_after: str | None = None) -> Fault:
    """This status; `retry_after` in seconds or as a date."""
    headers = {"Content-Type": "application/json"}
    if retry_after is not None:
        headers["Retry-After"] = retry_after
    return lambda exchange: exchange.send(Answer(code, body, headers))


def body(content: bytes, content_type: str = "application/json", **headers: str) -> Fault:
    """A 200 with this body; keywords are more headers, `_` standing for `-`."""
    named = {"Content-Type": content_type, **{key.replace("_", "-"): value for key, value in headers.items()}}
    return lambda exchange: exchange.send(Answer(200, content, named))


def html() -> Fault:
    """A 200 that is the sign-in page of somebody's proxy."""
    return body(b"<!doctype html><html><body>Sign in</body></html>", "text/html")


def images_null() -> Fault:
    return body(b'{"images": null}')


def altered(change: Callable[[dict[str, Any]], dict[str, Any] | None]) -> Fault:
    """The healthy listing with its decoded body changed: in place, or by what `change` returns."""

    def play(exchange: Exchange) -> None:
        answer = exchange.healthy()
        listing = json.loads(answer.body)
        exchange.send(Answer(answer.status, json.dumps(change(listing) or listing).encode(), answer.headers))

    return play


def next_link(link: str | None) -> Fault:
    """The healthy page with another `next`: absolute, foreign, the same for ever, or (None) none at all."""

    def change(listing: dict[str, Any]) -> None:
        listing.pop("next", None)
        if link is not None:
            listing["next"] = link

    return altered(change)


def first_page() -> Fault:
    """The first page again, whatever was asked."""

    def play(exchange: Exchange) -> None:
        asked = exchange.request
        query = {key: value for key, value in asked.query.items() if key != "marker"}
        exchange.send(exchange.service(Request(asked.method, asked.path, query, asked.headers)))

    return play


def redirect(location: str, code: int = 302) -> Fault:
    return lambda exchange: exchange.send(Answer(code, b"", {"Location": location}))


def close() -> Fault:
    """The connection ends without an answer."""

    def play(exchange: Exchange) -> None:
        exchange.close = True

    return play


def hang() -> Fault:
    """No byte, until the server stops."""

    def play(exchange: Exchange) -> None:
        exchange.close = True
        exchange.stopping.wait()

    return play


def drip(interval: float = 0.02, *, headers: bool = False) -> Fault:
    """The healthy answer a byte at a time; with `headers` from its first byte on, else from the body's."""

    def play(exchange: Exchange) -> None:
        answer = exchange.healthy()
        top = head(answer, {"Content-Length": str(len(answer.body))})
        exchange.close = True
        if not headers:
            exchange.write(top)
        for byte in (top if headers else b"") + answer.body:
            exchange.write(bytes([byte]))
            if exchange.stopping.wait(interval):
                return

    return play


def cut(share: float = 0.5, *, chunked: bool = False, announced: bool = True) -> Fault:
    """A part of the healthy body, then the end of the connection.

    The body's length is announced, or it comes in chunks of which the last is missing, or (neither) the end
    of the connection is the only sign of its end.
    """

    def play(exchange: Exchange) -> None:
        answer = exchange.healthy()
        part = answer.body[: int(len(answer.body) * share)]
        exchange.close = True
        if chunked:
            exchange.write(head(answer, {"Transfer-Encoding": "chunked"}))
            exchange.write(b"%x\r\n%b\r\n" % (len(part), part))
        elif announced:
            exchange.send(Answer(answer.status, part, answer.headers), len(answer.body))
        else:
            exchange.write(head(answer, {"Connection": "close"}) + part)

    return play


def zipped() -> Fault:
    """The healthy answer as gzip."""

    def play(exchange: Exchange) -> None:
        answer = exchange.healthy()
        headers = {**answer.headers, "Content-Encoding": "gzip"}
        exchange.send(Answer(answer.status, gzip.compress(answer.body), headers))

    return play


def gzip_bomb(size: int) -> Fault:
    """A small body that inflates to `size` bytes of blanks inside a listing."""
    return body(gzipped_blanks(size, b'{"images": ['), Content_Encoding="gzip")


def gzipped_blanks(size: int, before: bytes = b"") -> bytes:
    """Gzip of so many blanks, made at once: one packed MiB again and again. It lacks its end, which nobody reaches."""
    packer = zlib.compressobj(wbits=31)
    start = packer.compress(before) + packer.flush(zlib.Z_FULL_FLUSH)
    return start + (packer.compress(b" " * 2**20) + packer.flush(zlib.Z_FULL_FLUSH)) * (size >> 20)


def endless_body() -> Fault:
    """Blanks for ever, in chunks."""

    def play(exchange: Exchange) -> None:
        exchange.close = True
        exchange.write(
            b"HTTP/1.1 200 -\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"
        )
        for block in _until_stopped(exchange, b"%x\r\n%b\r\n" % (len(_BLOCK), _BLOCK)):
            exchange.write(block)

    return play


def endless_headers() -> Fault:
    """Headers that never come to an end."""

    def play(exchange: Exchange) -> None:
        exchange.close = True
        exchange.write(b"HTTP/1.1 200 -\r\n")
        for line in _until_stopped(exchange, b"X-More: " + b"x" * 1000 + b"\r\n"):
            exchange.write(line)

    return play


def _until_stopped(exchange: Exchange, block: bytes) -> Iterator[bytes]:
    while not exchange.stopping.is_set():
        yield block
