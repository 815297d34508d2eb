-- Images whose id begins so (8 characters or more), or whose name this is; where there are none, in any case.
WITH found AS (
    SELECT i.source_id, s.name AS source, i.image_id, i.name, i.status, i.visibility, i.created_at, i.deleted_at,
        CASE
            WHEN length(%(image)s) >= 8 AND starts_with(i.image_id, %(image)s) OR i.name = %(image)s THEN 1
            WHEN length(%(image)s) >= 8 AND starts_with(lower(i.image_id), lower(%(image)s))
                OR lower(i.name) = lower(%(image)s) THEN 2
        END AS place
    FROM images AS i
    JOIN sources AS s ON s.source_id = i.source_id
    WHERE s.name = ANY (%(sources)s::text[]) AND (i.deleted_at IS NULL OR NOT %(live_only)s)
)
SELECT source_id, source, image_id, name, status, visibility, created_at, deleted_at
FROM found
WHERE place = (SELECT min(place) FROM found)
ORDER BY deleted_at IS NOT NULL, name, created_at DESC NULLS LAST, image_id, source
