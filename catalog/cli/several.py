"""A name that means several images: the list of them, so that one can be chosen."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from catalog.cli.output import print_rows
from catalog.report.find import FOUND_COLUMNS, SeveralImages
from catalog.report.terminal import Format


@contextmanager
def listed_if_several(format: Format) -> Iterator[None]:
    """Prints the images that are meant if they are several; the error goes on, and ends the command (exit 2)."""
    try:
        yield
    except SeveralImages as error:
        print_rows(FOUND_COLUMNS, [tuple(each[1:]) for each in error.found], format)
        raise
