"""Ends of support from the JSON of endoflife.date: dates, true and false; free and paid phases apart."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from catalog.errors import UsageError
from catalog.store.db.connection import Connection

LARGEST_FILE = 32 << 20
"""Unit: bytes; the file with all products has a tenth of it."""
DISTROS = {
    "alpine-linux": "alpine", "amazon-linux": "amazon", "oracle-linux": "oraclelinux", "rocky-linux": "rocky",
    "windows-server": "windows",
}  # fmt: skip
"""Products of endoflife.date that have another name here."""
FREE_EXTENSION = {"debian": "lts"}
"""Where the phase after the vendor's security updates is free: made by a community."""
_RELEASES = {"2008-r2-sp1": "2008-r2", "2008-sp2": "2008", "2003-sp2": "2003"}


class Phase(NamedTuple):
    """A row of `os_support`."""

    distro: str
    release: str
    phase: str
    ends_on: date | None
    over: bool
    source: str


def read(file: Path, distro: str | None = None) -> list[Phase]:
    """The phases that a file holds: a product, a product with its releases, or all products.

    `distro` names the system; default: what the file says, else the file's name. Raises UsageError.
    """
    try:
        with file.open("rb") as opened:
            raw = opened.read(LARGEST_FILE + 1)
        if len(raw) > LARGEST_FILE:
            raise UsageError(f"{file} is larger than {LARGEST_FILE >> 20} MiB: not a file of endoflife.date")
        told = msgspec.json.decode(raw)
    except OSError as error:
        raise UsageError(f"{file}: {error.strerror}") from error
    except msgspec.DecodeError as error:
        raise UsageError(f"{file} is not JSON: {error}") from error
    if isinstance(told, dict) and "result" in told:
        told = told["result"]
    products = told if _is_list_of_products(told) else [told]
    if distro is not None and len(products) > 1:
        raise UsageError(f"{file} holds {len(products)} products: leave out --distro")
    rows = [row for product in products for row in _phases(product, distro, file)]
    if not rows:
        raise UsageError(f"{file} holds no release with an end of support, in the form of endoflife.date")
    return rows


def save(connection: Connection, rows: list[Phase]) -> int:
    """Takes phases over in place of those of the same name; the number of rows that were not so before."""
    cursor = connection.cursor()
    cursor.executemany(
        "INSERT INTO os_support AS o (distro, release, phase, ends_on, over, source, builtin)"
        " VALUES (%s, %s, %s, %s, %s, %s, false) ON CONFLICT (distro, release, phase) DO UPDATE"
        " SET (ends_on, over, source, builtin) = (excluded.ends_on, excluded.over, excluded.source, false)"
        " WHERE (o.ends_on, o.over, o.source) IS DISTINCT FROM (excluded.ends_on, excluded.over, excluded.source)",
        rows,
    )
    return cursor.rowcount


def _is_list_of_products(told: Any) -> bool:
    return isinstance(told, list) and any(isinstance(one, dict) and "releases" in one for one in told)


def _phases(product: Any, distro: str | None, file: Path) -> Iterator[Phase]:
    releases = product
    name = file.name.partition(".")[0]
    if isinstance(product, dict):
        releases, name = product.get("releases"), str(product.get("name") or name)
    if not isinstance(releases, list):
        raise UsageError(f"{file} is not in the form of endoflife.date: expected a list of releases")
    system = distro or DISTROS.get(name, name)
    source = f"endoflife.date/{name}, loaded from {file.name}"
    for release in releases:
        if not isinstance(release, dict):
            continue
        cycle = release.get("cycle", release.get("name"))
        if not isinstance(cycle, str) or not re.fullmatch(r"[\w.+ -]{1,60}", cycle):
            continue
        called = _RELEASES.get(cycle, cycle) if system == "windows" else cycle
        for phase, ends_on, over in _told(release, system):
            yield Phase(system, called, phase, ends_on, over, source)


def _told(release: dict[str, Any], system: str) -> Iterator[tuple[str, date | None, bool]]:
    """Phases of a release. In the older form `support` and `extendedSupport` are true while they last, `eol` once it is
    over; in the newer one `isEoas` and the like are true once it is over."""
    beyond = FREE_EXTENSION.get(system, "extended")
    for phase, old, new, lasts in (
        ("active", "support", "Eoas", True),
        ("security", "eol", "Eol", False),
        (beyond, "extendedSupport", "Eoes", True),
    ):
        if old in release:
            value = release[old]
            if isinstance(value, str):
                if (day := _day(value)) is not None:
                    yield phase, day, False
            elif isinstance(value, bool) and not (phase == beyond and value is False):
                # no extended support at all is not a phase
                yield phase, None, value is not lasts
        elif f"is{new}" in release and release[f"is{new}"] is not None:
            first = "e" + new[1:] + "From"
            yield (
                phase,
                _day(release.get(first)),
                _day(release.get(first)) is None and release[f"is{new}"] is True,
            )


def _day(text: Any) -> date | None:
    try:
        return date.fromisoformat(text) if isinstance(text, str) else None
    except ValueError:
        return None
