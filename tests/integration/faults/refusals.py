"""A server that refuses writes, for as long as a test wants."""

from __future__ import annotations

import psycopg

ROWS = {"runs": "ROW WHEN (NEW.finished_at IS NOT NULL)", "sources": "ROW"}
"""Where a statement that changes no row is no write."""


def raise_in(somebody: psycopg.Connection, table: str, code: str, words: str, *, times: int) -> None:
    """The next so many writes to a table fail; those to `runs` only where they close a row.

    A trigger stands for whatever makes the server say so; a sequence remembers across roll-backs.
    """
    somebody.execute(
        f"""
        DROP SEQUENCE IF EXISTS tries CASCADE;
        CREATE SEQUENCE tries;
        CREATE OR REPLACE FUNCTION fail() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            IF nextval('tries') <= {times} THEN
                RAISE EXCEPTION E'{words}\\nand more' USING ERRCODE = '{code}';
            END IF;
            RETURN NULL;
        END $$;
        DROP TRIGGER IF EXISTS fail ON {table};
        CREATE TRIGGER fail AFTER UPDATE OR INSERT {"" if table == "runs" else "OR DELETE "}ON {table}
            FOR EACH {ROWS.get(table, "STATEMENT")}
            EXECUTE FUNCTION fail();
        """.encode()
    )
    somebody.commit()
