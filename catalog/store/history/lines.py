"""Lines of revisions, read from the tables, edited by the rule, and written back where they differ."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Set
from datetime import datetime

from catalog.fields import INDEX
from catalog.model import Candidate, ContentRules, MappedImage, MergeCounts
from catalog.store.db.connection import Connection
from catalog.store.history.edits import Edit, collect
from catalog.store.history.ledger import Ledger
from catalog.store.history.rule import Content, Evidence, Next, Revision, edit
from catalog.store.history.stage import SQL, Batch, Stage

NOT_LISTED = "not_listed"
_STATUS = INDEX["status"]


def content_of(image: MappedImage) -> Content:
    return Content(
        image.content_hash,
        status=_status(image),
        reported=image.reported_deleted,
        cloud_time=image.cloud_time,
        cloud_deleted_at=image.deleted_at,
    )


def _status(image: MappedImage) -> str | None:
    status = image.values[_STATUS]
    return status if isinstance(status, str) else None


class Lines:
    """The lines of one source's images, in the caller's transaction; `counts` grows with what is written."""

    def __init__(
        self,
        connection: Connection,
        source_id: str,
        ledger: Ledger,
        stage: Stage,
        rules: ContentRules,
        counts: MergeCounts,
    ) -> None:
        self.connection = connection
        self.source_id = source_id
        self.ledger = ledger
        self.stage = stage
        self.rules = rules
        self.counts = counts

    def write(
        self,
        at: datetime,
        evidence: Mapping[str, Evidence | None],
        records: Mapping[str, Candidate],
        *,
        empty: bool,
        last: bool,
        unlisted: Mapping[str, datetime | None] | None = None,
    ) -> None:
        """Edits the lines of these images where their evidence at `at` is this one (None: there is none).

        `empty`: the source has no image and no observation yet. `last`: no observation comes after.
        """
        if not evidence:
            return
        ids = list(evidence)
        lines = {} if empty else self.read(ids, None if last else at)
        never_held = evidence.keys() - lines.keys()
        befores = {} if empty else self.ledger.nearest(ids, at, "before", never_held)
        afters = {} if last else self._afters(ids, at, never_held)
        edits = []
        for image_id, said in evidence.items():
            line = lines.get(image_id, [])
            new = edit(line, at, said, befores.get(image_id), afters.get(image_id))
            edits.append(Edit(image_id, line, new, records.get(image_id)))
        documents = self.documents([pair for change in edits for pair in change.documents_needed()])
        batch = Batch(new_images_only=empty)
        for change in edits:
            since = unlisted.get(change.image_id) if unlisted else None
            collect(change, batch, documents, self.rules, self.counts, since)
        self.stage.write(batch)

    def read(self, ids: Iterable[str], at: datetime | None) -> dict[str, list[Revision]]:
        """Lines of these images around a moment, as `history.edit` takes them; None: their last revisions."""
        name = "load_last" if at is None else "load_lines"
        rows = self.connection.execute(SQL[name], {"source": self.source_id, "ids": list(ids), "at": at})
        lines: dict[str, list[Revision]] = {}
        for row in rows:
            content = Content(row[3], row[4], row[5], row[6], row[7], row[8])
            line = lines.setdefault(row[0], [])
            source = line[-1].source if content.hash is None and line else row[1]
            line.append(
                Revision(row[1], row[2], content, row[9], row[10], row[11], row[12], row[13], source, row[14])
            )
        return lines

    def _afters(self, ids: list[str], at: datetime, never_held: Set[str]) -> dict[str, Next]:
        moments = self.ledger.nearest(ids, at, "after", never_held)
        if not moments:
            return {}
        reasons = self.ledger.lack_reasons(moments.keys(), moments.values())
        runs = self._runs_of(set(moments.values()))
        return {
            image_id: Next(moment, runs[moment], reasons.get((image_id, moment), NOT_LISTED))
            for image_id, moment in moments.items()
        }

    def _runs_of(self, moments: set[datetime]) -> dict[datetime, str]:
        rows = self.connection.execute(
            "SELECT observed_at, run_ids[1]::text FROM observations"
            " WHERE source_id = %s AND observed_at = ANY(%s)",
            (self.source_id, list(moments)),
        )
        return dict(rows.fetchall())

    def documents(
        self, wanted: list[tuple[str, datetime]]
    ) -> dict[tuple[str, datetime], tuple[datetime, str]]:
        """The last record of an image at or before a moment: its time and document."""
        if not wanted:
            return {}
        rows = self.connection.execute(
            SQL["load_documents"],
            {"source": self.source_id, "ids": [w[0] for w in wanted], "ats": [w[1] for w in wanted]},
        )
        return {(row[0], row[1]): (row[1], row[2]) for row in rows}
