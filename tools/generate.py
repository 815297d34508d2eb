"""Writes the parts of the documentation that come from the code: `python tools/generate.py`.

Writes the files of tools/models.py as well.

A part stands between `<!-- generated: NAME -->` and `<!-- end -->` in a page of docs/.
tests/unit/test_documentation.py fails while a page says something else than the code.
"""

from __future__ import annotations

import dataclasses
import re
import sys
import types
import typing
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import msgspec
from sqlalchemy import Column, Table
from sqlalchemy.dialects import postgresql

ROOT = Path(__file__).resolve().parent.parent
if str(ROOT) not in sys.path:  # called as a script: our checkout, whatever is installed
    sys.path.insert(0, str(ROOT))

from catalog.config.configured_sources import PASSES, DefaultsTable, SourceTable  # noqa: E402
from catalog.config.load import MAX_PARALLEL_SOURCES, DaemonTable, DatabaseTable  # noqa: E402
from catalog.config.settings import DatabaseSettings, Settings, SourceSettings, WebhookSettings  # noqa: E402
from catalog.config.toml import Duration  # noqa: E402
from catalog.config.webhooks import WebhookTable  # noqa: E402
from catalog.fields import CAPABILITIES, FIELDS  # noqa: E402
from catalog.store.db.tables import metadata  # noqa: E402
from tools import models  # noqa: E402

PAGES = sorted((ROOT / "docs").glob("*.md"))
_PART = re.compile(r"(<!-- generated: ([\w-]+) -->\n).*?(<!-- end -->)", re.DOTALL)

DATABASE_KEYS = {
    "url": "Address of a PostgreSQL 15 or later. Default: the embedded PostgreSQL in the data folder.",
    "password_file": "File with the password of the user in `url`.",
    "migration_url": "Address for `catalog db upgrade` and `db grant`, where another role owns the tables.",
    "schema": "Schema of all tables. Default: where the connection's search_path points.",
}
DAEMON_KEYS = {
    "parallel_sources": f"Sources swept side by side, 1 to {MAX_PARALLEL_SOURCES}; by `catalog sync` too.",
}
DEFAULTS_KEYS = {
    "interval": "Time from the start of one sweep to the next. Not with `cron`.",
    "changes_interval": "Time from one changes-only sweep to the next, between complete ones. Default: none are made.",
    "changes_overlap": "How far before the newest change known they ask again.",
    "cron": 'Five fields as Debian\'s cron reads them, such as "*/15 * * * *". Not with `interval`.',
    "timezone": "Zone of `cron`, an IANA name.",
    "deadline": "Longest time of one sweep; or three times the last complete one, if that is longer.",
    "page_size": "Images asked for a page, 1 to 10,000; services may send fewer.",
    "max_pages": "After so many pages a pass is truncated, never complete.",
    "spool_limit": "Most that new records of a sweep, or those saved of one moment, take in TMPDIR, in bytes.",
    "lookup_limit": "Missing images looked up by id in one sweep; 0 = none, absence alone decides.",
    "deletion_limit_percent": "Deletions are held if more than this share of the live images would go ...",
    "deletion_limit_count": "... and more than this many.",
    "archive": "Folder where each sweep's records are kept, gzip JSON Lines, mode 0600. Default: off.",
    "events_keep": "How long events stay in the table `events`, and wait for webhooks.",
    "ignore": "Upstream keys (globs) that open no revision. Replaces the default list.",
    "redact": "Upstream keys (globs, at any depth) whose value is replaced by its SHA-256 before it is stored.",
}
SOURCE_KEYS = {
    "name": "Unique name; of several regions or projects a pattern, `otc/{region}`. Default: `cloud`.",
    "kind": '"glance" or "ims". Must be given.',
    "cloud": "Entry of clouds.yaml or secure.yaml. Or:",
    "endpoint": "Address of the image service itself, without user and query; needs `auth`.",
    "auth": '"none", "token" or "aksk", beside `endpoint` only.',
    "token_env": "Environment variable that holds the token.",
    "token_file": "File that holds the token.",
    "access_key_env": 'Environment variable that holds the access key of auth = "aksk".',
    "access_key_file": "File that holds it.",
    "secret_key_env": "Environment variable that holds the secret key.",
    "secret_key_file": "File that holds it.",
    "security_token_env": "Environment variable that holds the token of a temporary key pair.",
    "security_token_file": "File that holds it.",
    "project_id": 'Id of the project; needed with auth = "aksk".',
    "project_id_file": "File that holds it.",
    "project": "Project to enter, name or id, beside `cloud`. Default: what clouds.yaml says.",
    "projects": 'Several of them, one source each; "*" = all that the user may enter.',
    "region": "Region. Default: what clouds.yaml says, else each of the catalogue, one source per region.",
    "regions": "Several of them, one source each.",
    "interface": '"public", "internal" or "admin". Default: what clouds.yaml says, else "public".',
    "passes": "; ".join(f"{kind}: {', '.join(names)}" for kind, names in PASSES.items())
    + '. Default: all but "market".',
    "filters": "Query parameters of every listing. With filters only looked-up images are deleted.",
    "project_names": "Fill the table `projects`, once a day.",
}
WEBHOOK_KEYS = {
    "name": "Unique name. Another name is another webhook, which begins anew.",
    "url": "Address that events are posted to.",
    "format": '"cloudevents": batches of CloudEvents; "slack": texts for chat rooms.',
    "secret_env": "Environment variable that holds the secret to sign with, base64; or",
    "secret_file": 'file that holds it. With format "slack" neither is needed.',
    "deadline": "Longest time of one request.",
    "sources": "Only of these sources; names or globs, as everywhere below. Default: all.",
    "types": "Only events of these types.",
    "fields": "Only images of which one of these upstream keys changed.",
    "tags": "Only images that have, or just had, one of these tags.",
    "families": "Only images whose name is, or just was, of one of these families.",
}


# ---- parts ----------------------------------------------------------------------------------------------


def fields() -> str:
    """The columns of `images`: name, type, unit, meaning and upstream keys."""
    rows = [(f"`{name}`", kind, unit, meaning, keys) for name, kind, unit, meaning, keys in _image_columns()]
    return _table(("column", "type", "unit", "meaning", "upstream key"), rows)


_UNIT = re.compile(r" Unit: ([^.]*)\.")
_UPSTREAM = re.compile(r" Upstream: (.*?)\.(?= Unit:|$)")


def _image_columns() -> Iterable[tuple[str, str, str, str, str]]:
    """Name, type, unit, meaning and upstream keys of each column of `images`, from its comment."""
    for column in metadata.tables["images"].columns:
        comment = column.comment or ""
        unit, keys = _UNIT.search(comment), _UPSTREAM.search(comment)
        meaning = _UNIT.sub("", _UPSTREAM.sub("", comment))
        yield column.name, sql_type(column), unit[1] if unit else "", meaning, keys[1] if keys else ""


def capabilities() -> str:
    """Capabilities that have a meaning of their own."""
    rows = [
        (f"`{c.capability}`", c.value_kind, c.family, "yes" if c.inverted else "", c.description)
        for c in CAPABILITIES
    ]
    return _table(("capability", "value", "family", "inverted", "meaning"), rows)


def database_keys() -> str:
    return _key_table(DatabaseTable, DATABASE_KEYS, DatabaseSettings)


def daemon_keys() -> str:
    return _key_table(DaemonTable, DAEMON_KEYS, Settings)


def defaults_keys() -> str:
    return _key_table(DefaultsTable, DEFAULTS_KEYS, SourceSettings)


def source_keys() -> str:
    own = [name for name in SourceTable.__struct_fields__ if name not in DefaultsTable.__struct_fields__]
    return _key_table(SourceTable, SOURCE_KEYS, SourceSettings, own)


def webhook_keys() -> str:
    return _key_table(WebhookTable, WEBHOOK_KEYS, WebhookSettings)


def _key_table(
    table: type[msgspec.Struct],
    meanings: dict[str, str],
    settings: type,
    names: Sequence[str] | None = None,
) -> str:
    names = table.__struct_fields__ if names is None else names
    if set(names) != set(meanings):
        raise SystemExit(
            f"tools/generate.py: keys of {table.__name__} without a meaning, or the other way round"
        )
    hints = typing.get_type_hints(table)
    rows = [
        (f"`{name}`", _kind(name, hints[name]), _default(settings, name), meanings[name]) for name in names
    ]
    return _table(("key", "type", "default", "meaning"), rows)


DURATIONS = tuple(
    name for name, hint in typing.get_type_hints(DefaultsTable).items() if hint == Duration | None
)


def _kind(name: str, hint: object) -> str:
    if name in DURATIONS:
        return "duration"
    words = {str: "text", int: "whole number", float: "number", bool: "true or false"}
    parts = typing.get_args(hint) if isinstance(hint, types.UnionType) else (hint,)
    kinds = []
    for part in parts:
        if part is type(None):
            continue
        origin = typing.get_origin(part)
        kinds.append({list: "list", dict: "table"}.get(origin) or words[part])
    return " or ".join(dict.fromkeys(kinds))


def _default(settings: type, name: str) -> str:
    """The default as TOML writes it; empty where there is none, or where a sentence tells it."""
    fields_of = {field.name: field for field in dataclasses.fields(settings)}
    field = fields_of.get(name)
    if field is None:
        return ""
    value = field.default
    if value is dataclasses.MISSING:
        value = field.default_factory() if field.default_factory is not dataclasses.MISSING else None
    if name in DURATIONS and isinstance(value, int | float):
        unit, seconds = next(unit for unit in (("d", 86_400), ("m", 60), ("s", 1)) if value >= unit[1])
        return f'`"{value / seconds:g}{unit}"`'
    if name in ("passes", "auth") or value is None or value == ():
        return ""
    if isinstance(value, bool):
        return f"`{str(value).lower()}`"
    if isinstance(value, tuple):
        return "`[" + ", ".join(f'"{item}"' for item in value) + "]`"
    if isinstance(value, dict):
        return "`{}`"
    return f'`"{value}"`' if isinstance(value, str) else f"`{value:.15g}`"


SHOWN = 14
"""A table of the diagram with more columns than this shows its key and how many more there are."""


def diagram() -> str:
    """The tables people query as a diagram; lines stand for equal key columns, there are no foreign keys."""
    tables = [table for table in metadata.sorted_tables if not _is_internal(table)]
    lines = ["```mermaid", "erDiagram"]
    for table in tables:
        if table.name in ("sources", "image_family_rules", "image_os_rules", "os_support"):
            continue
        parent = "images" if "image_id" in table.primary_key.columns and table.name != "images" else "sources"
        if table.name == "run_passes":
            parent = "runs"
        if "source_id" in table.columns:
            lines.append(f'    {parent} ||--o{{ {table.name} : "{_shared(table, parent)}"')
        elif table.name == "capabilities":
            lines.append('    capabilities ||--o{ image_capabilities : "capability"')
    for table in tables:
        lines.append(f"    {table.name} {{")
        keys = list(table.primary_key.columns)
        rest = [column for column in table.columns if column not in keys]
        shown = rest if len(table.columns) <= SHOWN else []
        lines += [f"        {sql_type(column)} {column.name} PK" for column in keys]
        lines += [f"        {sql_type(column)} {column.name}" for column in shown]
        if len(shown) < len(rest):
            lines.append(f'        columns and_more "{len(rest)} more, below"')
        lines.append("    }")
    return "\n".join([*lines, "```"])


def _shared(table: Table, parent: str) -> str:
    keys = [column.name for column in metadata.tables[parent].primary_key.columns]
    return ", ".join(name for name in keys if name in table.columns)


def _is_internal(table: Table) -> bool:
    return "Internal." in (table.comment or "")


def sql_type(column: Column[Any]) -> str:
    """A column's type as people write it."""
    dialect = postgresql.dialect()  # type: ignore[no-untyped-call]
    text = str(column.type.compile(dialect=dialect)).partition(" COLLATE")[0]
    return {"TIMESTAMP WITH TIME ZONE": "timestamptz", "DOUBLE PRECISION": "double"}.get(text, text.lower())


def tables() -> str:
    """Every table with its columns; those that come from upstream keys stand in fields.md."""
    parts = []
    for table in metadata.sorted_tables:
        if table.name == "stage":
            continue
        keys = ", ".join(column.name for column in table.primary_key.columns)
        parts.append(f"### {table.name}\n\n{table.comment} Key: {keys}.")
        copied = {field.column for field in FIELDS} if table.name in ("images", "revisions") else set()
        rows = [
            (f"`{column.name}`", sql_type(column), column.comment or "")
            for column in table.columns
            if column.name not in copied
        ]
        if copied:
            parts[-1] += " Its columns that come from upstream keys stand in [fields.md](fields.md)."
        parts.append(_table(("column", "type", "meaning"), rows))
    return "\n\n".join(parts)


_COMMENT = re.compile(r"COMMENT ON (VIEW|FUNCTION) (\w+)(?:\([^)]*\))? IS\s+'((?:[^']|'')*)'")


def views() -> str:
    """Views and functions with their SQL COMMENTs, as the migrations give them; the newest counts."""
    found: dict[str, tuple[str, str]] = {}
    for file in sorted((ROOT / "migrations" / "sql").glob("*.sql")):
        if file.stem.endswith("_drop"):
            continue
        for kind, name, comment in _COMMENT.findall(file.read_text(encoding="utf-8")):
            found[name] = (kind.lower(), comment.replace("''", "'"))
    rows = [
        (f"`{name}`", kind, text) for name, (kind, text) in sorted(found.items()) if "Internal." not in text
    ]
    return _table(("name", "kind", "answers"), rows)


PARTS: dict[str, Callable[[], str]] = {
    "fields": fields,
    "capabilities": capabilities,
    "database-keys": database_keys,
    "daemon-keys": daemon_keys,
    "defaults-keys": defaults_keys,
    "source-keys": source_keys,
    "webhook-keys": webhook_keys,
    "diagram": diagram,
    "tables": tables,
    "views": views,
}


# ---- pages ----------------------------------------------------------------------------------------------


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(map(_cell, line)) + " |" for line in lines)


def _cell(text: str) -> str:
    """Keys such as __os_type as code: Markdown would take the underscores for emphasis."""
    return re.sub(r"(?<![`\w])(__\w+\*?)", r"`\1`", text).replace("|", "\\|")


def parts_of(page: str) -> list[str]:
    """Names of the generated parts of a page's text."""
    return [name for _, name, _ in _PART.findall(page)]


def with_parts(page: str) -> str:
    """A page's text with its generated parts as the code is now. Raises KeyError for an unknown part."""
    return _PART.sub(lambda found: f"{found[1]}{PARTS[found[2]]()}\n{found[3]}", page)


def main() -> None:
    pages = {page: with_parts(page.read_text(encoding="utf-8")) for page in PAGES}
    for file, text in (pages | models.current_files()).items():
        if not file.exists() or file.read_text(encoding="utf-8") != text:
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text, encoding="utf-8")
            sys.stdout.write(f"{file.relative_to(ROOT)} written\n")


if __name__ == "__main__":
    main()
