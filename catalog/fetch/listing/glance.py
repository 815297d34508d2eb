"""OpenStack Glance v2: `GET /v2/images`, following `next`.

Facts: Glance API reference v2, "List images"; what a real server does is in the documentation's notes on it.
"""

from __future__ import annotations

from urllib.parse import parse_qsl, quote

from catalog.errors import BadListingError, FetchError
from catalog.fetch.http.background import DeadlineTask
from catalog.fetch.http.client import HttpClient, Params, RefusedError
from catalog.fetch.http.endpoint import AddressError, parse_address
from catalog.fetch.listing.page import ParsedPage, read_record
from catalog.fetch.listing.passes import LIMIT, MARKER, Dialect, PagedListing
from catalog.model import Lookup

LISTING = "/v2/images"


class GlanceListing(PagedListing):
    """Follows `next`, of which only the marker and the page size count.

    Its path never carries the service's prefix, its host may be an inner one, or a stranger's, and what else its query
    says may lead into another listing, or a part of this one.
    """

    def _after(self, page: ParsedPage) -> dict[str, str] | None:
        link = page.link()
        if link is None:
            return None
        try:
            query = parse_address(link, self._client.root).query.decode()
        except AddressError:
            raise BadListingError("the listing's `next` is not an address") from None
        named = dict(parse_qsl(query, keep_blank_values=True))
        return {**self._base, **{key: named[key] for key in (MARKER, LIMIT) if key in named}}


def find(client: HttpClient, image_id: str, task: DeadlineTask, extra: Params) -> Lookup:
    """The answer to `GET /v2/images/{id}`: 200, 404 and 403 decide, any other answer decides nothing.

    Neither does one from elsewhere: a page to log in at may say 404 or 403 too.
    """
    try:
        record = client.get(image_path(image_id), extra, lambda body: read_record(body, image_id), task)
        return Lookup("found", record)
    except RefusedError as error:
        # A gateway's own 404 speaks of the path, not of the image.
        by_gateway = (error.code or "").startswith("APIG")
        # Many servers take %2F for a slash, and so answer for another address.
        decides = not by_gateway and "/" not in image_id
        if error.status == 404 and decides:
            return Lookup("not_found")
        if error.status == 403 and decides:
            return Lookup("no_access")
        return Lookup("unanswered", error=error)
    except FetchError as error:
        return Lookup("unanswered", error=error)


def image_path(image_id: str) -> str:
    """Where an image lives. Raises BadListingError for an id that no path can carry as it was."""
    if image_id in (".", "..") or "\ufffd" in image_id:
        raise BadListingError("this id can't be asked for: no path carries it unchanged")
    return f"{LISTING}/{quote(image_id, safe='')}"


_EVERYTHING = {"visibility": "all", "member_status": "all", "sort": "created_at:asc"}

GLANCE = Dialect(
    path=LISTING,
    # os_hidden=false is the default, and not sent: a service from before hidden images would take it for a
    # property, and list nothing.
    required={"listed": {}, "hidden": {"os_hidden": "true"}},
    # All that the credentials may see, oldest first, so that newcomers land at the end. Never `sort_key`
    # twice: `next` keeps only one of equal keys.
    optional={"listed": _EVERYTHING, "hidden": _EVERYTHING},
    listing=GlanceListing,
    find=find,
)
