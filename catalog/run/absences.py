"""What becomes of images that a sweep did not list: looked up, held back, or deleted."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from catalog.errors import DeadlineError, LoginError, ThrottledError
from catalog.model import LackReason, LookUp, SilentKind, Stopped
from catalog.settings import SourceSettings
from catalog.store.present import Present

ASK_AGAIN = timedelta(days=1)
"""An image that a look-up found, though no listing holds it, is asked for once a day (contract 4.5)."""
ENDS_LOOK_UPS = (DeadlineError, Stopped, ThrottledError, LoginError)
"""What the next one would meet as well: the time is over, or the cloud wants no more requests of ours."""


@dataclass(slots=True)
class Absences:
    """The verdict on images that are missing from a listing.

    `lacks`: deleted, with the reason. `silent`: live still, because nothing is proved. `found`: live and
    unlisted, with the record that the look-up brought. `answers`: what to remember of look-ups. `held`: what
    the limit holds back.
    """

    lacks: dict[str, LackReason] = field(default_factory=dict)
    silent: dict[str, SilentKind] = field(default_factory=dict)
    found: dict[str, bytes] = field(default_factory=dict)
    answers: dict[str, str] = field(default_factory=dict)
    held: set[str] = field(default_factory=set)
    looked_up: int = 0


def judge(
    missing: Collection[str],
    present: Present,
    source: SourceSettings,
    look_up: Callable[[str], LookUp],
    *,
    now: datetime,
    absence_proves: bool,
    accept: bool,
    nothing_listed: bool,
) -> Absences:
    """Looks up what is missing, within the limit, and decides about each image once.

    `absence_proves`: absence alone proves lack. `accept`: this run may pass the deletion limit.
    """
    result = Absences()
    live = [image_id for image_id in missing if image_id not in present.gone]
    if absence_proves:
        # of those the cloud said deleted before; that it lists them no more adds nothing to decide
        result.lacks.update(dict.fromkeys((i for i in missing if i in present.gone), "not_listed"))
    waiting = _ask(live, present, source, look_up, now, result)
    unasked_proves = absence_proves and (accept or source.lookup_limit == 0)
    for image_id in waiting:
        if unasked_proves and not _found_before(present, image_id, source, now):
            result.lacks[image_id] = "not_listed"
        else:
            result.silent[image_id] = "unanswered"
    for image_id in live:
        if image_id in present.kept and image_id not in result.found:
            _withdraw(image_id, result)
            result.silent[image_id] = "kept"
    if not accept:
        _hold_back(live, present, source, result, nothing_listed=nothing_listed)
    return result


def _found_before(present: Present, image_id: str, source: SourceSettings, now: datetime) -> bool:
    """Whether the last look-up found it. Where none are made any more, that counts for the usual day."""
    asked = present.asked.get(image_id)
    if asked is None or asked[1] != "found":
        return False
    return source.lookup_limit > 0 or _asked_recently(present, image_id, now)


def _ask(
    live: list[str],
    present: Present,
    source: SourceSettings,
    look_up: Callable[[str], LookUp],
    now: datetime,
    result: Absences,
) -> list[str]:
    """Asks for the longest unasked first; returns the images that were not asked for."""
    due = [i for i in live if not _asked_recently(present, i, now)]
    due.sort(key=lambda i: (present.asked[i][0].timestamp() if i in present.asked else float("-inf"), i))
    asked = due[: source.lookup_limit]
    over = False
    for image_id in asked:
        if over:
            result.silent[image_id] = "unanswered"  # not asked: it keeps its place in the queue
            continue
        answer = look_up(image_id)
        over = isinstance(answer.error, ENDS_LOOK_UPS)
        result.looked_up += 1
        if answer.answer == "found" and answer.record is not None:
            result.found[image_id] = answer.record
            result.answers[image_id] = "found"
        elif answer.answer == "not_found" or answer.answer == "no_access":
            result.lacks[image_id] = answer.answer
        else:
            result.silent[image_id] = "unanswered"
            result.answers[image_id] = "unanswered"
    told = result.found.keys() | result.lacks.keys() | result.silent.keys()
    return [image_id for image_id in live if image_id not in told]


def _asked_recently(present: Present, image_id: str, now: datetime) -> bool:
    asked = present.asked.get(image_id)
    return asked is not None and asked[1] == "found" and now - asked[0] < ASK_AGAIN


def _withdraw(image_id: str, result: Absences) -> None:
    """No deletion after all; an answer to a look-up is remembered, so that others get their turn first."""
    reason = result.lacks.pop(image_id, None)
    if reason is not None and reason != "not_listed":
        result.answers[image_id] = reason


def _hold_back(
    live: list[str], present: Present, source: SourceSettings, result: Absences, *, nothing_listed: bool
) -> None:
    """Above both bounds, or with nothing listed at all, no deletion is inferred: all of them are held."""
    inferred = {image_id for image_id in live if image_id in result.lacks}
    still_held = {i for i in live if i in present.held and i not in result.found}
    would_go = inferred | still_held
    above = (
        len(would_go) > source.deletion_limit_count
        and len(would_go) > present.live * source.deletion_limit_percent / 100
    )
    if would_go and (above or nothing_listed):
        result.held = would_go
        for image_id in would_go:
            _withdraw(image_id, result)
            result.silent[image_id] = "held"
    else:
        for image_id in still_held - inferred:
            result.silent[image_id] = "held"
        result.held = still_held - inferred
