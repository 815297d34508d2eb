"""Writes the migration for fields that catalog/fields.py has and the migrations have not yet.

`python tools/new_column.py`, after a Field was added at the end of FIELDS (CONTRIBUTING.md, "A field"). The column
goes into images, revisions and stage, and into the answer of images_as_of. What it writes is a draft to be read.
"""

from __future__ import annotations

import re
import sys
from argparse import Namespace
from collections.abc import Sequence
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.script import Script

ROOT = Path(__file__).resolve().parent.parent
if str(ROOT) not in sys.path:  # called as a script: our checkout, whatever is installed
    sys.path.insert(0, str(ROOT))

from catalog.fields import FIELDS, Field  # noqa: E402
from catalog.store.db.tables import metadata  # noqa: E402
from tools.generate import sql_type  # noqa: E402

MIGRATIONS = ROOT / "migrations"
_AS_OF = re.compile(
    r"CREATE TYPE image_as_of AS.*?^END;\n+COMMENT ON FUNCTION images_as_of.*?';\n", re.S | re.M
)
_TABLES = ("images", "revisions", "stage")
_PLACES = (
    (re.compile(r"(?=\bdeleted_at timestamptz, deletion_reason text)"), "{name} {type}, "),
    (re.compile(r"(?=\br\.deleted_at, r\.deletion_reason)"), "r.{name}, "),
    (re.compile(r"(?=\blost\.deleted_at, lost\.deletion_reason)"), "lost.{name}, "),
)
"""Where images_as_of names its columns: the answer, the revisions, the error. Fields stand before deleted_at."""
DROP_AS_OF = """\
-- A function's answer can't be changed in place. The new one keeps the old one's owner and callers, beside those
-- whom default privileges name.
SELECT set_config('catalog.callers', (
    SELECT 'ALTER FUNCTION images_as_of(timestamptz) OWNER TO ' || quote_ident(pg_get_userbyid(proowner))
        || '; REVOKE ALL ON FUNCTION images_as_of(timestamptz) FROM PUBLIC'
        || coalesce(string_agg('; GRANT EXECUTE ON FUNCTION images_as_of(timestamptz) TO '
            || CASE grantee WHEN 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(grantee)) END
            || CASE WHEN is_grantable THEN ' WITH GRANT OPTION' ELSE '' END, ''), '')
    FROM pg_proc LEFT JOIN LATERAL aclexplode(coalesce(proacl, acldefault('f', proowner))) ON true
    WHERE oid = 'images_as_of(timestamptz)'::regprocedure GROUP BY proowner
), true);
DROP FUNCTION images_as_of(timestamptz);
DROP TYPE image_as_of;"""
SAME_CALLERS = """\
DO $$ BEGIN
    ASSERT current_setting('catalog.callers') <> '', 'run this file in one transaction';
    EXECUTE current_setting('catalog.callers');
END $$;"""


def new_fields() -> list[Field]:
    """Fields without a column in any migration."""
    known = "\n".join(_scripts().values())
    pattern = r"(?im)^\s*(?:ALTER TABLE images ADD COLUMN )?{}\s+(?:text|integer|bigint|boolean|timestamp)"
    return [field for field in FIELDS if not re.search(pattern.format(field.column), known)]


def write(fields: Sequence[Field]) -> list[Path]:
    """Writes the migration of these fields; the files."""
    before = max(int(path.name[:4]) for path in (MIGRATIONS / "versions").glob("[0-9]*.py"))
    number = before + 1
    old = images_as_of()
    new = old
    for field in fields:
        for place, addition in _PLACES:
            new, count = place.subn(addition.format(name=field.column, type=_type(field)), new)
            assert count == 1, "images_as_of is written differently now: change _PLACES with it"
    names = ", ".join(field.column for field in fields)
    there = [_add(fields), DROP_AS_OF, new, SAME_CALLERS]
    back = [DROP_AS_OF, old, SAME_CALLERS, _drop(fields)]
    files = {
        MIGRATIONS / "sql" / f"{number:04}_changes.sql": there,
        MIGRATIONS / "sql" / f"{number:04}_drop.sql": back,
    }
    for path, parts in files.items():
        path.write_text("\n\n".join(parts) + "\n", encoding="utf-8")
    config = Config(ROOT / "alembic.ini", cmd_opts=Namespace(quiet=True))
    script = command.revision(config, f"Columns of images: {names}.", rev_id=f"{number:04}")
    assert isinstance(script, Script)
    return [*files, Path(script.path)]


def images_as_of() -> str:
    """The function as the newest migration makes it."""
    return [found[0] for text in _scripts().values() if (found := _AS_OF.search(text))][-1].rstrip()


def _scripts() -> dict[str, str]:
    """The SQL of all migrations by file name, in their order, without the ways back."""
    paths = [path for path in sorted((MIGRATIONS / "sql").glob("*.sql")) if not path.stem.endswith("_drop")]
    return {path.name: path.read_text(encoding="utf-8") for path in paths}


def _add(fields: Sequence[Field]) -> str:
    lines = [
        f"ALTER TABLE {table} ADD COLUMN {field.column} {_type(field)};"
        for field in fields
        for table in _TABLES
    ]
    for field in fields:
        comment = field.comment.replace("'", "''")
        lines += [f"COMMENT ON COLUMN {table}.{field.column} IS '{comment}';" for table in _TABLES]
    return "\n".join(lines)


def _drop(fields: Sequence[Field]) -> str:
    return "\n".join(
        f"ALTER TABLE {table} DROP COLUMN {field.column};" for field in fields for table in _TABLES
    )


def _type(field: Field) -> str:
    return sql_type(metadata.tables["images"].columns[field.column])


def main() -> None:
    fields = new_fields()
    if not fields:
        sys.exit("every field of catalog/fields.py has its column already")
    for path in write(fields):
        sys.stdout.write(f"{path.relative_to(ROOT)} written\n")


if __name__ == "__main__":
    main()
