"""Observations of one source with the same moment are one (semantics 4.6): how a further part joins it."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from msgspec.structs import replace

from catalog.model import Candidate, Observation
from catalog.store.history.ledger import FOUND, SILENT_KINDS, Ledger, Observed
from catalog.store.history.lines import NOT_LISTED, Lines, content_of
from catalog.store.history.rule import Evidence, Revision


class Parts:
    """An observation that stands in the ledger already, and what the tables know of it."""

    def __init__(self, ledger: Ledger, lines: Lines, existing: Observed) -> None:
        self.ledger = ledger
        self.lines = lines
        self.existing = existing

    def reasons(self, seen: Observation, known: set[str]) -> dict[str, str]:
        """Lacks that a further part of an observation proves, each with the more telling reason of both."""
        ids = self.without_better(seen.lacks.keys() & known)
        stored = self.ledger.lack_reasons(ids, [self.existing.at] * len(ids))
        return {i: min(seen.lacks[i], stored.get((i, self.existing.at), NOT_LISTED)) for i in ids}

    def without_better(self, ids: set[str]) -> set[str]:
        """Of images that a further part lacks, those that the ledger's part neither contains nor leaves open."""
        return ids - self.held(ids) - self.ledger.silent(self.existing)

    def unspoken(self, ids: set[str]) -> set[str]:
        """Of these images, those whose absence from a further, complete part is news."""
        if self.existing.complete:
            return set()
        return ids - self.ledger.listed(self.existing) - self.ledger.silent(self.existing)

    def held(self, ids: Iterable[str]) -> set[str]:
        """Of these images, those whose record the observation already in the ledger held."""
        wanted = set(ids)
        says = wanted - self.ledger.unsaid(self.existing, wanted)
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
            if old.precedence > new.precedence:
                # the stored record stays, as if this observation had held it
                evidence[image_id] = replace(evidence[image_id], content=content_of(old))
                records[image_id] = Candidate(old)

    def silenced(self, seen: Observation, contained: set[str]) -> set[str]:
        """Images whose absence the ledger's part proved, and about which a further part is inconclusive: no
        evidence is left of them. What somebody approved stays, unless this part rejects the image's record."""
        asked = seen.silent.keys() - contained
        silenced = asked - self.ledger.unsaid(self.existing, asked) - self.held(asked)
        lacking = self.ledger.lack_reasons(asked, [self.existing.at] * len(asked))
        rejected = {image_id for image_id in asked if seen.silent[image_id] == "rejected"}
        return silenced | ({i for i, _ in lacking} & (rejected | (asked - self.ledger.silent(self.existing))))

    def unite_kinds(self, kinds: dict[str, set[str]], contained: set[str]) -> dict[str, set[str]]:
        """Why nothing is said of images, of both parts together: an image that any part contains or rejects is
        present, and one about which any part is undecided stays so. Found is what no part lists."""
        stored = {kind: set(ids) for kind, ids in self.ledger.load_set(self.existing.silent_set).items()}
        united = {kind: kinds.get(kind, set()) | stored.get(kind, set()) for kind in (FOUND, *SILENT_KINDS)}
        mine = self.held(set().union(*united.values()))
        listed = (contained - kinds.get(FOUND, set())) | (mine - stored.get(FOUND, set()))
        present = contained | mine
        for kind in SILENT_KINDS:
            united[kind] -= present
            present = present | united[kind]
        united[FOUND] -= listed
        return united


def run_name(seen: Observation, existing: Observed | None) -> str:
    """The run that names revisions of an observation: the least of those that make it up."""
    return min({seen.run_id, *(existing.run_ids if existing else ())})


def _covering(line: list[Revision], at: datetime) -> Revision | None:
    known = [revision for revision in line if revision.observed_at <= at]
    return known[-1] if known else None
