-- Images as they were at a moment, each with its source's name and kind.
(
    SELECT i.*, s.kind
    FROM images_as_of(%(as_of)s) AS i JOIN sources AS s ON s.source_id = i.source_id
)
