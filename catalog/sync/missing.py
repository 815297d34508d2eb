"""Decides about images that a sweep did not list: looked up, held back, or deleted."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Sequence, Set
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from catalog.config.settings import SourceSettings
from catalog.errors import FetchError
from catalog.model import NOT_LISTED, AbsenceReason, InconclusiveKind, Lookup
from catalog.store.state.stored_state import StoredState
from catalog.sync.control_lookup import CONTROL_EVERY, ENDS_LOOKUPS, Control
from catalog.sync.deletion_limit import is_above_limit

ASK_AGAIN = timedelta(days=1)
"""An image that a look-up found, though no listing holds it, is asked for once a day (semantics 4.5)."""


@dataclass(slots=True)
class MissingVerdict:
    """The verdict on images that are missing from a listing.

    Says nothing of those that the cloud reported deleted before: that it lists them no more decides nothing.
    `absent`: deleted, with the reason. `inconclusive`: live still, because nothing is proved. `found`: live and
    unlisted. `answers`: what to remember of look-ups. `held`: what
    is held back, for the reason that `inconclusive` says. `note`: why nothing is proved, one line.
    """

    absent: dict[str, AbsenceReason] = field(default_factory=dict)
    inconclusive: dict[str, InconclusiveKind] = field(default_factory=dict)
    found: set[str] = field(default_factory=set)
    undecided: dict[str, InconclusiveKind] = field(default_factory=dict)
    """Images deleted before by listings alone, about which look-ups said nothing that counts."""
    answers: dict[str, str] = field(default_factory=dict)
    held: set[str] = field(default_factory=set)
    above_limit: bool = False
    """All that is missing is held, as it is more than the limit lets go."""
    looked_up: int = 0
    note: str | None = None
    login_changed: bool = False
    """The login reaches less than it did, or who knows: absence proves nothing."""
    login_reaches_all: bool = False
    """Each live image that is known was listed or found with this login: later ones are compared with it."""


def decide_missing(
    missing: Collection[str],
    stored: StoredState,
    source: SourceSettings,
    lookup: Callable[[str], Lookup],
    *,
    now: datetime,
    absence_proves: bool,
    accept: bool,
    over_limit: bool,
    control: Control | None = None,
    lost_rights: Callable[[bool], Collection[str]] = lambda again: (),
    unseen: Callable[[Collection[str]], Collection[str]] = lambda ids: (),
    unreached: Callable[[Collection[str]], Collection[str]] = lambda ids: (),
    unproved: Sequence[str] = (),
    besides: int = 0,
) -> MissingVerdict:
    """Looks up what is missing, within the limit, and decides about each image once.

    `unproved`: deleted before by listings alone, and looked up if there is room: what is found lives again, and what
    is not is proved to be gone, but for what the login may not see. `absence_proves`: absence alone proves lack.
    `accept`: this run may pass the deletion limit. `over_limit`: all that is missing is above it, however little, say
    as nothing was listed; `besides`: how many others are missing that it counts. `control`: without it, each answer to
    a look-up is believed. `lost_rights`: what stored images were seen with and some login of this sweep doesn't reach;
    given True, after logging in again: before the look-ups, and before what they say is believed, as rights may be
    withdrawn from a token that is still good. `unseen`: selects images of a kind of which nothing was listed or found,
    so that whoever was asked may not have shown any: a gateway that drops tokens shows public ones. `unreached`:
    selects those that the login may never have been able to see.
    """
    result = MissingVerdict()
    live = [image_id for image_id in missing if image_id not in stored.gone]
    due = [image_id for image_id in live if not _asked_recently(stored, image_id, now)]
    lost, known = _lost(lost_rights, result, again=bool(due or (unproved and source.lookup_limit)))
    if not known:
        due = []
    waiting = _ask(live, live if lost else due, stored, source, lookup, result, control)
    before = MissingVerdict()
    if known and not lost and (room := source.lookup_limit - result.looked_up) > 0:
        _ask([], list(unproved)[:room], stored, source, lookup, before, control)
        result.looked_up += before.looked_up
    if known:
        again = result.looked_up > 0 and not lost and (accept or bool(result.absent or before.absent))
        lost, known = _lost(lost_rights, result, again=again)
    result.login_changed = bool(lost) or not known
    absence_proves = absence_proves and not result.login_changed
    if not known:
        for image_id in list(result.absent):
            _withdraw(image_id, result)
            result.inconclusive[image_id] = "unanswered"
    # of a cloud that denies what it lists, what nobody asked about may live as well
    denied = control is not None and (control.failed or control.failure is not None)
    unasked_proves = absence_proves and not denied and (accept or source.lookup_limit == 0)
    elsewhere = set() if "market" in source.passes else stored.market
    presumed = {i for i in live if i in elsewhere or _found_before(stored, i, source, now)}
    waits = presumed.intersection(waiting)
    expected = _expected(presumed - waits, {i for i in waits if not _asked_recently(stored, i, now)}, result)
    for image_id in waiting:
        if image_id not in waits and unasked_proves:
            result.absent[image_id] = NOT_LISTED
        else:
            result.inconclusive[image_id] = "unanswered"
    doubtful = []
    for image_id in live:
        if image_id in result.found:
            continue
        if image_id in stored.kept:
            _withdraw(image_id, result)
            result.inconclusive[image_id] = "kept"
        elif image_id not in waits:
            doubtful.append(image_id)
    result.login_reaches_all = not lost or not (doubtful or waits)
    none_like_them: Collection[str] = ()
    if lost:
        hold_back(doubtful, result, for_login=set(doubtful))
        if doubtful:
            result.note = (
                f"the login reaches less than before (no longer {', '.join(lost[:5])}), so that"
                " what it doesn't list may still be there: log in with the same rights again, or decide by"
                " `catalog deletions`; if the change is meant, `catalog sources adopt`"
            )
    elif not accept and (
        over_limit or is_above_limit(len(doubtful) + expected + besides, stored.live, source)
    ):
        result.above_limit = True
        hold_back(doubtful, result)
    else:
        if not accept:
            # what the limit holds was more than a sweep may decide, and is so when some of it came back
            open_still = stored.held_by_limit | (stored.held - result.absent.keys())
            hold_back([i for i in doubtful if i in open_still], result, for_login=stored.held_for_login)
            # what is kept, or was found lately, was not shown either
            missed = set(unseen([i for i in live if i not in result.found]))
            none_like_them = [i for i in doubtful if i in missed and i not in result.held]
            hold_back(none_like_them, result, for_login=stored.held_for_login)
        beyond = set(unreached([i for i in doubtful if i not in result.held])) if known else set()
        hold_back(beyond, result, for_login=beyond)
        if none_like_them or beyond:
            result.note = result.note or (
                f"{len(none_like_them) + len(beyond)} missing images are held, as nothing is listed of their"
                " kind: whoever asked may just not be shown them; see `catalog deletions`"
            )
    result.found |= before.found
    result.answers |= dict.fromkeys(before.found, "found")
    result.note = result.note or before.note
    proved = set[str]() if result.login_changed else set(before.absent)
    if proved:
        proved -= {*unseen(before.absent), *unreached(before.absent)}
        result.absent |= {image_id: before.absent[image_id] for image_id in proved}
    result.undecided = dict.fromkeys({*before.absent, *before.inconclusive}.difference(proved), "unproved")
    return result


def _lost(
    lost_rights: Callable[[bool], Collection[str]], result: MissingVerdict, *, again: bool
) -> tuple[list[str], bool]:
    """The rights that the login doesn't reach, and whether that is known."""
    try:
        return sorted(lost_rights(again)), True
    except FetchError as error:
        result.note = (
            f"missing images stay live and are asked for again, as a new login that would tell what it reaches by now"
            f" failed: {error}"
        )
        return [], False


def _expected(asked: Set[str], waits: Set[str], result: MissingVerdict) -> int:
    """How many are gone by now of those that wait, of images that live unlisted as far as was known: the share that is
    gone of those that were asked about."""
    gone = len(asked & result.absent.keys())
    return math.ceil(len(waits) * gone / len(asked)) if gone else 0


def hold_back(ids: Collection[str], result: MissingVerdict, *, for_login: Set[str] = frozenset()) -> None:
    """Nothing is deleted of these after all: they are held, some `for_login`, all others by the limit."""
    result.held |= set(ids)
    for image_id in ids:
        _withdraw(image_id, result)
        result.inconclusive[image_id] = "held_for_login" if image_id in for_login else "held"


def _found_before(stored: StoredState, image_id: str, source: SourceSettings, now: datetime) -> bool:
    """True if the last look-up found it. Where none are made any more, that counts for the usual day."""
    asked = stored.asked.get(image_id)
    if asked is None or asked[1] != "found":
        return False
    return source.lookup_limit > 0 or _asked_recently(stored, image_id, now)


def _ask(
    live: list[str],
    due: list[str],
    stored: StoredState,
    source: SourceSettings,
    lookup: Callable[[str], Lookup],
    result: MissingVerdict,
    control: Control | None,
) -> list[str]:
    """Asks for those that are `due`, the longest unasked first; returns the live images that were not asked for."""
    due.sort(key=lambda i: (stored.asked[i][0].timestamp() if i in stored.asked else float("-inf"), i))
    asked = due[: source.lookup_limit]
    over = False
    unvouched: dict[str, AbsenceReason] = {}  # by a control look-up
    for image_id in asked:
        if over:
            result.inconclusive[image_id] = "unanswered"  # not asked: it keeps its place in the queue
            continue
        answer = lookup(image_id)
        over = isinstance(answer.error, ENDS_LOOKUPS)
        result.looked_up += 1
        if answer.answer == "found":
            result.found.add(image_id)
            result.answers[image_id] = "found"
        elif answer.answer == "unanswered":
            result.inconclusive[image_id] = result.answers[image_id] = "unanswered"
        else:
            unvouched[image_id] = answer.answer
            if not result.absent or len(unvouched) == CONTROL_EVERY:
                _believe(unvouched, result, control)
    _believe(unvouched, result, control)
    told = result.found | result.absent.keys() | result.inconclusive.keys()
    return [image_id for image_id in live if image_id not in told]


def _believe(unvouched: dict[str, AbsenceReason], result: MissingVerdict, control: Control | None) -> None:
    """Takes these answers for true, or for none where a listed image isn't found either."""
    believed = control.believed(unvouched) if control is not None and unvouched else unvouched.keys()
    for image_id, answer in unvouched.items():
        if image_id in believed:
            result.absent[image_id] = answer
        else:
            result.inconclusive[image_id] = result.answers[image_id] = "unanswered"
    if control is not None:
        result.note = control.failure or result.note
    unvouched.clear()


def _asked_recently(stored: StoredState, image_id: str, now: datetime) -> bool:
    """Not in days to come: the clock was ahead when that was written."""
    asked = stored.asked.get(image_id)
    return asked is not None and asked[1] == "found" and abs(now - asked[0]) < ASK_AGAIN


def _withdraw(image_id: str, result: MissingVerdict) -> None:
    """No deletion after all; an answer to a look-up is remembered, so that others get their turn first."""
    reason = result.absent.pop(image_id, None)
    if reason is not None and reason != NOT_LISTED:
        result.answers[image_id] = reason
