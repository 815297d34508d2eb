"""What a login could see: that it is not shown an image counts only up to there (semantics 4.5, login reach)."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Set

from catalog.model import KEY, NO_LOGIN, PROJECT
from catalog.text import storable

ADMIN = "role admin"
"""An OpenStack service shows whoever has it the images of all projects."""
UNKNOWN_RIGHT = "what nobody knows"
"""In the place of rights of logins: no login has it."""
SOME = "some login: "
"""Begins, among what all of several logins reach, what only some of them do."""

Reach = frozenset[str]
"""The rights of a login, without the keys of which nobody knows what they reach."""


def without_keys(rights: Collection[str]) -> Reach:
    """The rights that tell what a login reaches: of another key nobody knows if it reaches less."""
    return frozenset(storable(right) for right in rights if not right.startswith(KEY))


def lacking(measure: Set[str], logins: Collection[Set[str]]) -> frozenset[str]:
    """The rights that some login of an observation doesn't have, of those that they are compared with or another one
    had: what was listed with more of them may be hidden by now."""
    had = frozenset(measure).union(*logins)
    return had - had.intersection(*logins)


def common(logins: Iterable[Collection[str] | None]) -> Reach | None:
    """What several logins of one observation reach, None where none is known. Who sees as much as only some of them do
    may not see all that they brought."""
    reaches = {None if login is None else without_keys(login) for login in logins}
    if len(reaches) < 2:
        return next(iter(reaches), None)
    known = [reach for reach in reaches if reach is not None]
    by_all = frozenset.intersection(*known)
    by_some = together(frozenset().union(*known)) - by_all
    return by_all | {SOME + right for right in by_some} | {UNKNOWN_RIGHT}


def together(rights: Iterable[str]) -> Reach:
    """The rights that some of the logins of observations had, of what `common` says of each."""
    return frozenset(right.removeprefix(SOME) for right in rights) - {UNKNOWN_RIGHT}


def is_keyed(login: Collection[str]) -> bool:
    """True if nothing tells what a login reaches: not even that it is the same as before tells that."""
    told = ("auth keystone", NO_LOGIN)
    return any(right.startswith("auth ") and right not in told for right in login)


def project_of(login: Reach) -> str | None:
    """The project that a login is for, as far as that is known."""
    return next((right.removeprefix(PROJECT) for right in login if right.startswith(PROJECT)), None)


def is_beyond(owner: str | None, login: Reach, shows: Set[str | None]) -> bool:
    """True if a login may never have been able to see an image that is not for everybody, and that it was never shown,
    as far as is known: it is of another project than the login's, and nothing tells that the login sees that one's too.

    `shows`: owners of the private images that it is shown. Who sees one of another project's sees those of all.
    """
    project = project_of(login)
    sees_all = bool({ADMIN, NO_LOGIN} & login) or (project is not None and bool(shows - {project, None}))
    return not sees_all and owner != project and owner not in shows
