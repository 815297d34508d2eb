-- Of one source at two moments: an image without a revision between them is the same at both.
    AND (i.source_id, i.image_id) IN (
        SELECT r.source_id, r.image_id FROM revisions AS r JOIN sources AS s ON s.source_id = r.source_id
        WHERE s.name = %(a)s AND r.valid_from > least(%(from)s::timestamptz, %(to)s::timestamptz)
            AND (%(to)s::timestamptz IS NULL
                OR r.valid_from <= greatest(%(from)s::timestamptz, %(to)s::timestamptz))
    )
