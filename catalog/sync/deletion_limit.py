"""Tells when so much is missing that nothing of it is deleted: the deletion limit's number and its other rules
(semantics 4.5, limit)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from catalog.config.settings import SourceSettings
from catalog.store.state.stored_state import Kind

OPENNESS = {"private": 0, "community": 2}
"""Of a visibility; shared and all others are between."""


def is_above_limit(count: int, live: int, source: SourceSettings) -> bool:
    """`count`: all that is missing and that no look-up found, asked for in this sweep or not; `live`: before that."""
    share = live * source.deletion_limit_percent / 100
    return count > source.deletion_limit_count and count > share


def none_like(
    images: Mapping[str, Kind],
    shown: Iterable[Kind],
    project: str | None,
    *,
    by_owner: bool,
    another_key: bool = False,
) -> set[str]:
    """Those of some missing images that not everybody may see of whose kind none is shown. One alone is an image that
    was the last of its kind.

    A community image, which is for everybody, tells of others of that kind only. `by_owner`: but for the project's own,
    it has to be the owner's too, and a private one to tell of private ones, as others are shown its shared ones.
    `another_key`: nobody knows who asks now, so that one alone may not be the last either; and who is shown private
    images of its own project only is shown those of others that are shared with it, which tell of no other share.
    """
    unseen, beyond = set(images.values()), set[Kind]()
    if another_key:
        shown = list(shown)
        beyond = _beyond_shares(unseen, shown, project)
        unseen -= beyond
        project = None  # it may be another one's
    for shows, owner in shown if unseen else ():
        openness = OPENNESS.get(shows or "", 1)
        for one in list(unseen):
            judged_by_owner = by_owner and one[1] not in (None, project)
            most = max(0 if judged_by_owner else 1, OPENNESS.get(one[0] or "", 1))
            if openness <= most and (not judged_by_owner or owner == one[1]):
                unseen.remove(one)
        if not unseen:
            break
    ids = {image_id for image_id, kind in images.items() if kind in unseen | beyond}
    return ids if len(ids) > 1 or another_key else set()


def _beyond_shares(kinds: set[Kind], shown: Iterable[Kind], project: str | None) -> set[Kind]:
    """Kinds of which shares that are shown tell nothing, as no private images are shown but those of one project: the
    configured one, else the only one there is."""
    private = {owner for visibility, owner in shown if visibility == "private"} - {None}
    project = project or (next(iter(private)) if len(private) == 1 else None)
    if project is None or not private <= {project}:
        return set()
    return {kind for kind in kinds if kind[0] != "community" and kind[1] not in (None, project)}
