"""One pass over a service, page by page: the loop that both services share, and its verdict.

Rules: semantics 4.1 (passes), 4.2 (paging), 4.7 (failure). The next page is read in a thread of its
own while the last one is worked on, one page ahead and no more.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from catalog.deadline import Deadline
from catalog.errors import BadListingError, FetchError
from catalog.fetch.http.background import BackgroundCall, DeadlineTask
from catalog.fetch.http.client import HttpClient, PageTooLargeError, Params, RefusedError
from catalog.fetch.listing.page import MOST_RECORDS, ParsedPage, read_page
from catalog.model import Lookup, Page, Verdict

LIMIT = "limit"
MARKER = "marker"
STEPS_BACK = 10
"""How many ids in a row may have vanished as markers before the pass is given up."""
_VANISHED = frozenset({400, 403, 404})


LEAST_PAGE_SIZE = 25
"""Images of a page: the fewest that are asked for where a gateway gives up on larger ones."""
RECORDS_FACTOR = 10
"""A page may hold this many times the records that were asked for, or MOST_RECORDS."""


@dataclass(slots=True)
class PageSize:
    """How many images to ask for at a time; the passes of a sweep share what they learn of it."""

    images: int

    def halve(self) -> None:
        self.images = max(LEAST_PAGE_SIZE, self.images // 2)


class PageLimitError(FetchError):
    """`max_pages` was reached and the listing goes on."""

    error_kind = "config"


@dataclass(frozen=True, slots=True)
class Pass:
    """The parameters to ask with. `required` makes the pass what it is; `optional` is left out where it is refused.

    `filters` are the user's: they beat `optional`, and are never left out.
    """

    name: str
    path: str
    required: dict[str, str] = field(default_factory=dict)
    optional: dict[str, str] = field(default_factory=dict)
    filters: dict[str, str] = field(default_factory=dict)

    def params(self, without: frozenset[str] = frozenset()) -> dict[str, str]:
        kept = {key: value for key, value in self.optional.items() if key not in without}
        return {**kept, **self.filters, **self.required}

    @property
    def refusable(self) -> list[str]:
        return [key for key in self.optional if key not in self.filters and key not in self.required]


Find = Callable[[HttpClient, str, DeadlineTask, Params], Lookup]
"""A look-up by id, with the parameters that each request of its connection has; never raises FetchError."""


@dataclass(frozen=True, slots=True)
class Dialect:
    """How one kind of service is asked. `required` names its passes, with what makes each one that pass."""

    path: str
    required: dict[str, dict[str, str]]
    optional: dict[str, dict[str, str]]
    listing: type[PagedListing]
    find: Find


class PagedListing(ABC):
    """A `catalog.model.Listing`. `verdict` is "failed" until the iteration came to its end."""

    def __init__(
        self, client: HttpClient, what: Pass, page_size: PageSize, max_pages: int, deadline: Deadline
    ) -> None:
        self.name = what.name
        self.verdict: Verdict = "failed"
        self.pages = 0
        self.records = 0
        self.last_marker: str | None = None
        self.error: FetchError | None = None
        self.refused = False
        self.refusal: FetchError | None = None
        self._client = client
        self._pass = what
        self._max_pages = max_pages
        self._task = DeadlineTask.before_merge(deadline)
        self._page_size = page_size
        self._most_records = max(MOST_RECORDS, page_size.images * RECORDS_FACTOR)
        self._base = what.params()
        self._onward: dict[str, str] | None = self._base
        self._asked: set[int] = set()
        self._seen: set[int] = set()
        self._trail: deque[str | None] = deque([None], maxlen=STEPS_BACK + 1)  # None: the listing's beginning
        self._steps = 0
        self._marker: str | None = None  # of the page read last
        self._impasse: FetchError | None = None

    @abstractmethod
    def _after(self, page: ParsedPage) -> dict[str, str] | None:
        """The parameters of the page after this one; None: this one was the last.

        Raises BadListingError: nothing tells where the listing goes on. What the page holds is kept even so.
        """

    def _closes(self, page: ParsedPage) -> bool:
        """True: the answer only says that the listing is over."""
        return False

    def __iter__(self) -> Iterator[Page]:
        sent = self._send()
        try:
            while True:
                page = sent.result()
                self.pages += 1
                self.records += len(page.records)
                self.last_marker = self._trail[-1]
                # of this page, and not of the one that is read meanwhile
                more, impasse = self._onward is not None, self._impasse
                at_limit = more and self.pages >= self._max_pages
                if more and not at_limit:
                    sent = self._send()
                if page.records:
                    yield Page(page.records)
                if at_limit:
                    self.verdict = "truncated"
                    self.error = PageLimitError(
                        f"max_pages = {self._max_pages} reached and the listing goes on; raise `max_pages`"
                    )
                    return
                if impasse is not None:
                    raise impasse
                if not more:
                    self.verdict = "complete"
                    return
        except FetchError as error:
            self.error = error
        finally:
            sent.give_up()
            self._seen = set()  # a tenth of a sweep's memory; the merge needs its own

    def _send(self) -> BackgroundCall[ParsedPage]:
        return BackgroundCall(self._turn, self._task, self._client.cut)

    def _turn(self) -> ParsedPage:
        """Reads the next page and finds where to go on. Runs in the reading thread, one page at a time."""
        steps = self._steps
        asked = self._onward or {}
        page = self._next(asked) if self._asked else self._first(asked)
        if self._closes(page):
            self._onward = None
            return ParsedPage([], [])
        onward = None
        try:
            onward = self._after(page)
        except BadListingError as error:
            self._impasse = error
        keys = page.keys()
        if not self._seen.issuperset(keys):
            self._steps = 0
        elif keys and self._steps == steps:
            # After a step back the same rows may come once more; on any other page they mean a loop.
            raise BadListingError(
                f"page {self.pages + 1} repeats what was listed before; the listing has no end"
            )
        elif onward is not None and _stamp(onward) in self._asked:
            raise BadListingError(f"page {self.pages + 1} leads back to a page that was read before")
        self._seen.update(keys)
        self._trail.extend(image_id for image_id in page.ids if image_id is not None)
        self._onward = onward
        return page

    def _ask(self, params: dict[str, str]) -> ParsedPage:
        """One page, of half the size where a gateway gives up on it (semantics 4.2)."""
        self._asked.add(_stamp(params))
        self._marker = params.get(MARKER)
        while True:
            size = self._size_of(params)
            asked = params if size is None else {**params, LIMIT: str(size)}
            can_be_smaller = size is not None and size > LEAST_PAGE_SIZE
            try:
                return self._client.get(
                    self._pass.path,
                    tuple(asked.items()),
                    lambda body: read_page(body, self._most_records),
                    self._task,
                    can_be_smaller=can_be_smaller,
                )
            except PageTooLargeError:
                self._page_size.halve()

    def _size_of(self, params: dict[str, str]) -> int | None:
        """The page size to ask for; None where the service takes none, or names one that is not a number."""
        limit = params.get(LIMIT, "")
        return min(int(limit), self._page_size.images) if limit.isdecimal() and len(limit) < 10 else None

    def _first(self, params: dict[str, str]) -> ParsedPage:
        """The first page. A 400 is taken as the refusal of a parameter: as few as possible are left out.

        First what the answers name, else each alone, at last all. Refused even so, a pass beside the main one
        holds no records.
        """
        try:
            return self._ask(params)
        except RefusedError as error:
            refusal = error
        refusable = self._pass.refusable
        alone = [frozenset({key}) for key in refusable]
        without: frozenset[str] = frozenset()
        last = refusal
        tried = {without}
        while last.status == 400:
            named = without.union(key for key in refusable if key.encode() in last.body)
            without = next((c for c in (named, *alone, frozenset(refusable)) if c not in tried), frozenset())
            if not without:
                break
            tried.add(without)
            try:
                page = self._ask(self._pass.params(without))
            except RefusedError as error:
                last = error
                continue
            self._base = self._pass.params(without)
            self.refused = True
            return page
        if last.status == 400 and self._pass.required and not self._pass.filters:
            # The service knows no such pass: it holds no records, and proves nothing by that.
            self.refused, self.refusal = True, last
            return ParsedPage([], [])
        raise refusal

    def _next(self, params: dict[str, str]) -> ParsedPage:
        """A later page. If its marker vanished, the page after the id before it, and so on."""
        try:
            return self._ask(params)
        except RefusedError as error:
            if error.status not in _VANISHED:
                raise
            refusal = error
        tried = {params.get(MARKER)}
        for marker in reversed(self._trail):
            if marker in tried or self._steps >= STEPS_BACK:
                continue
            tried.add(marker)
            self._steps += 1
            try:
                return self._ask(self._from(marker))
            except RefusedError as error:
                if error.status not in _VANISHED:
                    raise
        raise refusal

    def _from(self, marker: str | None) -> dict[str, str]:
        """The parameters of the page that follows an id; of the first page for None."""
        return self._base if marker is None else {**self._base, MARKER: marker}


def _stamp(params: dict[str, str]) -> int:
    return hash(frozenset(params.items()))
