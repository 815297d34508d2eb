"""The API's document, by OpenAPI 3.1; made of the parameters that are read and the columns that are stored."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import types
from sqlalchemy.dialects import postgresql

from catalog import __version__
from catalog.store.db.tables import metadata
from catalog.web import parameters
from catalog.web.parameters import Parameter, Schema

IMAGE = "/api/v1/images/{source_id}/{image_id}"
PARAMETERS: dict[str, Sequence[Parameter]] = {
    "/api/v1/images": parameters.IMAGES,
    f"{IMAGE}/history": parameters.HISTORY,
    IMAGE: parameters.NONE,
    "/api/v1/latest": parameters.LATEST,
    "/api/v1/changes": parameters.CHANGED,
    "/api/v1/events": parameters.EVENTS,
    "/api/v1/sources": parameters.SOURCES,
}
"""By path, what can be asked."""
_ANSWERS = {
    "/api/v1/images": ("list_images", "Images, live ones unless asked otherwise", "ImagePage"),
    f"{IMAGE}/history": ("get_history", "Revisions of one image, newest first", "HistoryPage"),
    IMAGE: ("get_image", "One image whole, and why it is live, unlisted, held or deleted", "Image"),
    "/api/v1/latest": ("latest_images", "The image to use: per source the newest that is offered", "Latest"),
    "/api/v1/changes": ("list_changes", "What changed, newest first", "ChangePage"),
    "/api/v1/events": ("list_events", "What sweeps changed, oldest first, as CloudEvents", "EventPage"),
    "/api/v1/sources": ("list_sources", "Sources, and how fresh what is known of them is", "Sources"),
}
"""By path, the operation, what it answers, and the schema of that."""
_SIMPLE: dict[str, Schema] = {
    "s": {"type": "string"},
    "t": {"type": "string", "format": "date-time"},
    "i": {"type": "integer"},
    "b": {"type": "boolean"},
    "l": {"type": "array", "items": {"type": "string"}},
    "o": {"type": "object", "additionalProperties": True},
    "r": {"type": "array", "items": {"type": "object", "additionalProperties": True}},
}


def _object(names: str, **more: Schema) -> Schema:
    """An object, all of whose members are always there: `name:s` a text, `name:s?` a text or null."""
    properties: dict[str, Schema] = {}
    for part in names.split():
        name, _, kind = part.partition(":")
        schema = dict(_SIMPLE[kind[0]])
        properties[name] = _or_null(schema) if kind.endswith("?") else schema
    properties |= more
    return {"type": "object", "properties": properties, "required": list(properties)}


def _or_null(schema: Schema) -> Schema:
    return schema | {"type": [schema["type"], "null"]}


def _reference(name: str) -> Schema:
    return {"$ref": f"#/components/schemas/{name}"}


def _page(member: str, of: str) -> Schema:
    of_next: Schema = {
        "type": ["string", "null"],
        "description": "Give it as `after` to go on; null: nothing follows.",
    }
    members: dict[str, Schema] = {member: {"type": "array", "items": _reference(of)}, "next": of_next}
    return _object("", **members)


def _columns(table: str, *left_out: str) -> dict[str, Schema]:
    """Schemas of a table's columns, with what their comments say."""
    found: dict[str, Schema] = {}
    for column in metadata.tables[table].columns:
        schema: Schema
        match column.type:
            case postgresql.ARRAY():
                schema = dict(_SIMPLE["l"])
            case types.Boolean():
                schema = dict(_SIMPLE["b"])
            case types.Integer():
                schema = dict(_SIMPLE["i"])
            case types.Float() | types.Numeric():
                schema = {"type": "number"}
            case types.DateTime():
                schema = dict(_SIMPLE["t"])
            case postgresql.JSONB():
                schema = {}
            case _:
                schema = dict(_SIMPLE["s"])
        if column.nullable and "type" in schema:
            schema = _or_null(schema)
        if column.comment:
            schema["description"] = column.comment
        if column.name not in left_out:
            found[column.name] = schema
    return found


_LISTED = _object(
    "source:s source_id:s image_id:s name:s? status:s? visibility:s? os:s? arch:s? purpose:s? owner:s? owner_name:s?"
    " created_at:t? updated_at:t? size_bytes:i? min_ram_mb:i? min_disk_gb:i? tags:l? capabilities:l? platform:s?"
    " os_type:s? os_version:s? disk_format:s? protected:b? hidden:b? unlisted_since:t? first_seen_at:t?"
    " last_changed_at:t? deleted_at:t? deletion_reason:s?"
)
_EXPLANATION = _object(
    "standing:s because:s last_listed_at:t? last_listed_run_id:s? evidence:r look_up:o? decisions:r"
)
_WHOLE = _object(
    "source:s region:s? owner_name:s? distro:s? release:s? arch:s? purpose:s? size_bytes:i? family:s? state:s?"
    " state_since:t? use_instead_id:s? use_instead_name:s? promised_until:s? tags:l capabilities:r properties:o"
    " status_periods:r changes:r lineage:r other_sources:r",
    explanation=_EXPLANATION,
)
_STORED = _columns("images", "tags", "capabilities", "properties")
SCHEMAS: dict[str, Schema] = {
    "ListedImage": _LISTED,
    "ImagePage": _page("images", "ListedImage"),
    "Image": {
        "type": "object",
        "properties": _STORED | _WHOLE["properties"],
        "required": list(_STORED | _WHOLE["properties"]),
    },
    "Revision": _object(
        "valid_from:t valid_to:t? observed_at:t recorded_at:t change:s changed:o? document:o? run_id:s?"
    ),
    "HistoryPage": _page("revisions", "Revision"),
    "LatestImage": _object(
        "source:s image_id:s name:s? distro:s? release:s? arch:s? purpose:s? visibility:s? created_at:t? region:s?"
        " family:s?"
    ),
    "Latest": _object("", images={"type": "array", "items": _reference("LatestImage")}),
    "Change": _object(
        "changed_at:t observed_at:t source:s source_id:s image_id:s name:s? change:s changed:o? deletion_reason:s?"
        " owner:s? owner_name:s? run_id:s?"
    ),
    "ChangePage": _page("changes", "Change"),
    "Event": {
        "type": "object",
        "description": "By CloudEvents 1.0.",
        "properties": {
            name: {"type": "object", "additionalProperties": True} if name == "data" else dict(_SIMPLE["s"])
            for name in (
                "specversion", "id", "source", "type", "subject", "time", "datacontenttype", "runid", "sequence",
                "data",
            )
        },
        "required": ["specversion", "id", "source", "type", "time", "data"],
    },
    "EventPage": _page("events", "Event"),
    "Source": _object(
        "source:s source_id:s kind:s region:s? last_complete_at:t? stale:b failing_since:t? error_kind:s? held:i"
        " retired_at:t? images:i observed_since:t? failures:i next_due_at:t?",
        expected_seconds={"type": ["number", "null"]},
    ),
    "Sources": _object("", sources={"type": "array", "items": _reference("Source")}),
    "Problem": _object("title:s status:i detail:s") | {"description": "By RFC 9457."},
}  # fmt: skip


def _spelled(parameter: Parameter) -> Schema:
    schema = dict(parameter.schema or parameters.TEXT)
    if parameter.many:
        schema = {"type": "array", "items": schema, "maxItems": parameters.MOST_VALUES}
    if parameter.default is not None:
        schema["default"] = parameter.default
    return {
        "name": parameter.name,
        "in": "query",
        "required": False,
        "description": parameter.meaning,
        "schema": schema,
    }


def _operation(path: str) -> Schema:
    name, summary, schema = _ANSWERS[path]
    inside = [part.strip("{}") for part in path.split("/") if part.startswith("{")]
    placed: list[Schema] = [
        {"name": each, "in": "path", "required": True, "schema": {"type": "string", "minLength": 1}}
        for each in inside
    ]
    problems = {
        "400": "The question can't be read",
        "401": "The token is missing",
        "404": "The catalog holds no such image, source, moment or place",
        "503": "The database is away",
    }
    return {
        "operationId": name,
        "summary": summary,
        "parameters": placed + [_spelled(each) for each in PARAMETERS[path]],
        "responses": {
            "200": {
                "description": summary,
                "headers": {"ETag": {"schema": {"type": "string"}}},
                "content": {"application/json": {"schema": _reference(schema)}},
            },
            "304": {"description": "Nothing changed since the ETag of If-None-Match"},
        }
        | {
            status: {
                "description": description,
                "content": {"application/problem+json": {"schema": _reference("Problem")}},
            }
            for status, description in sorted(problems.items())
        },
    }


DOCUMENT: Schema = {
    "openapi": "3.1.0",
    "info": {
        "title": "Image catalog",
        "version": __version__,
        "description": "What the catalog knows, read-only. `next` of an answer, given as `after`, leads on.",
    },
    "paths": {path: {"get": _operation(path)} for path in PARAMETERS},
    "components": {
        "schemas": SCHEMAS,
        "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
    },
    "security": [{"token": []}, {}],
}
