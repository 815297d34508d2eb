"""An image service as a sweep sees it: listings, look-ups, counters."""

from __future__ import annotations

from datetime import datetime

from catalog.config.settings import SourceSettings
from catalog.deadline import Deadline
from catalog.errors import ConfigurationError, FetchError
from catalog.fetch.http.background import BackgroundCall, DeadlineTask
from catalog.fetch.http.client import HttpClient, Limits
from catalog.fetch.http.connection import Connection, of_project
from catalog.fetch.http.retry import Patience
from catalog.fetch.listing.glance import GLANCE
from catalog.fetch.listing.ims import IMS
from catalog.fetch.listing.passes import LIMIT, Dialect, PagedListing, PageSize, Pass
from catalog.model import ImageService, Lookup, SourceKind


def open_service(
    source: SourceSettings,
    deadline: Deadline,
    connection: Connection,
    *,
    limits: Limits | None = None,
    patience: Patience | None = None,
) -> ImageService:
    """The service behind a connection; the caller closes it. Raises ConfigurationError."""
    return HttpService(source, deadline, connection, HttpClient(connection, limits=limits, patience=patience))


class HttpService:
    """A `catalog.model.ImageService` behind HTTP, of either kind."""

    def __init__(
        self, source: SourceSettings, deadline: Deadline, connection: Connection, client: HttpClient
    ) -> None:
        self.region = connection.region or source.region
        self.project_id = connection.project_id or source.project_id
        self.endpoint = client.endpoint
        self._dialect = _DIALECTS[source.kind]
        self._source = source
        self._deadline = deadline
        self._connection = connection
        self._client = client
        self._page_size = PageSize(source.page_size)

    def logins(self, *, again: bool = False) -> frozenset[frozenset[str]]:
        if again:
            self._client.repeat_login()
        return frozenset(of_project(login, self.project_id) for login in self._connection.logins)

    @property
    def requests(self) -> int:
        return self._client.requests

    @property
    def retries(self) -> int:
        return self._client.retries

    def listing(self, pass_name: str, since: datetime | None = None) -> PagedListing:
        """A pass, not yet begun. Raises ConfigurationError for one that this kind of service doesn't know."""
        required = self._dialect.required.get(pass_name)
        if required is None:
            known = ", ".join(self._dialect.required)
            raise ConfigurationError(f"source {self._source.name}: passes: {pass_name!r}, expected {known}")
        if since is not None:
            required = {**required, "updated_at": f"gte:{since:%Y-%m-%dT%H:%M:%SZ}"}
        optional = {
            **self._dialect.optional[pass_name],
            **self._connection.extra_params,
            LIMIT: str(self._source.page_size),
        }
        what = Pass(pass_name, self._dialect.path, required, optional, dict(self._source.filters))
        return self._dialect.listing(
            self._client, what, self._page_size, self._source.max_pages, self._deadline
        )

    def lookup(self, image_id: str, *, listed: bool = False) -> Lookup:
        """Asks for one image by id. Never raises FetchError; what brings no decision is "unanswered".

        One that is `listed` is asked for at its own address alone: whether that tells what is there.
        Ends while a tenth of the deadline is left, so that the sweep can still be merged.
        """
        task = DeadlineTask.before_merge(self._deadline)
        extra = tuple(self._connection.extra_params.items())

        def find() -> Lookup:
            if listed:
                return GLANCE.find(self._client, image_id, task, ())
            return self._dialect.find(self._client, image_id, task, extra)

        sent = BackgroundCall(find, task, self._client.cut)
        try:
            return sent.result()
        except FetchError as error:
            return Lookup("unanswered", error=error)
        finally:
            sent.give_up()

    def project_names(self) -> list[tuple[str, str, str | None]]:
        auth = self._connection.auth
        return auth.project_names() if auth else []

    def close(self) -> None:
        self._client.close()


_DIALECTS: dict[SourceKind, Dialect] = {"glance": GLANCE, "ims": IMS}
