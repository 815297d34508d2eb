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
from catalog.fetch.listing.paging import Dialect, PagedListing
from catalog.model import LookUp

LISTING = "/v2/images"


class GlanceListing(PagedListing):
    """Follows `next`, of which only the query counts.

    Its path never carries the service's prefix, and its host may be an inner one, or a stranger's.
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
        # A link that forgets our parameters must not lead into another listing, nor one that bends them. Page
        # size and order are the service's to translate: it may name the order as sort_key and sort_dir.
        own = {key: value for key, value in self._base.items() if key not in ("limit", "sort")}
        theirs = {"sort"} if "sort_key" in named else set()
        ours = {key: value for key, value in self._base.items() if key not in theirs}
        return {**ours, **named, **own}


def find(client: HttpClient, image_id: str, task: DeadlineTask, extra: Params) -> LookUp:
    """The answer to `GET /v2/images/{id}`: 200, 404 and 403 decide, any other answer decides nothing.

    Neither does one from elsewhere: a page to log in at may say 404 or 403 too.
    """
    try:
        record = client.get(image_path(image_id), extra, lambda body: read_record(body, image_id), task)
        return LookUp("found", record)
    except RefusedError as error:
        # A gateway's own 404 speaks of the path, not of the image.
        by_gateway = (error.code or "").startswith("APIG")
        if error.status == 404 and not by_gateway:
            return LookUp("not_found")
        if error.status == 403 and not by_gateway:
            return LookUp("no_access")
        return LookUp("unanswered", error=error)
    except FetchError as error:
        return LookUp("unanswered", error=error)


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
