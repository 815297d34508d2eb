"""What other tools know of tables and views: dbt's sources and exposure, an Open Data Contract, Superset's dashboard.

Names, types, keys and meanings are those of a database that all migrations made. `python tools/generate.py` writes the
files, and tests/integration/views/test_models.py names one that is stale.
"""

from __future__ import annotations

import re
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple, get_args

import yaml

from catalog import __version__
from catalog.config.settings import DatabaseSettings
from catalog.fields import CapabilityFamily
from catalog.model import DELETION_REASONS, HeldReason, Outcome, Scope, SourceKind, Verdict
from catalog.report.images import STATES
from catalog.report.queries import CHANGES
from catalog.store.db import schema
from catalog.store.db.connection import Connection, Database
from tools import superset

DOCS = Path(__file__).resolve().parent.parent / "docs"
DASHBOARD = DOCS / "grafana.json"
HEAD = "# Generated: python tools/generate.py\n"

VIEW_KEYS: dict[str, Sequence[str]] = {
    "announcements_in_force": ("source_id", "scope", "subject"),
    "capability_matrix": ("source_id", "capability", "platform"),
    "deleted_images": ("source_id", "image_id"),
    "distinct_images": ("source_id", "image_id"),
    "equivalent_images": ("source_id", "distro", "release", "arch", "purpose", "visibility"),
    "image_changes": ("source_id", "image_id", "changed_at", "field"),
    "image_lifecycle": ("source_id", "image_id"),
    "image_lineage": ("source_id", "image_id", "depth"),
    "image_os": ("source_id", "image_id"),
    "image_overview": ("source_id", "image_id"),
    "image_promises": ("source_id", "image_id", "promise"),
    "image_revisions": ("source_id", "image_id", "valid_from"),
    "image_standings": ("source_id", "image_id"),
    "image_turns": ("source_id", "image_id"),
    "live_image_tags": ("source_id", "image_id", "tag"),
    "os_support_now": ("distro", "release"),
    "source_freshness": ("source_id",),
    "source_services": ("source_id",),
    "status_durations": ("source_id", "image_id", "entered_at"),
}
"""Columns by which a view has one row each; tables have their primary keys."""
FAILURES = ("login", "network", "throttled", "upstream", "bad_listing", "deadline", "database", "config")
PHASES = ("active", "security", "lts", "extended")
CLOSED: dict[str, Sequence[str]] = {
    "ancestor_state": ("live", "deleted", "missing", "loop"),
    "capabilities.family": get_args(CapabilityFamily),
    "capability_matrix.family": get_args(CapabilityFamily),
    "change": CHANGES,
    "decision": ("open", "approved", "kept", "returned", "deleted"),
    "deletion_reason": DELETION_REASONS,
    "error_kind": FAILURES,
    "held_deletions.reason": get_args(HeldReason),
    "image_lifecycle.state": STATES,
    "os_support.phase": PHASES,
    "outcome": [outcome for outcome in get_args(Outcome) if outcome != "busy"],
    "promise": ("replace_frequency", "provided_until", "uuid_validity", "hotfix_hours"),
    "runs.kind": ("sync", "backfill"),
    "runs.scope": get_args(Scope),
    "scope": ("image", "family"),
    "sources.kind": get_args(SourceKind),
    "support_phase": (*PHASES, "ended"),
    "tells": ("system", "arch", "purpose"),
    "value_kind": ("flag", "models"),
    "verdict": get_args(Verdict),
}  # fmt: skip
"""Closed sets of columns, by name, or by relation and name. A comment that lacks one of the words is an error."""


class ColumnFacts(NamedTuple):
    name: str
    type: str
    required: bool
    meaning: str
    values: Sequence[str]


class Relation(NamedTuple):
    name: str
    kind: str
    meaning: str
    key: Sequence[str]
    columns: list[ColumnFacts]


_COLUMNS = """
    SELECT c.relname, CASE c.relkind WHEN 'v' THEN 'view' ELSE 'table' END, obj_description(c.oid, 'pg_class'),
        array(SELECT k.attname::text FROM pg_index i
            JOIN pg_attribute k ON k.attrelid = c.oid AND k.attnum = ANY (i.indkey)
            WHERE i.indrelid = c.oid AND i.indisprimary ORDER BY array_position(i.indkey::int2[], k.attnum)),
        a.attname, format_type(a.atttypid, a.atttypmod), a.attnotnull, col_description(c.oid, a.attnum)
    FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
    WHERE c.relnamespace = current_schema()::regnamespace AND c.relkind IN ('r', 'v')
        AND coalesce(obj_description(c.oid, 'pg_class'), 'Internal.') !~ 'Internal\\.'
        AND coalesce(col_description(c.oid, a.attnum), '') !~ 'Internal\\.'
    ORDER BY c.relname, a.attnum"""


def relations(connection: Connection) -> list[Relation]:
    """The tables and views that are not internal, by name, as the database knows them."""
    found: dict[str, Relation] = {}
    for name, kind, meaning, key, *facts in connection.execute(_COLUMNS):
        relation = found.setdefault(name, Relation(name, kind, meaning, key or VIEW_KEYS[name], []))
        relation.columns.append(ColumnFacts(*facts, values=closed_set(name, *facts)))
    return list(found.values())


def closed_set(relation: str, column: str, kind: str, required: bool, meaning: str) -> Sequence[str]:
    """The values that a column may have; empty where the set is open."""
    values = CLOSED.get(f"{relation}.{column}") or CLOSED.get(column, ())
    if missing := [value for value in values if not re.search(rf"\b{value}\b", meaning)]:
        raise SystemExit(f"tools/models.py: the comment of {relation}.{column} does not name {missing}")
    return values


# ---- dbt ------------------------------------------------------------------------------------------------


def dbt_sources(found: Sequence[Relation]) -> str:
    """sources.yml: descriptions, keys, closed sets, and freshness by the source that was read longest ago."""
    source = {
        "name": "image_catalog",
        "description": "Virtual machine images of clouds: what there is, what changed, what ends.",
        "schema": "{{ var('catalog_schema') }}",
        "tables": [_dbt_table(relation) for relation in found],
    }
    return HEAD + _yaml({"version": 2, "sources": [source]})


def _dbt_table(relation: Relation) -> dict[str, Any]:
    table: dict[str, Any] = {
        "name": relation.name,
        "description": relation.meaning,
        "data_tests": [{"one_row_per": {"arguments": {"columns": list(relation.key)}}}],
    }
    if relation.name == "source_freshness":
        table["config"] = {
            "loaded_at_query": "SELECT min(coalesce(last_complete_at, 'epoch'))"
            " FROM {{ this }} WHERE retired_at IS NULL",
            "freshness": {
                "warn_after": {"count": 1, "period": "hour"},
                "error_after": {"count": 3, "period": "hour"},
            },
        }
    return table | {"columns": [_dbt_column(column) for column in relation.columns]}


def _dbt_column(column: ColumnFacts) -> dict[str, Any]:
    described: dict[str, Any] = {"name": column.name, "description": column.meaning}
    if not column.values:
        return described
    return described | {"data_tests": [{"accepted_values": {"arguments": {"values": list(column.values)}}}]}


def dbt_exposures(found: Sequence[Relation]) -> str:
    """exposures.yml: the Grafana dashboard, and what it reads."""
    queries = DASHBOARD.read_text(encoding="utf-8")
    read = [relation.name for relation in found if re.search(rf"(FROM|JOIN) {relation.name}\b", queries)]
    exposure = {
        "name": "image_catalog_dashboard",
        "label": "Image catalog",
        "type": "dashboard",
        "description": "The Grafana dashboard that comes with the catalog.",
        "owner": {"name": "Whoever runs the catalog"},
        "depends_on": [f"source('image_catalog', '{name}')" for name in read],
    }
    return HEAD + _yaml({"version": 2, "exposures": [exposure]})


# ---- Open Data Contract ---------------------------------------------------------------------------------


LOGICAL = {
    "text": "string", "uuid": "string", "bytea": "string", "boolean": "boolean", "integer": "integer",
    "bigint": "integer", "double precision": "number", "numeric": "number", "date": "date", "jsonb": "object",
    "timestamp with time zone": "timestamp",
}  # fmt: skip


def data_contract(found: Sequence[Relation]) -> str:
    """datacontract.yaml, by the Open Data Contract Standard 3.1."""
    contract = {
        "apiVersion": "v3.1.0",
        "kind": "DataContract",
        "id": "image-catalog",
        "name": "Image catalog",
        "version": __version__,
        "status": "active",
        "description": {
            "purpose": "Virtual machine images of clouds: what there is, what changed, what ends.",
            "usage": "Join by source_id and image_id. Columns may be added at the end; none is renamed or removed.",
            "limitations": "History may be completed later: rows may be dated back.",
        },
        "servers": [
            {
                "server": "catalog", "type": "postgres", "host": "db.example.com", "port": 5432,
                "database": "catalog", "schema": "catalog",
            }
        ],
        "schema": [_contract_table(relation) for relation in found],
    }  # fmt: skip
    return HEAD + _yaml(contract)


def _contract_table(relation: Relation) -> dict[str, Any]:
    return {
        "name": relation.name,
        "physicalType": relation.kind,
        "description": relation.meaning,
        "properties": [_contract_property(relation, column) for column in relation.columns],
    }


def _contract_property(relation: Relation, column: ColumnFacts) -> dict[str, Any]:
    told: dict[str, Any] = {"name": column.name}
    if column.name in relation.key and relation.kind == "table":
        told |= {"primaryKey": True, "primaryKeyPosition": list(relation.key).index(column.name) + 1}
    if column.type.endswith("[]"):
        told |= {"logicalType": "array", "items": {"logicalType": LOGICAL[column.type[:-2]]}}
    else:
        told["logicalType"] = LOGICAL[column.type]
    told |= {"physicalType": column.type, "description": column.meaning}
    if column.required:
        told["required"] = True
    if column.values:
        rule = {"metric": "invalidValues", "arguments": {"validValues": list(column.values)}, "mustBe": 0}
        told["quality"] = [{"type": "library", **rule}]
    return told


# ---- files ----------------------------------------------------------------------------------------------


def files(connection: Connection) -> dict[Path, str]:
    """What each file shall hold."""
    found = relations(connection)
    columns = {one.name: [(c.name, c.type, c.meaning) for c in one.columns] for one in found}
    boards = {DOCS / path: HEAD + _yaml(content) for path, content in superset.files(columns).items()}
    return boards | {
        DOCS / "dbt" / "models" / "sources.yml": dbt_sources(found),
        DOCS / "dbt" / "models" / "exposures.yml": dbt_exposures(found),
        DOCS / "datacontract.yaml": data_contract(found),
    }


def _yaml(content: object) -> str:
    return yaml.safe_dump(content, sort_keys=False, allow_unicode=True, width=10**6, default_flow_style=None)


def current_files() -> dict[Path, str]:
    """What each file shall hold, by an embedded database of its own."""
    with tempfile.TemporaryDirectory() as folder:
        with Database(DatabaseSettings(url=None, data_dir=Path(folder))) as database:
            schema.upgrade(database)
            with database.transaction(read_only=True) as connection:
                return files(connection)
