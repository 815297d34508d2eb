-- Look-ups by id of images that are not listed.

-- name: save
-- The later one of two answers stays, be the image known or not: that comes with an observation that is loaded later.
INSERT INTO lookups AS l (source_id, image_id, asked_at, clock_at, answer)
SELECT %(source)s, a.image_id, %(at)s,
    CASE WHEN %(clock)s::timestamptz < %(at)s - interval '1 minute' THEN %(clock)s END, a.answer
FROM unnest(%(ids)s::text[], %(answers)s::text[]) AS a (image_id, answer)
ON CONFLICT (source_id, image_id) DO UPDATE SET asked_at = excluded.asked_at, clock_at = excluded.clock_at,
    answer = excluded.answer
WHERE l.asked_at < excluded.asked_at;

-- name: drop_decided
-- Look-ups that no longer matter: the image is deleted, or was listed again after it was asked for.
DELETE FROM lookups l USING images i
WHERE l.source_id = %(source)s AND i.source_id = l.source_id AND i.image_id = l.image_id
    AND (i.deleted_at IS NOT NULL OR i.unlisted_since IS NULL OR i.unlisted_since > l.asked_at);
