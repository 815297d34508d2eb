"""The Image Management Service: `GET /v2/cloudimages`, whose pages carry no link.

Facts: "Querying Images" of its API reference; that a page's last id is the next one's marker, and an empty
page the end, is how its clients in the field page.
"""

from __future__ import annotations

from catalog.errors import BadListingError, FetchError, LoginError, ThrottledError
from catalog.fetch.http.background import DeadlineTask
from catalog.fetch.http.client import HttpClient, Params, RefusedError
from catalog.fetch.listing import glance
from catalog.fetch.listing.page import ParsedPage, read_page
from catalog.fetch.listing.passes import MARKER, Dialect, PagedListing
from catalog.model import Lookup

LISTING = "/v2/cloudimages"


class ImsListing(PagedListing):
    """Goes on from the last id until an answer is empty, or holds only the marker and what stood behind it."""

    _tail: frozenset[int] = frozenset()

    def _closes(self, page: ParsedPage) -> bool:
        # After a step back the marker is not the last id of the page before.
        marker = set() if self._marker is None else {hash(self._marker)}
        return (self._tail | marker).issuperset(page.keys())

    def _after(self, page: ParsedPage) -> dict[str, str] | None:
        last = max((at for at, image_id in enumerate(page.ids) if image_id is not None), default=None)
        if last is None:
            raise BadListingError("a page without a usable id; nothing tells where the listing goes on")
        # Records without an id may stand behind the marker: a service sends them again, and means the end.
        self._tail = frozenset(page.keys()[last:])
        return {**self._base, MARKER: page.ids[last] or ""}


def find(client: HttpClient, image_id: str, task: DeadlineTask, extra: Params) -> Lookup:
    """The listing with `id=`, then the image's own address: found in either; else what the latter says.

    The listing leaves out unregistered images and shares that are not accepted; the address answers for them.
    It says "not found" only behind an empty listing.
    """
    try:
        page = _by_filter(client, image_id, task, extra)
    except FetchError as error:
        if isinstance(error, ThrottledError | LoginError):
            return Lookup("unanswered", error=error)  # the address would say the same
        by_id = glance.find(client, image_id, task, ())
        return by_id if by_id.answer == "found" else Lookup("unanswered", error=by_id.error or error)
    for found, record in zip(page.ids, page.records, strict=True):
        if found == image_id:
            return Lookup("found", bytes(record))
    by_id = glance.find(client, image_id, task, ())
    if by_id.answer == "not_found" and page.records:
        return Lookup(
            "unanswered", error=BadListingError("the listing ignores `id`; its answer proves nothing")
        )
    return by_id


def _by_filter(client: HttpClient, image_id: str, task: DeadlineTask, extra: Params) -> ParsedPage:
    try:
        return client.get(LISTING, (("id", image_id), *extra), read_page, task)
    except RefusedError as error:
        if error.status != 400 or not extra:
            raise
        return client.get(LISTING, (("id", image_id),), read_page, task)


_OLDEST_FIRST = {"sort_key": "created_at", "sort_dir": "asc"}

IMS = Dialect(
    path=LISTING,
    required={
        "listed": {},
        "pending": {"member_status": "pending"},
        "market": {"__imagetype": "market"},
    },
    optional={
        "listed": _OLDEST_FIRST,
        "pending": {"visibility": "shared", "__imagetype": "shared", **_OLDEST_FIRST},
        "market": _OLDEST_FIRST,
    },
    listing=ImsListing,
    find=find,
)
