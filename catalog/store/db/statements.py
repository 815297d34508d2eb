"""Named statements from the .sql files in `catalog/store/sql`, so that SQL stands readable in one place."""

from __future__ import annotations

import re
from pathlib import Path

_NAME = re.compile(r"^-- name: (\w+)$", re.MULTILINE)


def load(file_name: str, **names: str) -> dict[str, str]:
    """Statements of a file by name; `{placeholders}` in it are filled with the names given."""
    text = (Path(__file__).parents[1] / "sql" / file_name).read_text(encoding="utf-8")
    for key, value in names.items():
        text = text.replace("{" + key + "}", value)
    parts = _NAME.split(text)
    return {name: body.strip() for name, body in zip(parts[1::2], parts[2::2], strict=True)}
