"""The rule of history (semantics 4.6) as a fold over the whole set of observations: slow, plain, and the
measure of the writer. It knows nothing of how the tables are kept."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from catalog.fields import INDEX
from catalog.mapping import MappingRules, map_record
from catalog.model import MappedImage

RULES = MappingRules()


@dataclass(frozen=True)
class Seen:
    """One observation: records by id, lacks known by look-up, images nothing is said about."""

    at: datetime
    complete: bool
    records: Mapping[str, bytes]
    absent: Mapping[str, str] = field(default_factory=dict)
    inconclusive: dict[str, str] = field(default_factory=dict)
    run_id: str = ""
    covers_hidden: bool = True
    """False: a complete listing that may leave hidden images out."""
    unlisted: Set[str] = frozenset()
    """Images that it shows to live though no listing holds them: a look-up brought their records, say."""
    login: Set[str] | None = None
    """What its login reached, None where that is not known."""
    mixed: bool = False
    """Of parts whose logins differ: the least is known that all of them reached."""


@dataclass(frozen=True)
class Told:
    """One revision by the rule."""

    observed_at: datetime
    valid_from: datetime
    change: str
    status: str
    image: MappedImage | None
    reason: str | None


def unite(seen: Iterable[Seen]) -> list[Seen]:
    """Observations of one moment are one: an image that any part holds or rejects is present, and one about
    which any part is undecided stays so. Where listings lack images that live, a listing alone says nothing."""
    parts_of_all = list(seen)
    by_time: dict[datetime, list[Seen]] = {}
    for one in parts_of_all:
        by_time.setdefault(one.at, []).append(one)
    united = []
    for at, parts in sorted(by_time.items()):
        records: dict[str, bytes] = {}
        for part in parts:
            for image_id, raw in part.records.items():
                if image_id not in records or rank(raw) > rank(records[image_id]):
                    records[image_id] = raw
        contained = records.keys() | {
            i for part in parts for i, kind in part.inconclusive.items() if kind == "rejected"
        }
        inconclusive = {
            i: "rejected" if i in contained else kind
            for part in parts
            for i, kind in part.inconclusive.items()
            if i not in records
        }
        reasons = sorted((r for part in parts for r in part.absent.items()), reverse=True)
        absent = {i: r for i, r in reasons if i not in records and i not in inconclusive}
        covers = all(part.covers_hidden for part in parts if part.complete)
        listed = {i for part in parts for i in part.records if i not in part.unlisted}
        unlisted = {i for part in parts for i in part.unlisted} - listed
        unlisted |= {i for i, kind in inconclusive.items() if kind != "rejected"}
        complete = any(part.complete for part in parts)
        logins = {None if part.login is None else frozenset(part.login) for part in parts}
        known = [login for login in logins if login is not None]
        login = frozenset.intersection(*known) if known else None
        mixed = len(logins) > 1 or any(part.mixed for part in parts)
        united.append(Seen(at, complete, records, absent, inconclusive, "", covers, unlisted, login, mixed))
    doubtful = [doubtful_absences(united, n) for n in range(len(united))]
    for n, one in enumerate(united):
        # (what went before is judged by now)
        one.inconclusive.update(doubtful[n] | unreached_absences(united, n))
    return united


def unreached_absences(united: Sequence[Seen], n: int) -> dict[str, str]:
    """Images that this observation merely lacks, though the last login that was shown them reaches what its own does
    not; or of which nothing tells what its login reaches, and another one since they were listed lacks them so. (They
    are for everybody, or of the login's project.)"""
    one, result = united[n], {}
    known = {i for before in united[:n] for i in before.records}
    for image_id in known - one.records.keys() - one.absent.keys() - one.inconclusive.keys():
        shown, listed, unreached = None, False, False
        for other in reversed(united[:n]):
            told = other.login is not None and not other.mixed
            if image_id in other.absent:
                break
            if image_id in other.records:
                shown = other.login if told and shown is None else shown
                listed = listed or image_id not in other.unlisted
                if listed and shown is not None:
                    break
            elif not listed and other.inconclusive.get(image_id) == "unreached":
                unreached = True
            elif other.complete and image_id not in other.inconclusive and (told or not listed):
                break
        if listed and one.complete:
            beyond = one.login is not None and shown is not None and not shown <= one.login
            if beyond or (one.login is None and unreached):
                result[image_id] = "unreached" if beyond else "unlisted"
    return result


def doubtful_absences(united: Sequence[Seen], n: int) -> dict[str, str]:
    """Images that this observation merely lacks, and that live though listings lack them by what lies between the
    listings before and after it that hold them, these two included, or the proofs that they are gone."""
    one, doubtful = united[n], {}
    known = {i for before in united[:n] for i in before.records}
    for image_id in known - one.records.keys() - one.absent.keys() - one.inconclusive.keys():
        around: list[Seen] = []
        for side in (reversed(united[:n]), iter(united[n + 1 :])):
            for other in side:
                if image_id in other.absent:
                    break
                around.append(other)
                if image_id in other.records and image_id not in other.unlisted:
                    break
        values = [map_record(s.records[image_id], RULES).values for s in around if image_id in s.records]
        market = any(value[INDEX["image_type"]] == "market" for value in values)
        if market or any(image_id in other.unlisted for other in around):
            doubtful[image_id] = "unlisted"
        elif not one.covers_hidden and any(value[INDEX["hidden"]] for value in values):
            doubtful[image_id] = "hidden"
    return doubtful if one.complete else {}


def rank(raw: bytes) -> tuple[Any, str]:
    image = map_record(raw, RULES)
    updated = image.values[INDEX["updated_at"]]
    return (str(updated or ""), image.document)


def evidence(
    one: Seen, image_id: str, rules: MappingRules = RULES
) -> tuple[MappedImage | None, str | None] | None:
    """(record, None), (None, reason of the lack), or None for no evidence."""
    if image_id in one.records:
        return map_record(one.records[image_id], rules), None
    if image_id in one.absent:
        return None, one.absent[image_id]
    if one.complete and image_id not in one.inconclusive:
        return None, "not_listed"
    return None


def is_another(before: Told, image: MappedImage | None) -> bool:
    """A new image under the old id, by its `created_at`."""
    made = [i.values[INDEX["created_at"]] for i in (before.image, image) if i]
    return None not in made and made[0] != made[-1]


def fold(seen: Iterable[Seen], image_id: str, rules: MappingRules = RULES) -> list[Told]:
    told: list[Told] = []
    before_time: datetime | None = None
    content: bytes | None = None
    for one in unite(seen):
        said = evidence(one, image_id, rules)
        if said is None:
            continue
        image, reason = said
        new = image.content_hash if image else None
        if new != content:
            cloud = image.cloud_time if image else None
            dated = cloud is not None and cloud <= one.at and (before_time is None or before_time < cloud)
            gone = image is None or image.reported_deleted
            was_gone = bool(told) and told[-1].status == "deleted"
            changed = (
                "restored" if was_gone else "replaced" if told and is_another(told[-1], image) else "updated"
            )
            change = "deleted" if gone else changed if told else "created"
            status = "deleted" if gone else str(image.values[1] or "unknown") if image else ""
            told.append(Told(one.at, cloud if dated and cloud else one.at, change, status, image, reason))
            content = new
        before_time = one.at
    return told
