"""`catalog sources --check`: one login and one image of each source, before anything is swept."""

from __future__ import annotations

from contextlib import closing
from dataclasses import dataclass, fields, replace
from datetime import UTC, datetime

import structlog

from catalog.config.settings import SourceSettings
from catalog.deadline import Deadline
from catalog.errors import CatalogError, UnexpectedError
from catalog.fetch.auth.login import Credential, connect, describe_credential
from catalog.fetch.http.connection import Connection
from catalog.fetch.listing.service import open_service
from catalog.model import DEFAULT_PASSES, Listing

log = structlog.get_logger("catalog.check")
SECONDS = 30.0
"""How long the check of one source may take."""
CHEAP_PAGES = 2
"""Pages read for the sake of a count; the Image Management Service needs two to say that one is all."""


@dataclass(frozen=True, slots=True)
class Checked:
    """The result of a check. `images`: how many are visible in the first pass, None where counting is dear.

    `login_expires_in`: seconds that the credential has left, None where it has no end that is known.
    """

    source: str
    ok: bool
    project: str | None = None
    region: str | None = None
    images: int | None = None
    login_expires_in: int | None = None
    endpoint: str | None = None
    error_kind: str | None = None
    error: str | None = None


CHECK_COLUMNS = tuple(field.name for field in fields(Checked))


def check(source: SourceSettings) -> Checked:
    """Logs in, lists one image, and counts them where two pages hold all. Never raises."""
    try:
        deadline = Deadline(min(SECONDS, source.deadline))
        connection = connect(source, deadline)
        credential = describe_credential(connection)
        first = source.passes[0] if source.passes else DEFAULT_PASSES[source.kind][0]
        sample = replace(source, page_size=1, max_pages=1)
        sampled = _read(sample, deadline, connection, first)
        if sampled.verdict == "failed":
            assert sampled.error is not None
            return _failed(_described(source, credential), sampled.error)
        counted = sampled
        if sampled.verdict == "truncated":
            cheap = replace(source, max_pages=CHEAP_PAGES)
            counted = _read(cheap, deadline, connection, first)
        images = counted.records if counted.verdict == "complete" else None
        return replace(_described(source, credential), images=images)
    except CatalogError as error:
        return refused(source.name, error)
    except Exception as error:
        log.exception("unexpected", source=source.name)
        return refused(source.name, UnexpectedError(error))


def refused(name: str, error: CatalogError) -> Checked:
    """A source that could not even be logged in to."""
    return _failed(Checked(name, ok=False), error)


def _read(source: SourceSettings, deadline: Deadline, connection: Connection, name: str) -> Listing:
    with closing(open_service(source, deadline, connection)) as service:
        listing = service.listing(name)
        for _ in listing:
            pass
        return listing


def _failed(checked: Checked, error: CatalogError) -> Checked:
    return replace(checked, ok=False, error_kind=error.error_kind or "upstream", error=str(error))


def _described(source: SourceSettings, credential: Credential) -> Checked:
    left = credential.seconds_left(datetime.now(UTC))
    return Checked(
        source.name,
        ok=True,
        project=credential.project_name or credential.project_id,
        region=credential.region or source.region,
        login_expires_in=None if left is None else int(left),
        endpoint=credential.endpoint,
    )
