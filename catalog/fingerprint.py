"""One hash for all that is compared or keyed by one: every machine has it, in FIPS mode too."""

from __future__ import annotations

from collections.abc import Iterable
from hashlib import sha256

LENGTH = 16
"""Bytes of a fingerprint."""


def fingerprint(content: bytes) -> bytes:
    """Bytes that stand for the content. Not to be changed: databases are full of them."""
    return sha256(content).digest()[:LENGTH]


def fingerprint_of(parts: Iterable[bytes]) -> bytes:
    """The fingerprint of all parts together, for more than memory should hold."""
    whole = sha256()
    for part in parts:
        whole.update(part)
    return whole.digest()[:LENGTH]
