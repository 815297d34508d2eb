-- Images as they are now, each with its source's name and kind.
(
    SELECT i.*, s.name AS source, s.kind
    FROM images AS i JOIN sources AS s ON s.source_id = i.source_id
)
