"""Bytes of an answer's body, within bounds: on the wire, and after inflation."""

from __future__ import annotations

import io
import zlib
from collections.abc import Iterable, Iterator

from catalog.errors import BadListingError

DEFAULT_BOUND = 32 * 1024 * 1024
"""Bytes of one page, on the wire and after inflation: ten times a page of a thousand images."""

_STEP = 256 * 1024


class CutBodyError(BadListingError):
    """A body that ends before its end; asking again may help."""


def read_body(chunks: Iterable[bytes], encoding: str, max_wire: int, max_inflated: int) -> bytes:
    """The whole body, decoded. Raises BadListingError beyond a bound, CutBodyError for a cut gzip stream."""
    wire = _bounded(chunks, max_wire, "bytes on the wire")
    match encoding.strip().lower():
        case "" | "identity":
            return _joined(wire)
        case "gzip" | "x-gzip":
            return _joined(_bounded(_inflate(wire), max_inflated, "bytes after inflation"))
        case _:
            raise BadListingError("the body is compressed in a way that was not asked for")


def _joined(chunks: Iterable[bytes]) -> bytes:
    """In place: a list of chunks and their sum would take twice the memory."""
    body = io.BytesIO()
    body.writelines(chunks)
    return body.getvalue()


def _bounded(chunks: Iterable[bytes], bound: int, what: str) -> Iterator[bytes]:
    total = 0
    for chunk in chunks:
        total += len(chunk)
        if total > bound:
            raise BadListingError(
                f"the page has more than {bound} {what}; lower `page_size` if it is genuine"
            )
        yield chunk


def _inflate(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """Inflates in steps of at most 256 KiB, so that a bomb is noticed before it is in memory."""
    inflater = zlib.decompressobj(wbits=31)
    try:
        for chunk in chunks:
            while chunk:
                if inflater.eof:  # gzip members may follow one another
                    inflater = zlib.decompressobj(wbits=31)
                yield inflater.decompress(chunk, _STEP)
                chunk = inflater.unconsumed_tail or inflater.unused_data
        while not inflater.eof and (rest := inflater.decompress(b"", _STEP)):  # what a full step left inside
            yield rest
    except zlib.error as error:
        raise BadListingError("the body is not a gzip stream, though it says so") from error
    if not inflater.eof:
        raise CutBodyError("the body's gzip stream ends before its end")
