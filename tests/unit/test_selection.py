"""Which sources a name or a glob means: the same for every command."""

from __future__ import annotations

import pytest

from catalog.config.selection import select_names
from catalog.errors import UsageError

NAMES = ["otc/b", "otc/a", "lab[1]", "lab1", "*"]


@pytest.mark.parametrize(
    ("patterns", "expected"),
    [
        ([], NAMES),
        (["otc/*"], ["otc/b", "otc/a"]),
        (["lab1", "otc/a"], ["otc/a", "lab1"]),
        (["lab[1]"], ["lab[1]"]),
        (["lab[0-9]"], ["lab1"]),
        (["lab*"], ["lab[1]", "lab1"]),
        (["*"], ["*"]),
    ],
)
def test_a_name_written_in_full_means_itself_alone_and_all_else_is_a_glob(
    patterns: list[str], expected: list[str]
) -> None:
    assert select_names(NAMES, patterns) == expected


def test_a_name_that_fits_none_is_refused_with_the_known_ones() -> None:
    with pytest.raises(UsageError, match=r"'lap\*'; known: a, b$"):
        select_names(["a", "b"], ["a", "lap*"])
    with pytest.raises(UsageError, match="known: none yet"):
        select_names([], ["lab"])


def test_of_many_known_names_some_are_shown() -> None:
    with pytest.raises(UsageError) as caught:
        select_names([f"source-{number}" for number in range(1000)], ["lab"])
    assert str(caught.value).endswith("source-19, and 980 more")
