-- The newest images, among which those that fit are looked for first: as many as an index gives at once.
(
    SELECT i.*
    FROM {images} AS i
    WHERE i.deleted_at IS NULL AND i.created_at <= coalesce(%(after_key)s::timestamptz, 'infinity')
    ORDER BY i.created_at DESC NULLS LAST
    FETCH FIRST %(most)s ROWS WITH TIES
)
