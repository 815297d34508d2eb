"""Ten questions, each as PostgreSQL answers it and as an engine on an export does."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

AS_OF = "the catalog as of a moment"
"""`{moment}` stands for it. In an export: the revision and the status period in force; both say what lives."""

QUESTIONS: dict[str, tuple[str, str]] = {
    "live images by source and status": (
        (
            "SELECT s.name, i.status, count(*) FROM images i JOIN sources s USING (source_id)"
            " WHERE i.deleted_at IS NULL GROUP BY 1, 2"
        ),
        "SELECT source, status, count(*) FROM images WHERE deleted_at IS NULL GROUP BY 1, 2",
    ),
    "images with a tag": (
        "SELECT s.name, t.image_id, t.tag FROM image_tags t JOIN sources s USING (source_id) WHERE t.tag <> 'golden'",
        "SELECT source, image_id, tag FROM image_tags WHERE tag <> 'golden'",
    ),
    "tags as a list": (
        "SELECT image_id, tags[1], cardinality(tags) FROM images WHERE 'x,y' = ANY (tags)",
        "SELECT image_id, {first} , {length} FROM images WHERE array_contains(tags, 'x,y')",
    ),
    "capabilities with their models": (
        "SELECT capability, supported, raw_value, models[1], count(*) FROM image_capabilities GROUP BY 1, 2, 3, 4",
        "SELECT capability, supported, raw_value, {models}, count(*) FROM image_capabilities GROUP BY 1, 2, 3, 4",
    ),
    "values of properties": (
        "SELECT name, value::text, count(*) FROM image_properties GROUP BY 1, 2",
        "SELECT name, value, count(*) FROM image_properties GROUP BY 1, 2",
    ),
    AS_OF: (
        "SELECT source, image_id, name, status, valid_from FROM images_as_of('{moment}') WHERE deleted_at IS NULL",
        (
            "SELECT r.source, r.image_id, {name}, h.status, r.valid_from FROM image_revisions r"
            " JOIN status_history h ON h.source_id = r.source_id AND h.image_id = r.image_id"
            " AND h.valid_from <= {at} AND (h.valid_to IS NULL OR h.valid_to > {at})"
            " WHERE r.valid_from <= {at} AND (r.valid_to IS NULL OR r.valid_to > {at}) AND h.status <> 'deleted'"
        ),
    ),
    "what changed, and when": (
        "SELECT image_id, change, changed::text, valid_from FROM image_revisions WHERE change <> 'created'",
        "SELECT image_id, change, changed, valid_from FROM image_revisions WHERE change <> 'created'",
    ),
    "how long each status lasted": (
        "SELECT image_id, status, (extract(epoch FROM valid_to - valid_from) * 1000000)::bigint FROM status_history",
        "SELECT image_id, status, {micros}(valid_to) - {micros}(valid_from) FROM status_history",
    ),
    "what is gone": (
        "SELECT image_id, deletion_reason, deleted_at, size FROM images WHERE deleted_at IS NOT NULL",
        "SELECT image_id, deletion_reason, deleted_at, size FROM images WHERE deleted_at IS NOT NULL",
    ),
    "runs by outcome": (
        (
            "SELECT s.name, r.kind, r.outcome, count(*), sum(r.listed)::bigint, max(r.run_id::text) FROM runs r"
            " JOIN sources s USING (source_id) GROUP BY 1, 2, 3"
        ),
        (
            "SELECT s.name, r.kind, r.outcome, count(*), CAST(sum(r.listed) AS bigint), max(r.run_id) FROM runs r"
            " JOIN sources s ON s.source_id = r.source_id GROUP BY 1, 2, 3"
        ),
    ),
}
DUCKDB = {
    "first": "tags[1]",
    "length": "len(tags)",
    "models": "models[1]",
    "name": "json_extract_string(document, '$.name')",
    "at": "TIMESTAMPTZ '{moment}'",
    "micros": "epoch_us",
}
SPARK = {
    "first": "tags[0]",
    "length": "size(tags)",
    "models": "models[0]",
    "name": "get_json_object(document, '$.name')",
    "at": "TIMESTAMP '{moment}'",
    "micros": "unix_micros",
}


def in_words_of(query: str, words: Mapping[str, str], moment: str) -> str:
    for key, word in words.items():
        query = query.replace("{" + key + "}", word)
    return query.replace("{moment}", moment)


def sorted_rows(rows: list[Any]) -> list[tuple[Any, ...]]:
    return sorted((tuple(row.values()) if isinstance(row, dict) else tuple(row) for row in rows), key=repr)
