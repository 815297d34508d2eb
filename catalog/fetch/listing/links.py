"""The keys of a listing's pages: where it goes on, which listing it is, and whether one stands there twice."""

from __future__ import annotations

import json
from collections import Counter
from urllib.parse import parse_qsl, urlsplit

from catalog.config.configured_sources import PAGING_PARAMETERS
from catalog.text import outline

EVERYTHING = (
    ("visibility", "all"), ("member_status", "all"), ("member_status", "accepted"), ("os_hidden", "false"),
    ("enterprise_project_id", "all_granted_eps"),
)  # fmt: skip
"""Parameters by which a listing leaves no image out."""
PAGE_KEYS = ("images", "next", "links", "first")
"""Keys of a page that tell of its listing."""
_LONGEST = 64 * 2**10

Listing = frozenset[tuple[str, str]]
"""The parameters that a listing was asked for with, without those of its pages."""


def next_link(link: object, links: object) -> object:
    """Where a listing goes on, by a page's `next`, else by the one among its `links`; None after the last page."""
    if link in (None, ""):
        if isinstance(links, dict):
            link = links.get("next")
        elif isinstance(links, list):
            link = next((one for one in links if isinstance(one, dict) and one.get("rel") == "next"), None)
        link = link.get("href", link) if isinstance(link, dict) else link
    return None if link in (None, "") else link


def repeated_key(page: bytes, images: bytes) -> str | None:
    """A key that tells of a listing and stands twice in a page, as where two were joined as text; readers of JSON keep
    the last one alone. `images`: the list that they keep."""
    rest = outline(page.replace(images, b"null", 1)).decode("utf-8", "replace")
    try:
        pairs = json.loads(rest, strict=False, parse_int=str, object_pairs_hook=list)
    except ValueError:
        return None
    counts = Counter(key for key, _ in pairs)
    return next((key for key in PAGE_KEYS if counts[key] > 1), None)


def listing_of(link: object) -> Listing | None:
    """The listing that a link of its page tells of; None where it tells nothing."""
    try:
        if not isinstance(link, str) or len(link) > _LONGEST:
            return None
        pairs = parse_qsl(urlsplit(link).query, keep_blank_values=True)
    except ValueError:
        return None
    return frozenset(pair for pair in pairs if pair[0] not in PAGING_PARAMETERS)
