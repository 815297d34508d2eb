"""Whatever the mapping accepts can be stored, read back by every view, and shown as of any moment (hypothesis
through envelope, intake and merge, into a real database)."""

from __future__ import annotations

import functools
import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from psycopg.types.json import set_json_loads

from catalog.deadline import Deadline
from catalog.errors import BadListingError
from catalog.fetch.listing.page import read_page
from catalog.fields import FIELDS
from catalog.mapping import MappingRules, map_document
from catalog.model import Candidate, MappedImage, MergeCounts, Observation, RunResult
from catalog.store.db.connection import Connection, Database
from catalog.store.history.merge import Merge
from catalog.store.state import runs, sources, stored_state
from catalog.sync.buffer import ListingBuffer
from catalog.sync.mapping_adapter import MappingAdapter
from tests.integration.hostile.records import NARROW, WIDE, Spelled, body, listings, noise
from tests.integration.run.truth import check_history, fetch
from tests.support import citus
from tests.support.examples import examples

RULES = MappingRules(redact=["owner", "__support_kvm", "x*"], ignore=["os_glance_*"])
LOADS = functools.partial(json.loads, parse_int=Decimal)
"""Python's own limit of 4,300 digits is not PostgreSQL's."""
START = datetime(2026, 1, 1, tzinfo=UTC)
REVISED = [(n, field.column) for n, field in enumerate(FIELDS) if field.opens_revision]
LINKS = [(n, field.column) for n, field in enumerate(FIELDS) if not field.opens_revision]


@pytest.fixture(scope="module", params=["UTC", "Pacific/Kiritimati"])
def stored(request: pytest.FixtureRequest, module_database: Database) -> Iterator[tuple[Database, str]]:
    """A database with one source, whose server shows moments in this time zone."""
    with module_database.transaction() as connection:
        source = sources.register(connection, "s", "glance", None, None)
        name = connection.info.dbname
        connection.execute(f"ALTER DATABASE {name} SET timezone = '{request.param}'")
    module_database.close()  # the setting holds for new connections
    yield module_database, source.source_id
    with module_database.transaction() as connection:
        connection.execute("DELETE FROM sources")


class Sweeps:
    """Observations of the source in one transaction that is rolled back in the end."""

    def __init__(self, connection: Connection, source_id: str) -> None:
        self.connection = connection
        self.source_id = source_id
        self.count = 0

    def observe(self, raw: bytes) -> tuple[dict[str, MappedImage], MergeCounts]:
        """Merges a listing; what of it was accepted, and what the merge did."""
        self.count += 1
        try:
            page = read_page(raw)
        except BadListingError:
            return {}, MergeCounts()
        self.connection.execute("CLOSE ALL")  # a sweep's own transaction ends with its cursor
        buffer = ListingBuffer(stored_state.load(self.connection, self.source_id), RULES, Deadline(60))
        buffer.add(page.records)
        if buffer.contested():
            buffer.resolve_duplicates(
                stored_state.updated_at_of(self.connection, self.source_id, buffer.contested())
            )
        accepted: dict[str, MappedImage] = {}

        def candidates() -> Iterator[Candidate]:
            for candidate in buffer.candidates():
                accepted[candidate.image.image_id] = candidate.image
                yield candidate

        run_id = f"00000000-0000-0000-0000-{self.count:012}"
        at = START + timedelta(hours=self.count)
        merge = Merge(self.connection, self.source_id, run_id, MappingAdapter(RULES), at)
        counts = merge.apply(
            Observation(
                run_id,
                at,
                not buffer.has_nameless,
                candidates(),
                buffer.unchanged,
                inconclusive=buffer.inconclusive,
            )
        )
        run = RunResult("s", run_id, started_at=at, observed_at=at, finished_at=at, outcome="complete")
        runs.start(self.connection, self.source_id, run)
        assert runs.finish(self.connection, self.source_id, run, rejected=buffer.rejected)
        buffer.close()
        return accepted, counts


def check_stored(connection: Connection, accepted: dict[str, MappedImage]) -> None:
    """Tables and the as-of function hold each image as it was mapped, and its document maps to it again."""
    as_of = {row["image_id"]: row for row in fetch(connection, "SELECT * FROM images_as_of('2030-01-01')")}
    images = {row["image_id"]: row for row in fetch(connection, "SELECT * FROM images")}
    documents = {
        row["image_id"]: row["document"]
        for row in fetch(
            connection,
            "SELECT DISTINCT ON (image_id) image_id, document::text FROM revision_documents"
            " ORDER BY image_id, observed_at DESC",
        )
    }
    for image_id, image in accepted.items():
        row = images[image_id]
        for rows, columns in ((images, REVISED + LINKS), (as_of, REVISED)):
            for position, column in columns:
                assert rows[image_id][column] == image.values[position], column
        for shown in (row, as_of[image_id]):
            assert shown["tags"] == sorted(image.tags)
            assert shown["capabilities"] == sorted(c.capability for c in image.capabilities if c.supported)
            assert shown["properties"].keys() == {name for name, _ in image.properties}
        assert map_document(documents[image_id], RULES).content_hash == image.content_hash


def check_views(connection: Connection) -> None:
    """Every view can be read in full."""
    for row in fetch(
        connection,
        "SELECT relname FROM pg_class WHERE relkind = 'v' AND relnamespace = 'public'::regnamespace",
    ):
        fetch(connection, f"SELECT * FROM {row['relname']}")


def check(stored: tuple[Database, str], listing: list[Any], later: list[Any]) -> None:
    database, source_id = stored
    with database.session() as connection:
        database.begin(connection)
        citus.keep_to_one_connection(connection)
        set_json_loads(LOADS, connection)
        sweeps = Sweeps(connection, source_id)
        accepted, _ = sweeps.observe(body(listing))
        check_stored(connection, accepted)
        _, again = sweeps.observe(body(listing))
        assert (again.inserted, again.updated, again.deleted, again.restored) == (0, 0, 0, 0)
        accepted, _ = sweeps.observe(body(later))
        check_stored(connection, accepted)
        check_history(connection)
        check_views(connection)


LONG = noise(9000, 1, NARROW)
FULL_ID = noise(255, 1, WIDE)


@settings(max_examples=examples(30), deadline=None, suppress_health_check=list(HealthCheck))
@given(listings, listings)
@example([{"id": "a", "status": LONG}], [{"id": "a", "status": LONG[1:]}])
@example([{"id": FULL_ID, "tags": [noise(250, 2, WIDE)], noise(250, 3, WIDE): 1}], [])
@example([{"id": "a", "name": noise(300_000, 4, WIDE), "__platform": LONG, "owner": LONG}], [{"id": "a"}])
@example([{"id": "a", "updated_at": "9999-12-31T23:59:59Z"}], [{"id": "a", "deleted_at": "0001-01-01"}])
@example([{"id": "a", "n": Spelled("1e131071")}], [{"id": "a", "n": Spelled("1e-16383")}])
@example([{"id": "a", "tags": ["\\", '"', "{}", "NULL", "\t\n"]}], [{"id": "a", "tags": ["null", "{"]}])
def test_whatever_is_accepted_can_be_stored_and_shown(
    stored: tuple[Database, str], listing: list[Any], later: list[Any]
) -> None:
    check(stored, listing, later)
