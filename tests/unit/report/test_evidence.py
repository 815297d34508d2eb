"""What is said of an image's evidence."""

from __future__ import annotations

from typing import get_args, get_type_hints

from catalog.model import AbsenceReason, InconclusiveKind, Lookup
from catalog.report.one_image import SAYS


def test_each_answer_and_each_reason_has_a_sentence() -> None:
    words = {
        *get_args(AbsenceReason),
        *get_args(InconclusiveKind),
        *get_args(get_type_hints(Lookup)["answer"]),
    }
    assert words <= SAYS.keys(), words - SAYS.keys()
