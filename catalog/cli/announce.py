"""`catalog announce`: which images and families shall be chosen or used no more."""

from __future__ import annotations

from datetime import datetime

import click

from catalog.cli.deletions import user
from catalog.cli.invocation import Invocation
from catalog.cli.output import listed_if_several, print_rows
from catalog.cli.parameters import format_option, moment, sources_option
from catalog.errors import ExitCode, UsageError
from catalog.report.find import find_image
from catalog.report.sources import asked_sources
from catalog.report.terminal import Format
from catalog.store.db.connection import Connection
from catalog.store.state import announcements
from catalog.store.state.announcements import Announcement, Subject

TABLE_COLUMNS = ("source", "scope", "subject", "deprecated_at", "obsolete_at", "use_instead_id", "note")
"""For people; JSON and CSV carry every column."""
NONE = "nothing is announced; `catalog announce IMAGE --deprecated DATE` does it"


@click.command(
    epilog="""\b
Example:
  catalog announce 7f0c4f52-0b5e-4f0e-9d43-6a2b7d4b1f10 --deprecated 2027-01-01 --obsolete 2027-06-30
  catalog announce --family "CentOS 7" --obsolete 2024-06-30 --use-instead "Rocky 9" --note "end of life"
  catalog announce --family "CentOS 7" --withdraw
  catalog announce""",
)
@click.argument("image", required=False)
@click.option("--family", metavar="F", help="All images of this family, now and later.")
@sources_option
@click.option("--deprecated", type=moment, metavar="DATE", help="From when on nobody should choose it.")
@click.option("--obsolete", type=moment, metavar="DATE", help="From when on nobody should use it.")
@click.option("--use-instead", metavar="IMAGE", help="Id or name of a live image of the same source.")
@click.option("--note", metavar="TEXT", help="What else there is to say.")
@click.option("--withdraw", is_flag=True, help="Take back what was announced.")
@format_option
@click.pass_obj
def announce(
    invocation: Invocation,
    image: str | None,
    family: str | None,
    source: tuple[str, ...],
    deprecated: datetime | None,
    obsolete: datetime | None,
    use_instead: str | None,
    note: str | None,
    withdraw: bool,
    format: Format,
) -> int:
    """Announce that IMAGE (an id, its beginning, or a name) or a family is deprecated or obsolete, from a date on.

    It shows in image_lifecycle, and `catalog latest` chooses it no more. A later announcement takes the place of the
    one before; all are kept, with who made them and when. Without IMAGE and --family: show what holds.
    """
    said = (deprecated, obsolete, use_instead, note)
    if image is not None and family is not None:
        raise click.UsageError("IMAGE and --family exclude each other")
    if withdraw and any(said):
        raise click.UsageError("--withdraw takes back what was announced; announce anew without it")
    if deprecated and obsolete and obsolete < deprecated:
        raise click.UsageError("--obsolete comes before --deprecated")
    if image is None and family is None:
        if withdraw or any(said):
            raise click.UsageError("name an IMAGE, or a --family")
        with invocation.reading() as connection:
            rows = announcements.in_force(connection, asked_sources(connection, source))
        _print(rows, format)
        return ExitCode.OK
    if not (withdraw or any(said)):
        raise click.UsageError("say --deprecated, --obsolete, --use-instead or --note; or --withdraw")
    with (
        listed_if_several(format),
        invocation.existing_database() as database,
        database.transaction() as connection,
    ):
        subjects = _subjects(connection, image, family, source)
        if withdraw:
            rows = [row for one in subjects for row in announcements.withdraw(connection, one, by=user())]
            if not rows:
                raise UsageError(
                    f"nothing is announced of {image or family!r}; `catalog announce` shows what is"
                )
        else:
            instead = _instead(connection, use_instead, subjects)
            rows = [
                announcements.announce(
                    connection,
                    one,
                    by=user(),
                    deprecated_at=deprecated,
                    obsolete_at=obsolete,
                    use_instead_id=instead.get(one.source),
                    note=note,
                )
                for one in subjects
            ]
    _print(rows, format)
    return ExitCode.OK


def _subjects(
    connection: Connection, image: str | None, family: str | None, sources: tuple[str, ...]
) -> list[Subject]:
    if image is not None:
        found = find_image(connection, image, sources)
        return [Subject(each.source_id, each.source, "image", each.image_id) for each in found]
    assert family is not None
    subjects = announcements.families(connection, asked_sources(connection, sources), family)
    if not subjects:
        raise UsageError(f"no image is of the family {family!r}; `family` in image_os shows which there are")
    return subjects


def _instead(connection: Connection, image: str | None, subjects: list[Subject]) -> dict[str, str]:
    """The image to use instead, by source. Raises UsageError where a source does not hold it."""
    if image is None:
        return {}
    names = sorted({one.source for one in subjects})
    found = {each.source: each.image_id for each in find_image(connection, image, names, live_only=True)}
    missing = [name for name in names if name not in found]
    if missing:
        raise UsageError(
            f"{', '.join(missing)} does not hold {image!r}: narrow by --source, and announce there another one"
        )
    return found


def _print(rows: list[Announcement], format: Format) -> None:
    columns = TABLE_COLUMNS if format == "table" else Announcement._fields
    print_rows(columns, [tuple(getattr(row, name) for name in columns) for row in rows], format, if_none=NONE)
