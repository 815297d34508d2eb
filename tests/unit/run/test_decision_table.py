"""What becomes of a missing image is what the decision table of docs/semantics.md says (semantics 4.5)."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import product

import pytest

from catalog.config.settings import SourceSettings
from catalog.errors import LoginError
from catalog.model import Lookup
from catalog.store.state.held_deletions import REASONS
from catalog.store.state.stored_state import StoredState
from catalog.sync.control_lookup import Control
from catalog.sync.missing import MissingVerdict, decide_missing
from tests.unit.test_semantics import table_below

NOW = datetime(2026, 3, 1, tzinfo=UTC)
ROWS = table_below("Decision table for a missing image")
ANSWERS = {
    "found": "found",
    "not found": "not_found",
    "forbidden": "no_access",
    "any other answer": "unanswered",
}
BEYOND = "may not see the image"
LOOK_UPS = [
    *ANSWERS,
    "not asked, and found",
    "not asked: `lookup_limit = 0`",
    "`--accept-deletions`",
    "beyond",
]


def said(*situation: str) -> str:
    """The last cell of the first row that applies."""
    for *cells, outcome in ROWS:
        if all(not cell or applies(value, cell) for value, cell in zip(situation, cells, strict=True)):
            return outcome
    raise AssertionError(f"no row applies to {situation}")


def applies(value: str, cell: str) -> bool:
    if value == "not shown":  # of a visibility of which nothing is listed: over the limit
        return cell == "yes"
    if value == BEYOND:  # as at the last complete sweep
        return cell == value or cell.startswith("same or more")
    if value in ("found", "not found", "forbidden"):
        return value in cell.split(", ")
    return value in cell


def done(lookup: str, control: str, login: str, kept: str, over: str, complete: str) -> MissingVerdict:
    """What the product does of the image "x"; others are listed, and "a" is missing and found, or denied where it is
    asked about instead of "x"."""
    unlimited, limited = {"lookup_limit": 200}, {"lookup_limit": 1}
    limit = {
        "not asked: `lookup_limit = 0`": {"lookup_limit": 0},
        "`--accept-deletions`": limited,
        "beyond": limited,
    }
    bound = 0 if over == "yes" else 1_000
    source = SourceSettings(
        "s", "glance", deletion_limit_count=bound, deletion_limit_percent=0, **limit.get(lookup, unlimited)
    )
    present = StoredState(others={"a", "x", "listed"})
    if kept == "yes":
        present.kept.add("x")
    if lookup == "not asked, and found":
        present.asked["x"] = (NOW - timedelta(hours=1), "found")

    asked = []

    def ask(image_id: str) -> Lookup:
        asked.append(image_id)
        if image_id == "a":
            return Lookup("not_found" if lookup == "`--accept-deletions`" else "found", b'{"id": "a"}')
        if image_id != "x":
            return Lookup("found" if control == "found" else "not_found", b"{}")
        return Lookup(ANSWERS[lookup], b'{"id": "x"}')  # type: ignore[arg-type]

    def lost_rights(again: bool) -> list[str]:
        # the last new login fails
        if again and login == "unknown" and (asked or not source.lookup_limit):
            raise LoginError("refused")
        return ["role admin"] if login == "less" else []

    missing = ["x"] if source.lookup_limit == 0 else ["a", "x"]
    return decide_missing(
        missing, present, source, ask, now=NOW, absence_proves=complete == "yes", over_limit=False,
        accept=lookup == "`--accept-deletions`", control=Control(lambda ids: [(ids, ["listed"])], ask),
        lost_rights=lost_rights, unseen=lambda ids: {"x"}.intersection(ids if over == "not shown" else ()),
        unreached=lambda ids: {"x"}.intersection(ids if login == BEYOND else ()),
    )  # fmt: skip


SITUATIONS = [
    one
    for one in product(
        LOOK_UPS,
        ["found", "not found"],
        ["same or more", "less", "unknown", BEYOND],
        ["yes", "no"],
        ["yes", "no", "not shown"],
        ["yes", "no"],
    )
    if not (one[0] == "`--accept-deletions`" and one[4] != "no")  # nothing is over the limit then
    and not (
        one[0] == "not asked, and found" and one[2] == "less"
    )  # such a login asks about all of them again
]


@pytest.mark.parametrize("situation", SITUATIONS, ids=", ".join)
def test_a_missing_image_becomes_what_the_table_says(situation: tuple[str, str, str, str, str, str]) -> None:
    outcome, result = said(*situation), done(*situation)
    if "**deleted**" in outcome:
        assert result.absent["x"] == outcome.split("`")[1]
        return
    assert "x" not in result.absent
    assert ("x" in result.held) == ("**held**" in outcome)
    if "x" in result.held:
        assert REASONS[result.inconclusive["x"]] == (
            "login_changed" if "login_changed" in outcome else "limit"
        )
