-- What is stored of a source's images beside their history.

-- name: state_now
-- What is stored of images: content, life, listing, and the cloud's own time.
SELECT asked.image_id, f.content_hash, f.live, i.unlisted_since, i.updated_at
FROM unnest(%(ids)s::text[]) AS asked (image_id)
CROSS JOIN {stored(image_state, asked)} AS f
CROSS JOIN {stored(images, asked)} AS i;

-- name: state_at
-- What the observations up to a moment say of each image: hash of its content, NULL = absence.
SELECT i.image_id, r.content_hash
FROM images i
CROSS JOIN LATERAL (
    SELECT content_hash FROM revisions r
    WHERE r.source_id = %(source)s AND r.image_id = i.image_id AND r.observed_at <= %(at)s
    ORDER BY r.observed_at DESC LIMIT 1
) AS r
WHERE i.source_id = %(source)s;

-- name: live_at
-- Images that lived as of a moment by what was observed up to then; and whether the deletion limit counted one that nobody
-- lists: as below, by what was said of it last.
WITH said AS (
    SELECT DISTINCT ON (image_id) image_id, s.kind FROM (
        SELECT inconclusive_set, max(observed_at) AS at FROM observations
        WHERE source_id = %(source)s AND observed_at <= %(at)s GROUP BY inconclusive_set
    ) AS o
    JOIN id_sets s ON s.source_id = %(source)s AND s.set_id = o.inconclusive_set AND s.kind = ANY (%(kinds)s)
    CROSS JOIN unnest(s.image_ids) AS image_id
    ORDER BY image_id, o.at DESC, s.kind = 'kept' DESC, s.kind = 'found' DESC
)
SELECT i.image_id, r.hidden IS NOT TRUE AND r.image_type IS DISTINCT FROM 'market'
    AND coalesce(s.kind NOT IN ('found', 'kept'), true)
FROM images i
CROSS JOIN LATERAL (
    SELECT content_hash, reported, hidden, image_type FROM revisions r
    WHERE r.source_id = %(source)s AND r.image_id = i.image_id AND r.observed_at <= %(at)s
    ORDER BY r.observed_at DESC LIMIT 1
) AS r
LEFT JOIN said s USING (image_id)
WHERE i.source_id = %(source)s AND r.content_hash IS NOT NULL AND NOT r.reported;

-- name: ended_at
-- Images whose absence begins with the observation of a moment.
SELECT image_id FROM revisions WHERE source_id = %(source)s AND observed_at = %(at)s AND content_hash IS NULL;

-- name: fingerprints
-- Of each image whose last evidence is a record: the hash of its bytes, and whether it is live. No cursor of psycopg's
-- own: on a connection that broke it can no longer be closed, and complains.
DECLARE stored NO SCROLL CURSOR FOR
SELECT image_id, raw_hash, live FROM image_state WHERE source_id = %(source)s AND content_hash IS NOT NULL;

-- name: contents
-- Of each image whose last evidence is a record: its fingerprint, and whether it is live and unlisted.
COPY (
    SELECT f.image_id, f.content_hash, f.live, i.unlisted_since IS NOT NULL
    FROM image_state f JOIN images i USING (source_id, image_id)
    WHERE f.source_id = {} AND f.content_hash IS NOT NULL
) TO STDOUT (FORMAT binary);

-- name: alike
-- Missing images by visibility and os_type, each kind with live ones that were listed, as they were stored before or new:
-- one of that visibility and one of that os_type, if there is one, of the usual owner if there is one; for other missing
-- images others, and on another day.
WITH listed AS (
    SELECT image_id, visibility, owner, os_type FROM images
    WHERE source_id = %(source)s AND deleted_at IS NULL AND image_id <> ALL (%(but)s)
    UNION ALL
    SELECT * FROM unnest(%(new)s::text[], %(visibilities)s::text[], %(owners)s::text[], %(systems)s::text[])
)
SELECT m.ids, ARRAY[
    (
        SELECT image_id FROM listed
        ORDER BY visibility IS DISTINCT FROM m.visibility, owner IS DISTINCT FROM m.owner,
            os_type IS DISTINCT FROM m.os_type, hashtextextended(image_id, m.seed + %(day)s)
        LIMIT 1
    ), (
        SELECT image_id FROM listed
        ORDER BY os_type IS DISTINCT FROM m.os_type, visibility IS DISTINCT FROM m.visibility,
            owner IS DISTINCT FROM m.owner, hashtextextended(image_id, m.seed + %(day)s)
        LIMIT 1
    )
]
FROM (
    SELECT visibility, os_type, array_agg(image_id) AS ids, mode() WITHIN GROUP (ORDER BY owner) AS owner,
        hashtext(min(image_id))::bigint AS seed
    FROM images WHERE source_id = %(source)s AND image_id = ANY (%(ids)s) GROUP BY visibility, os_type
) AS m;

-- name: not_public
-- Visibility and owner of those images that not everybody may see.
SELECT image_id, visibility, owner FROM images
WHERE source_id = %(source)s AND image_id = ANY (%(ids)s) AND visibility IS DISTINCT FROM 'public';

-- name: kinds
-- Visibility and owner of the other live images that not everybody may see.
SELECT DISTINCT visibility, owner FROM images
WHERE source_id = %(source)s AND deleted_at IS NULL AND visibility IS DISTINCT FROM 'public'
    AND image_id <> ALL (%(but)s);

-- name: unlisted
-- Live images that listings lack, and of some others those that live; and whether the deletion limit counts them: those of
-- the marketplace, those that a look-up found when last asked, and those that somebody keeps it does not.
SELECT i.image_id, i.image_type IS DISTINCT FROM 'market'
    AND NOT EXISTS (
        SELECT FROM lookups l
        WHERE l.source_id = %(source)s AND l.image_id = i.image_id AND l.answer = 'found')
    AND NOT EXISTS (
        SELECT FROM held_deletions h
        WHERE h.source_id = %(source)s AND h.image_id = i.image_id AND h.decision = 'kept')
FROM images i
WHERE i.source_id = %(source)s AND i.deleted_at IS NULL
    AND (i.unlisted_since IS NOT NULL OR i.image_id = ANY (%(ids)s));

-- name: restricted
-- Images, live ones or asked about, that are neither for everybody nor of a project.
SELECT image_id, owner, visibility FROM images
WHERE source_id = %(source)s AND (image_id = ANY (%(ids)s) AND deleted_at IS NULL OR image_id = ANY (%(asked)s))
    AND coalesce(visibility, '') NOT IN ('public', 'community')
    AND owner IS DISTINCT FROM %(project)s::text;

-- name: of_others
-- Images of a visibility that are not of the project, if that is known, and whose they are.
SELECT image_id, owner FROM images
WHERE source_id = %(source)s AND image_id = ANY (%(ids)s) AND visibility = %(visibility)s
    AND (%(project)s::text IS NULL OR owner IS DISTINCT FROM %(project)s);

-- name: save_login
-- What later logins are compared with.
UPDATE sources SET login = %(login)s WHERE source_id = %(source)s AND login IS DISTINCT FROM %(login)s;

-- name: would_delete
-- Of images that would count as gone: how many are live, and how many the cloud reported deleted before.
SELECT count(*) FILTER (WHERE live), count(*) FILTER (WHERE NOT live AND content_hash IS NOT NULL)
FROM image_state WHERE source_id = %(source)s AND image_id = ANY (%(ids)s);

-- name: would_change
-- Those images by id, with their names.
SELECT f.image_id, i.name, f.live
FROM image_state f JOIN images i USING (source_id, image_id)
WHERE f.source_id = %(source)s AND f.image_id = ANY (%(ids)s) AND (f.live OR f.content_hash IS NOT NULL)
ORDER BY f.image_id LIMIT %(most)s;

-- name: known_in
-- How many of some images each source of a kind knows.
SELECT s.name, count(i.image_id)
FROM images i JOIN sources s ON s.source_id = i.source_id
WHERE s.kind = %(kind)s AND i.image_id = ANY (%(ids)s) GROUP BY s.name;

-- name: newest
-- The live and listed image that changed last by its cloud's clock; and since when changes are to be asked for: no
-- later than the start of the last sweep that read them all, whatever a record claims.
SELECT i.image_id,
    date_trunc('second', least(i.updated_at, greatest(s.last_complete_at, s.last_changes_at))
        - make_interval(secs => %(overlap)s))
FROM sources s
CROSS JOIN LATERAL (
    SELECT image_id, updated_at FROM images
    WHERE source_id = %(source)s AND deleted_at IS NULL AND unlisted_since IS NULL AND updated_at IS NOT NULL
    ORDER BY updated_at DESC LIMIT 1
) AS i
WHERE s.source_id = %(source)s;

-- name: login
-- What the logins that brought the stored images reached.
SELECT login FROM sources WHERE source_id = %(source)s;

-- name: beside
-- What else a sweep compares with: what logins reached; images that only the pass `market` lists; those
-- that listings alone deleted lately, the latest first, unless a look-up said since that they are gone; when images that are not
-- listed were asked for, and the answer; images whose deletion is open, those that somebody decided to keep, and which of
-- the open ones the limit holds.
SELECT s.login,
    ARRAY(SELECT i.image_id FROM images i WHERE i.source_id = %(source)s AND i.image_type = 'market'),
    ARRAY(
        SELECT i.image_id FROM images i
        WHERE i.source_id = %(source)s AND i.deletion_reason = 'not_listed' AND i.last_changed_at > now() - %(within)s
            AND NOT EXISTS (
                SELECT FROM absences a
                WHERE a.source_id = %(source)s AND a.image_id = i.image_id AND a.observed_at > i.last_changed_at
                    AND a.reason <> 'not_listed')
        ORDER BY i.last_changed_at DESC, i.image_id LIMIT %(most)s),
    l.ids, l.moments, l.answers, h.*
FROM sources s
CROSS JOIN (
    SELECT array_agg(image_id) AS ids, array_agg(coalesce(clock_at, asked_at)) AS moments, array_agg(answer) AS answers
    FROM lookups WHERE source_id = %(source)s
) AS l
CROSS JOIN ({open_and_kept}) AS h
WHERE s.source_id = %(source)s;

-- name: present
-- Every image of a source: what is stored of it and by which observation, whether it lives, and the deletion of it that
-- is held.
SELECT i.image_id, f.content_hash, i.deleted_at, i.deletion_reason, h.decision, i.last_changed_at
FROM images i
JOIN image_state f USING (source_id, image_id)
LEFT JOIN held_deletions h ON h.source_id = i.source_id AND h.image_id = i.image_id AND h.decision IN ('open', 'kept')
WHERE i.source_id = %(source)s;

-- name: names
-- Names of images.
SELECT image_id, name FROM images WHERE source_id = %(source)s AND image_id = ANY (%(ids)s);
