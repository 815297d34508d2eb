"""Observations of one source with the same moment are one (contract 4.6): how a further part joins it."""

from __future__ import annotations

from collections.abc import Iterable, Set
from datetime import UTC, datetime

from msgspec.structs import replace

from catalog.fields import INDEX
from catalog.model import Candidate, MappedImage, Observation
from catalog.store.history import Evidence, Revision
from catalog.store.ledger import FOUND, Ledger, Observed
from catalog.store.lines import NOT_LISTED, Lines, content_of

_UPDATED_AT = INDEX["updated_at"]
_EARLIEST = datetime.min.replace(tzinfo=UTC)


class Parts:
    """An observation that stands in the ledger already, and what the tables know of it."""

    def __init__(self, ledger: Ledger, lines: Lines, existing: Observed) -> None:
        self.ledger = ledger
        self.lines = lines
        self.existing = existing

    def reasons(self, seen: Observation, known: set[str]) -> dict[str, str]:
        """Lacks that a further part of an observation proves, each with the more telling reason of both."""
        ids = seen.lacks.keys() & known
        ids -= self.held(ids)
        stored = self.ledger.lack_reasons(ids, [self.existing.at] * len(ids))
        return {i: min(seen.lacks[i], stored.get((i, self.existing.at), NOT_LISTED)) for i in ids}

    def unsaid(self, ids: set[str]) -> set[str]:
        """Of these images, those about which the observation in the ledger says nothing."""
        return self.ledger.unsaid(self.existing, ids)

    def held(self, ids: Iterable[str]) -> set[str]:
        """Of these images, those whose record the observation already in the ledger held."""
        wanted = set(ids)
        says = wanted - self.unsaid(wanted)
        if not says:
            return set()
        lines = self.lines.read(says, self.existing.at)
        return {
            image_id
            for image_id, line in lines.items()
            if (covering := _covering(line, self.existing.at)) is not None
            and covering.content.hash is not None
        }

    def unite(self, evidence: dict[str, Evidence], records: dict[str, Candidate]) -> None:
        """Observations of one moment are one: of an image's records the later `updated_at` counts, else the
        greater canonical form."""
        held = self.held(evidence)
        if not held:
            return
        documents = self.lines.documents([(image_id, self.existing.at) for image_id in held])
        for image_id in held:
            document = documents[image_id, self.existing.at][1]
            old, new = self.lines.rules.map_document(document), records[image_id].image
            if _rank(old) > _rank(new):
                # the stored record stays, as if this observation had held it
                evidence[image_id] = replace(evidence[image_id], content=content_of(old))
                records[image_id] = Candidate(old)

    def silence(self, seen: Observation, kinds: dict[str, set[str]], held: set[str]) -> dict[str, set[str]]:
        """Of two parts of one observation: silent is an image that no part holds, and about which each
        complete part is silent."""
        stored = {kind: set(ids) for kind, ids in self.ledger.load_set(self.existing.silent_set).items()}
        silent: Set[str]
        if self.existing.complete and seen.complete:
            silent = self.ledger.silent(self.existing) & seen.silent.keys()
        elif self.existing.complete:
            silent = self.ledger.silent(self.existing)
        elif seen.complete:
            silent = seen.silent.keys()
        else:
            silent = self.ledger.silent(self.existing) | seen.silent.keys()
        silent = silent - held - self.ledger.listed(self.existing)
        found = kinds.get(FOUND, set()) | stored.pop(FOUND, set())
        for kind, ids in kinds.items():
            if kind != FOUND:
                stored.setdefault(kind, set()).update(ids)
        return {FOUND: found, **{kind: ids & silent for kind, ids in stored.items()}}


def run_name(seen: Observation, existing: Observed | None) -> str:
    """The run that names revisions of an observation: the least of those that make it up."""
    return min({seen.run_id, *(existing.run_ids if existing else ())})


def _rank(image: MappedImage) -> tuple[datetime, str]:
    updated = image.values[_UPDATED_AT]
    return (updated if isinstance(updated, datetime) else _EARLIEST, image.document)


def _covering(line: list[Revision], at: datetime) -> Revision | None:
    known = [revision for revision in line if revision.observed_at <= at]
    return known[-1] if known else None
