"""One image whole, and why it is live, unlisted, held or deleted."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from catalog.report.find import Found
from catalog.report.queries import ask
from catalog.report.statements import statement
from catalog.store.db.connection import Connection

LATEST_CHANGES = 20
"""Changes shown of one image."""
EVIDENCE_STEPS = (1, 50, 1000)
"""Observations that are looked at, until one listed the image; nearly always the first did, and each may be dear."""
SAYS = {
    "listed": "listed",
    "reported": "listed as deleted: the cloud reports it",
    "rejected": "listed in a record that can't be stored",
    "found": "not listed; the look-up by id found it",
    "unanswered": "not listed; no answer to a look-up by id that could be believed",
    "held": "not listed; its deletion is held",
    "held_for_login": "not listed; its deletion is held, as the login may not see it",
    "unproved": "not listed, as before; the look-up by id gave no answer that counts",
    "kept": "not listed; somebody keeps it",
    "unlisted": "not in the listing, which proves nothing of an image that lives unlisted",
    "hidden": "not in a listing that may leave such images out",
    "unreached": "not in the listing, whose login may not see it; its deletion is held",
    "not_found": "not listed; the look-up by id found nothing",
    "no_access": "not listed; the look-up by id was forbidden",
    "not_listed": "not in the listing",
}
"""Words for what an observation can say of an image."""
LISTED = "listed"
LIMITS = {
    "limit": "more images were missing than the deletion limit lets go, or nothing of its visibility was listed",
    "login_changed": "the login reached less than before, or may not see the image",
    "adopted": "the login reached less, when the source was adopted",
}
"""Why a deletion is held, for people."""

Row = dict[str, Any]


def show_image(connection: Connection, found: Found, *, explain: bool = False) -> Row:
    """All that is stored of one image of one source: its columns by name, then `tags`, `capabilities`, `properties`,
    `status_periods`, `changes` (the latest), `lineage`, `other_sources`, and with `explain` what `explanation` says."""
    values = {"source": found.source_id, "image": found.image_id, "limit": LATEST_CHANGES}

    def rows(name: str) -> list[Row]:
        return ask(connection, statement(f"image/{name}"), values).dicts()

    [image] = rows("image")
    parts = {
        "tags": image.pop("tags") or [],
        "capabilities": rows("capabilities"),
        "properties": {row["name"]: row["value"] for row in rows("properties")},
        "status_periods": rows("status_periods"),
        "changes": rows("changes"),
        "lineage": rows("lineage") + rows("made_from_it"),
        "other_sources": rows("other_sources"),
    }
    del image["capabilities"], image["properties"]
    whole = image | parts
    return whole | {"explanation": explanation(connection, whole)} if explain else whole


def explanation(connection: Connection, image: Row) -> Row:
    """Why an image is where it is: `standing` (live, unlisted, held, kept or deleted), `because` in one sentence,
    `last_listed_at`, `evidence` (observations since then, newest first, each with its run), the state of `lookup`, and
    `decisions` on deletions that were held."""
    values: dict[str, Any] = {"source": image["source_id"], "image": image["image_id"]}

    def rows(name: str) -> list[Row]:
        return ask(connection, statement(f"image/{name}"), values).dicts()

    [deleting] = rows("deleting") or [{"observed_at": None}]
    # what repeats that a deleted image is absent explains nothing
    values["until"] = deleting["observed_at"] if image["deleted_at"] else None
    listed = None
    for limit in EVIDENCE_STEPS:
        values["limit"] = limit
        evidence = rows("evidence")
        listed = next((place for place, row in enumerate(evidence) if row["says"] == [LISTED]), None)
        if listed is not None:
            break
    decisions = rows("decisions")
    lookup = next(iter(rows("lookup")), None)
    last = None if listed is None else evidence[listed]
    shown = evidence if listed is None else evidence[: listed + 1]
    standing, because = _because(image, shown, decisions, lookup)
    return {
        "standing": standing,
        "because": because,
        "last_listed_at": last and last["observed_at"],
        "last_listed_run_id": last and last["run_id"],
        "evidence": [row | {"meaning": meaning(row["says"])} for row in shown],
        "look_up": lookup,
        "decisions": decisions,
    }


def meaning(says: Sequence[str]) -> str:
    """Puts what an observation says of an image into words."""
    return "; ".join(dict.fromkeys(part for word in says for part in SAYS.get(word, word).split("; ")))


def _because(image: Row, evidence: list[Row], decisions: list[Row], lookup: Row | None) -> tuple[str, str]:
    """The standing, and a sentence."""
    newest = evidence[0] if evidence else None
    seen = (
        f"{meaning(newest['says'])} at {_at(newest['observed_at'])} (run {newest['run_id']})"
        if newest
        else ""
    )
    if image["deleted_at"]:
        approved = next((row for row in decisions if row["decision"] == "approved"), None)
        how = seen or "first known as deleted"
        if approved:
            how = (
                f"held at {_at(approved['observed_at'])} (run {approved['run_id']}), because"
                f" {LIMITS.get(approved['reason'], approved['reason'])}, and approved by {approved['decided_by']}"
                f" at {_at(approved['decided_at'])}"
            )
        return "deleted", f"deleted as of {_at(image['deleted_at'])} ({image['deletion_reason']}): {how}"
    for row in decisions:
        if row["decision"] == "open":
            why = LIMITS.get(row["reason"], row["reason"])
            return "held", (
                f"live, and its deletion is held since {_at(row['observed_at'])} (run {row['run_id']}), because {why};"
                " decide by `catalog deletions approve` or `keep`"
            )
        if row["decision"] == "kept" and image["unlisted_since"]:
            by = f"{row['decided_by']} at {_at(row['decided_at'])}"
            return "kept", f"live, though not listed since {_at(image['unlisted_since'])}: kept by {by}"
    if image["unlisted_since"]:
        asked = f"; last look-up by id at {_at(lookup['asked_at'])}: {lookup['answer']}" if lookup else ""
        return "unlisted", f"live, though not listed since {_at(image['unlisted_since'])}{asked}"
    return "live", f"live: {seen or 'no observation of it is kept'}"


def _at(moment: datetime | None) -> str:
    return "a time that is not known" if moment is None else f"{moment:%Y-%m-%d %H:%M:%S}Z"
