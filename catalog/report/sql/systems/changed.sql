-- Images of a moment that are something else by now, with what told their systems then.
SELECT r.source_id, r.image_id, r.name, r.platform, r.os_version, r.os_type, r.os_bit, r.architecture, r.capabilities,
    r.properties
FROM revisions AS r
JOIN sources AS s ON s.source_id = r.source_id
WHERE r.valid_from <= %(as_of)s AND r.valid_to > %(as_of)s
    AND (%(sources)s::text[] IS NULL OR s.name = ANY (%(sources)s::text[]))
