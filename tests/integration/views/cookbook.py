"""The cookbook of docs/reporting.md: each question's SQL, as it stands there."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from tests.integration.views.conftest import Shelf

PAGE = (Path(__file__).parents[3] / "docs" / "reporting.md").read_text(encoding="utf-8")
COOKBOOK = dict(re.findall(r"^### ([^\n]+)\n\n```sql\n(.*?)^```$", PAGE, flags=re.DOTALL | re.MULTILINE))
"""Question to SQL."""
GIB = 2**30
CHECKED: list[str] = []
"""Questions that the tests imported so far ask."""


def asked(question: str) -> pytest.MarkDecorator:
    """The SQL of a question, as the argument `answer_by`. A question that the page does not hold is an error."""
    CHECKED.append(question)
    return pytest.mark.parametrize("answer_by", [pytest.param(COOKBOOK[question], id="sql")])


def told(shelf: Shelf, query: str, *columns: str) -> list[tuple[Any, ...]]:
    """The answer, in its order, cut to these columns."""
    return [tuple(row[column] for column in columns) for row in shelf.ask(query)]
