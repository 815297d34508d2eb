"""All that PostgreSQL's catalogs say of a schema, for comparing two ways to it."""

from __future__ import annotations

from typing import Any

import psycopg

# attnum only orders: a column that was dropped and made again has a new one
QUESTIONS = {
    "tables": """
        SELECT c.relname, c.relkind, c.relpersistence, c.reloptions, obj_description(c.oid, 'pg_class')
        FROM pg_class c WHERE c.relnamespace = %s AND c.relkind NOT IN ('i', 'I', 'c')""",
    "columns": """
        SELECT c.relname, a.attname, row_number() OVER (PARTITION BY c.oid ORDER BY a.attnum),
            format_type(a.atttypid, a.atttypmod), a.attnotnull, a.attidentity, a.attgenerated,
            pg_get_expr(d.adbin, d.adrelid), col_description(c.oid, a.attnum), a.attcollation::regcollation::text
        FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
        LEFT JOIN pg_attrdef d ON d.adrelid = c.oid AND d.adnum = a.attnum
        WHERE c.relnamespace = %s AND c.relkind IN ('r', 'v')""",
    "indexes": """
        SELECT pg_get_indexdef(x.indexrelid) FROM pg_index x JOIN pg_class c ON c.oid = x.indrelid
        WHERE c.relnamespace = %s""",
    "constraints": """
        SELECT c.conrelid::regclass::text, c.conname, c.contype, pg_get_constraintdef(c.oid)
        FROM pg_constraint c WHERE c.connamespace = %s""",
    "views": "SELECT relname, pg_get_viewdef(oid) FROM pg_class WHERE relnamespace = %s AND relkind = 'v'",
    "functions": """
        SELECT pg_get_functiondef(p.oid), obj_description(p.oid, 'pg_proc')
        FROM pg_proc p WHERE p.pronamespace = %s""",
    "row types": """
        SELECT c.relname, a.attname, a.attnum, format_type(a.atttypid, a.atttypmod), a.attcollation::regcollation::text
        FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid
        WHERE c.relnamespace = %s AND c.relkind = 'c'""",
    "triggers": """
        SELECT t.tgname FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid WHERE c.relnamespace = %s""",
    "types": """
        SELECT typname, typtype FROM pg_type t WHERE typnamespace = %s AND typtype IN ('e', 'd', 'r')""",
    "extensions": "SELECT extname FROM pg_extension WHERE extnamespace = %s",
}
CONTENTS = ("capabilities", "image_family_rules", "image_os_rules", "os_support", "catalog_schema_version")
"""Tables that a migration fills."""
Portrait = dict[str, list[tuple[Any, ...]]]


def portrait(url: str, schema: str = "public") -> Portrait:
    """The schema's objects, and the rows that migrations brought, sorted; the schema's own name left out."""
    with psycopg.connect(url) as connection:
        connection.execute("SELECT set_config('search_path', quote_ident(%s), false)", (schema,))
        row = connection.execute("SELECT oid FROM pg_namespace WHERE nspname = %s", (schema,)).fetchone()
        assert row is not None
        drawn = {name: _rows(connection, question, row[0]) for name, question in QUESTIONS.items()}
        present = {table[0] for table in drawn["tables"]}
        for table in CONTENTS:
            if table in present:
                drawn[table] = _rows(connection, f"SELECT * FROM {table}")
        quoted = connection.execute("SELECT quote_ident(%s)", (schema,)).fetchone()
    assert quoted is not None
    return {
        name: sorted((tuple(_bare(value, quoted[0]) for value in found) for found in rows), key=repr)
        for name, rows in drawn.items()
    }


def _rows(connection: psycopg.Connection, question: str, *values: Any) -> list[tuple[Any, ...]]:
    return connection.execute(question.encode(), values).fetchall()


def _bare(value: Any, schema: str) -> Any:
    """Definitions name the schema; where it stands is no difference."""
    return value.replace(f"{schema}.", "") if isinstance(value, str) else value
