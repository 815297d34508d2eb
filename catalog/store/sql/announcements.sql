-- Announcements are added and withdrawn, never changed: who asks as of a moment gets what held then.

-- name: families
-- A family in each source that has an image of it.
SELECT DISTINCT f.source_id, s.name, 'family', f.family
FROM image_state AS f
JOIN sources AS s ON s.source_id = f.source_id
WHERE s.name = ANY (%(sources)s::text[]) AND lower(f.family) = lower(%(family)s)
ORDER BY s.name, f.family;

-- name: announce
-- One announcement, in force from now on.
INSERT INTO image_announcements (source_id, scope, subject, announced_at, announced_by, deprecated_at, obsolete_at,
    use_instead_id, note)
VALUES (%(source)s, %(scope)s, %(subject)s, clock_timestamp(), %(by)s, %(deprecated_at)s, %(obsolete_at)s,
    %(use_instead)s, %(note)s)
RETURNING scope, subject, deprecated_at, obsolete_at, use_instead_id, note, announced_at, announced_by, withdrawn_at;

-- name: withdraw
-- All that holds of one subject.
UPDATE image_announcements SET withdrawn_at = statement_timestamp(), withdrawn_by = %(by)s
WHERE source_id = %(source)s AND scope = %(scope)s AND subject = %(subject)s AND withdrawn_at IS NULL
RETURNING scope, subject, deprecated_at, obsolete_at, use_instead_id, note, announced_at, announced_by, withdrawn_at;

-- name: in_force
-- What holds in some sources.
SELECT s.name, a.scope, a.subject, a.deprecated_at, a.obsolete_at, a.use_instead_id, a.note, a.announced_at,
    b.announced_by, NULL::timestamptz
FROM announcements_in_force AS a
JOIN image_announcements AS b USING (source_id, scope, subject, announced_at)
JOIN sources AS s ON s.source_id = a.source_id
WHERE s.name = ANY (%(sources)s::text[])
ORDER BY s.name, a.scope, a.subject;
