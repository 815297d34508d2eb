"""Listings that nobody would send on purpose (hypothesis): odd keys, long and undecodable texts, huge numbers."""

from __future__ import annotations

import json
import random
from dataclasses import dataclass
from typing import Any

from hypothesis import strategies as st

from catalog.fields import CAPABILITIES, FIELDS


@dataclass(frozen=True)
class Spelled:
    """A JSON value in one spelling."""

    spelling: str


@dataclass(frozen=True)
class Pairs:
    """A JSON object as it is spelled: keys may come twice."""

    members: tuple[tuple[str, Any], ...]


def write(value: Any) -> str:
    """The value as JSON."""
    if isinstance(value, Spelled):
        return value.spelling
    if isinstance(value, dict):
        value = Pairs(tuple(value.items()))
    if isinstance(value, Pairs):
        return "{" + ",".join(f"{json.dumps(key)}:{write(member)}" for key, member in value.members) + "}"
    if isinstance(value, list):
        return "[" + ",".join(map(write, value)) + "]"
    return json.dumps(value)


def noise(length: int, seed: int, alphabet: str) -> str:
    """Text that no compression shortens: what decides whether an index can hold it."""
    return "".join(random.Random(seed).choices(alphabet, k=length))


WIDE = "".join(map(chr, [*range(0x1F300, 0x1F600), *range(0x20000, 0x20200)]))
NARROW = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789+/"
lengths = st.sampled_from([63, 64, 65, 249, 250, 251, 255, 256, 999, 1000, 1001, 2700, 2800, 8200, 100_000])
long_texts = st.builds(noise, lengths, st.integers(0, 9), st.sampled_from([NARROW, WIDE]))
short_texts = st.one_of(
    st.text(st.characters(codec=None), max_size=6),
    st.text("\0\ud83d\udc4d\u202e\u200f\x1b\n\t\\\"',{}%:; ", max_size=6),
    st.sampled_from(
        ["true", "False", "deleted", "active", "instance,a", "1e999999", "NULL", "{}", "\\N", "\\.", "a,b"]
    ),
)
moments = st.one_of(
    st.sampled_from(
        [
            "0001-01-01T00:00:00Z", "0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59.999999Z",
            "9999-12-31T23:59:59-12:00", "1970-01-01", "2026-02-30T00:00:00Z", "2026-06-30T23:59:60Z",
            "4714-11-24T00:00:00Z", "2000-01-01T00:00:00+23:59",
        ]
    ),
    st.datetimes().map(lambda moment: moment.isoformat() + "Z"),
)  # fmt: skip
texts = st.one_of(short_texts, short_texts, long_texts, moments)
numbers = st.one_of(
    st.integers(),
    st.sampled_from([2**31 - 1, 2**31, -(2**31) - 1, 2**63 - 1, 2**63, -(2**63), -(2**63) - 1]),
    st.from_regex(r"\A-?(0|[1-9][0-9]{0,25})(\.[0-9]{1,8})?([eE][+-]?[0-9]{1,6})?\Z").map(Spelled),
    st.sampled_from(
        [
            "1" * 5000, "-0", "1e131071", "1e131072", "1e-16383", "1e-16384", "0e99999999999999999999",
            "0." + "0" * 17_000 + "1", "NaN", "-Infinity",
        ]
    ).map(Spelled),
)  # fmt: skip
scalars = st.one_of(st.none(), st.booleans(), numbers, texts)


@st.composite
def deep(draw: st.DrawFn) -> Spelled:
    levels = draw(st.sampled_from([50, 199, 200, 201, 1000, 20_000]))
    opening, closing = draw(st.sampled_from([("[", "]"), ('{"a":', "}")]))
    return Spelled(opening * levels + "1" + closing * levels)


values = st.one_of(
    scalars,
    st.recursive(
        scalars,
        lambda inner: st.one_of(
            st.lists(inner, max_size=4),
            st.lists(st.tuples(short_texts, inner), max_size=4).map(lambda pairs: Pairs(tuple(pairs))),
        ),
        max_leaves=8,
    ),
    st.sampled_from([1, 20, 3000]).flatmap(lambda size: st.lists(texts, min_size=1, max_size=3).map(
        lambda some: [f"{text}{n}" for n in range(size) for text in some if len(text) < 300]
    )),
)  # fmt: skip
KEYS = [
    *(key for field in FIELDS for key in field.keys),
    *(known.upstream_key for known in CAPABILITIES),
    "id", "tags", "tags", "tags", "status", "status", "updated_at", "deleted_at", "deleted_at", "name",
    "locations", "direct_url", "__support_unheard",
]  # fmt: skip
keys = st.one_of(
    st.sampled_from(KEYS),
    short_texts,
    long_texts,
    st.builds("__support_{}".format, st.one_of(short_texts, long_texts)),
)
ids = st.one_of(
    st.sampled_from(["a", "b", "a\0", "a\ufffd"]),
    st.builds(noise, st.sampled_from([254, 255, 256]), st.integers(0, 3), st.sampled_from([NARROW, WIDE])),
    short_texts,
)


@st.composite
def records(draw: st.DrawFn) -> Any:
    """A record with an id; members for known keys are mostly of a likely kind."""
    members: list[tuple[str, Any]] = [("id", draw(ids))]
    for key in draw(st.lists(keys, max_size=10)):
        if key == "tags":
            value = draw(st.one_of(st.lists(texts, max_size=6), values))
        elif key.endswith("_at"):
            value = draw(st.one_of(moments, moments, values))
        else:
            value = draw(st.one_of(values, values, values, deep()))
        members.append((key, value))
    return Pairs(tuple(members))


listings = st.lists(st.one_of(records(), records(), records(), values), max_size=5)


def body(listing: list[Any]) -> bytes:
    """The listing as a service would send it."""
    return write(Pairs((("images", listing),))).encode("utf-8", "surrogatepass")
