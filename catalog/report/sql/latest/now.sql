-- Live images of the sources asked for, each with its system, as they are known now.
SELECT i.source_id, s.name AS source, s.region, i.image_id, i.name, i.status, i.visibility, i.created_at, i.hidden,
    i.is_off_shelved, i.image_kind, i.tags, i.capabilities, i.unlisted_since IS NOT NULL AS unlisted,
    f.distro, f.release, f.arch, f.purpose, f.family
FROM image_state AS f
JOIN images AS i ON i.source_id = f.source_id AND i.image_id = f.image_id
JOIN sources AS s ON s.source_id = f.source_id
WHERE f.live AND i.deleted_at IS NULL AND s.name = ANY (%(sources)s::text[])
