-- Timelines of images: what the tables say of them around a moment.

-- name: load_lines
-- Of each image the revision in force just before a moment, and all from that moment on.
SELECT asked.image_id, r.observed_at, r.valid_from, r.content_hash, r.status, r.reported, r.cloud_time,
    r.cloud_deleted_at, r.absence_reason, r.run_id::text, r.change, r.period_from, r.deleted_at,
    r.deletion_reason, r.changed::text, CASE WHEN r.content_hash IS NOT NULL THEN r.created_at END
FROM unnest(%(ids)s::text[]) AS asked (image_id)
CROSS JOIN LATERAL (
    SELECT max(observed_at) AS at FROM revisions r
    WHERE r.source_id = %(source)s AND r.image_id = asked.image_id AND r.observed_at < %(at)s
) AS before
CROSS JOIN LATERAL (
    SELECT * FROM revisions t
    WHERE t.source_id = %(source)s AND t.image_id = asked.image_id
        AND t.observed_at >= coalesce(before.at, %(at)s) OFFSET 0
) AS r
ORDER BY asked.image_id, r.observed_at;

-- name: load_last
-- Of each image the last revision.
SELECT asked.image_id, r.observed_at, r.valid_from, r.content_hash, r.status, r.reported, r.cloud_time,
    r.cloud_deleted_at, r.absence_reason, r.run_id::text, r.change, r.period_from, r.deleted_at,
    r.deletion_reason, r.changed::text, CASE WHEN r.content_hash IS NOT NULL THEN r.created_at END
FROM unnest(%(ids)s::text[]) AS asked (image_id)
CROSS JOIN LATERAL (
    SELECT * FROM revisions r WHERE r.source_id = %(source)s AND r.image_id = asked.image_id
    ORDER BY r.observed_at DESC LIMIT 1
) AS r;

-- name: load_documents
-- The last record at or before a moment: its time and document.
SELECT asked.image_id, asked.observed_at, d.document::text
FROM unnest(%(ids)s::text[], %(ats)s::timestamptz[]) AS asked (image_id, observed_at)
CROSS JOIN LATERAL (
    SELECT document FROM revision_documents d
    WHERE d.source_id = %(source)s AND d.image_id = asked.image_id AND d.observed_at <= asked.observed_at
    ORDER BY d.observed_at DESC LIMIT 1
) AS d;
