-- The ledger of observations.

-- name: absences_before
-- The last absence before a moment that more than a listing proves.
SELECT asked.image_id, l.at
FROM unnest(%(ids)s::text[]) AS asked (image_id)
CROSS JOIN LATERAL (
    SELECT max(t.observed_at) AS at FROM absences t
    WHERE t.source_id = %(source)s AND t.image_id = asked.image_id AND t.observed_at < %(at)s
) AS l
WHERE l.at IS NOT NULL;

-- name: absences_after
-- The first such absence after a moment.
SELECT asked.image_id, l.at
FROM unnest(%(ids)s::text[]) AS asked (image_id)
CROSS JOIN LATERAL (
    SELECT min(t.observed_at) AS at FROM absences t
    WHERE t.source_id = %(source)s AND t.image_id = asked.image_id AND t.observed_at > %(at)s
) AS l
WHERE l.at IS NOT NULL;

-- name: absence_reasons
-- Why images are known to be absent at a moment, by more than a listing.
SELECT asked.image_id, asked.observed_at, l.reason
FROM unnest(%(ids)s::text[], %(ats)s::timestamptz[]) AS asked (image_id, observed_at)
CROSS JOIN LATERAL (
    SELECT t.reason FROM absences t
    WHERE t.source_id = %(source)s AND t.image_id = asked.image_id AND t.observed_at = asked.observed_at OFFSET 0
) AS l;

-- name: observed
-- The observation of a moment.
SELECT observed_at, complete, contained_set, inconclusive_set, run_ids::text[], covers_hidden, login FROM observations
WHERE source_id = %(source)s AND observed_at = %(at)s;

-- name: walk_before
-- The observations before a moment, the newest first.
SELECT observed_at, complete, contained_set, inconclusive_set, run_ids::text[], covers_hidden, login FROM observations
WHERE source_id = %(source)s AND observed_at < %(at)s ORDER BY observed_at DESC LIMIT %(limit)s;

-- name: walk_after
-- Those after it, the oldest first.
SELECT observed_at, complete, contained_set, inconclusive_set, run_ids::text[], covers_hidden, login FROM observations
WHERE source_id = %(source)s AND observed_at > %(at)s ORDER BY observed_at LIMIT %(limit)s;

-- name: perhaps_unlisted
-- Images that some record calls hidden or of the marketplace, or that some observation missed without proof; those that
-- somebody keeps; and those that merely are not listed from then on by a login that may not see them.
SELECT image_id FROM revisions
WHERE source_id = %(source)s AND (hidden OR image_type = 'market')
    AND (%(ids)s::text[] IS NULL OR image_id = ANY (%(ids)s::text[]))
UNION
SELECT image_id FROM id_sets, unnest(image_ids) AS image_id
WHERE source_id = %(source)s AND kind = ANY (%(kinds)s)
    AND (%(ids)s::text[] IS NULL OR image_id = ANY (%(ids)s::text[]))
UNION
SELECT image_id FROM kept_images
WHERE source_id = %(source)s AND (%(ids)s::text[] IS NULL OR image_id = ANY (%(ids)s::text[]))
UNION
SELECT r.image_id
FROM revisions r JOIN observations o ON o.source_id = %(source)s AND o.observed_at = r.observed_at
WHERE r.source_id = %(source)s AND r.content_hash IS NULL AND o.login IS NOT NULL
    AND (%(ids)s::text[] IS NULL OR r.image_id = ANY (%(ids)s::text[]))
    AND NOT EXISTS (
        SELECT FROM absences a
        WHERE a.source_id = %(source)s AND a.image_id = r.image_id AND a.observed_at = r.observed_at)
    AND ((SELECT count(DISTINCT login) > 1 FROM observations WHERE source_id = %(source)s)
        OR coalesce(r.visibility, '') NOT IN ('public', 'community') AND NOT (o.login @> ARRAY[%(admin)s])
        AND NOT (o.login @> ARRAY[%(project)s || r.owner]));

-- name: logins
-- What the logins of the observations of these moments reached.
SELECT observed_at, login FROM observations
WHERE source_id = %(source)s AND observed_at = ANY (%(ats)s) AND login IS NOT NULL;

-- name: recorded
-- Those of some images that a record shows at these moments, whose visibility and owner are still the same `before` another.
SELECT asked.image_id
FROM unnest(%(ids)s::text[], %(ats)s::timestamptz[]) AS asked (image_id, at)
CROSS JOIN LATERAL (
    SELECT r.content_hash, r.visibility, r.owner FROM revisions r
    WHERE r.source_id = %(source)s AND r.image_id = asked.image_id AND r.observed_at <= asked.at
    ORDER BY r.observed_at DESC LIMIT 1
) AS r
CROSS JOIN LATERAL (
    SELECT (r.visibility, r.owner) IS NOT DISTINCT FROM (l.visibility, l.owner) AS is_same FROM revisions l
    WHERE l.source_id = %(source)s AND l.image_id = asked.image_id AND l.observed_at <= %(before)s
    ORDER BY l.observed_at DESC LIMIT 1
) AS l
WHERE r.content_hash IS NOT NULL AND l.is_same;

-- name: shows_private
-- Owners of the private images that the last complete observation with a login contained, or the one of a moment.
SELECT DISTINCT r.owner
FROM (
    SELECT observed_at, inconclusive_set FROM observations
    WHERE source_id = %(source)s AND complete AND login = %(login)s
        AND observed_at = coalesce(%(at)s::timestamptz, observed_at)
    ORDER BY observed_at DESC LIMIT 1
) AS o
JOIN revisions r ON r.source_id = %(source)s AND r.observed_at <= o.observed_at
WHERE r.visibility = 'private' AND r.content_hash IS NOT NULL
    AND {in_force}
    AND NOT EXISTS (
        SELECT FROM id_sets s
        WHERE s.source_id = %(source)s AND s.set_id = o.inconclusive_set AND s.kind <> 'found'
            AND r.image_id = ANY (s.image_ids));

-- name: shown_kinds
-- Visibility and owner of what the observation of a moment listed, if it is complete.
SELECT DISTINCT r.visibility, r.owner
FROM observations o JOIN revisions r ON r.source_id = %(source)s AND r.observed_at <= o.observed_at
WHERE o.source_id = %(source)s AND o.observed_at = %(at)s AND r.content_hash IS NOT NULL
    AND {in_force}
    AND NOT EXISTS (
        SELECT FROM id_sets s
        WHERE s.source_id = %(source)s AND s.set_id = o.inconclusive_set AND r.image_id = ANY (s.image_ids));

-- name: reach_before
-- What logins reached before a moment, from the last one on whose absences count.
SELECT DISTINCT unnest(login) FROM observations
WHERE source_id = %(source)s AND observed_at < %(at)s
    AND observed_at >= coalesce((
        SELECT max(o.observed_at) FROM observations o
        WHERE o.source_id = %(source)s AND o.observed_at < %(at)s AND o.complete AND o.login IS NOT NULL
    ), '-infinity');

-- name: is_measured_after
-- Whether a login's absences count after a moment.
SELECT EXISTS (
    SELECT FROM observations
    WHERE source_id = %(source)s AND observed_at > %(at)s AND complete AND login IS NOT NULL);

-- name: revisions
-- What is stored of images over time, as far as it tells whether listings hold them.
SELECT image_id, observed_at, content_hash IS NOT NULL, hidden IS TRUE, image_type IS NOT DISTINCT FROM 'market',
    coalesce(visibility, '') NOT IN ('public', 'community'), owner
FROM revisions WHERE source_id = %(source)s AND image_id = ANY (%(ids)s) ORDER BY image_id, observed_at;

-- name: absences
-- All absences of images that more than a listing proves.
SELECT image_id, observed_at, reason FROM absences WHERE source_id = %(source)s AND image_id = ANY (%(ids)s);

-- name: latest
-- The last observation before a moment, or of all.
SELECT observed_at, complete, contained_set, inconclusive_set, run_ids::text[], covers_hidden, login FROM observations
WHERE source_id = %(source)s AND observed_at < coalesce(%(before)s, 'infinity'::timestamptz)
ORDER BY observed_at DESC LIMIT 1;

-- name: next_moment
-- The clock, and later than the last observation.
SELECT greatest(clock_timestamp(), max(observed_at) + interval '1 microsecond') FROM observations
WHERE source_id = %(source)s;

-- name: backwards
-- The observations before a moment, or all, the newest first.
SELECT observed_at, complete, contained_set, inconclusive_set, run_ids::text[], covers_hidden, login FROM observations
WHERE source_id = %(source)s AND observed_at < coalesce(%(before)s, 'infinity'::timestamptz)
ORDER BY observed_at DESC;

-- name: inconclusive_since
-- The observations from a moment on that leave images out, oldest first.
SELECT observed_at, run_ids[1]::text, inconclusive_set FROM observations
WHERE source_id = %(source)s AND observed_at >= %(at)s AND inconclusive_set IS NOT NULL
ORDER BY observed_at;

-- name: next_before
-- The observation just before a moment: usually it answers all.
SELECT observed_at, complete, contained_set, inconclusive_set, '{}'::text[], true, NULL FROM observations
WHERE source_id = %(source)s AND observed_at < %(at)s AND (NOT %(by_login)s OR NOT login @> ARRAY[%(unknown)s])
ORDER BY observed_at DESC LIMIT 1;

-- name: next_after
-- The observation just after a moment.
SELECT observed_at, complete, contained_set, inconclusive_set, '{}'::text[], true, NULL FROM observations
WHERE source_id = %(source)s AND observed_at > %(at)s AND (NOT %(by_login)s OR NOT login @> ARRAY[%(unknown)s])
ORDER BY observed_at LIMIT 1;

-- name: nearest_before
-- Of the observations before a moment that tell the same of the same images, the last one each; nearest first. One that
-- tells of every image answers all that is left: what lies behind it is not read.
SELECT max(observed_at) AS nearest, complete, contained_set, inconclusive_set, '{}'::text[], true, NULL FROM observations
WHERE source_id = %(source)s AND observed_at < %(at)s AND (complete OR NOT %(complete_only)s)
    AND (NOT %(by_login)s OR NOT login @> ARRAY[%(unknown)s])
    AND observed_at >= coalesce((
        SELECT max(o.observed_at) FROM observations o
        WHERE o.source_id = %(source)s AND o.observed_at < %(at)s AND o.complete AND o.inconclusive_set IS NULL
            AND (NOT %(by_login)s OR NOT o.login @> ARRAY[%(unknown)s])
    ), '-infinity')
GROUP BY complete, contained_set, inconclusive_set ORDER BY nearest DESC;

-- name: nearest_after
-- The same after a moment.
SELECT min(observed_at) AS nearest, complete, contained_set, inconclusive_set, '{}'::text[], true, NULL FROM observations
WHERE source_id = %(source)s AND observed_at > %(at)s AND (complete OR NOT %(complete_only)s)
    AND (NOT %(by_login)s OR NOT login @> ARRAY[%(unknown)s])
    AND observed_at <= coalesce((
        SELECT min(o.observed_at) FROM observations o
        WHERE o.source_id = %(source)s AND o.observed_at > %(at)s AND o.complete AND o.inconclusive_set IS NULL
            AND (NOT %(by_login)s OR NOT o.login @> ARRAY[%(unknown)s])
    ), 'infinity')
GROUP BY complete, contained_set, inconclusive_set ORDER BY nearest;

-- name: tells_of_all
-- Whether some observation from a moment on is evidence of each image.
SELECT EXISTS (
    SELECT FROM observations
    WHERE source_id = %(source)s AND observed_at >= %(since)s AND complete AND inconclusive_set IS NULL);

-- name: first_runs
-- The runs that name the observations of these moments.
SELECT observed_at, run_ids[1]::text FROM observations
WHERE source_id = %(source)s AND observed_at = ANY (%(ats)s);

-- name: record
-- Enters an observation, or what it became with a further part.
INSERT INTO observations (source_id, observed_at, complete, contained_set, inconclusive_set, run_ids, covers_hidden,
    login)
VALUES (%(source)s, %(at)s, %(complete)s, %(contained)s, %(inconclusive)s, %(runs)s::uuid[], %(covers_hidden)s, %(login)s)
ON CONFLICT (source_id, observed_at) DO UPDATE
SET complete = excluded.complete, contained_set = excluded.contained_set, inconclusive_set = excluded.inconclusive_set,
    run_ids = excluded.run_ids, covers_hidden = excluded.covers_hidden, login = excluded.login;

-- name: remove
-- Takes an observation out.
DELETE FROM observations WHERE source_id = %(source)s AND observed_at = %(at)s;

-- name: remove_absences
-- Takes out what it proved by more than absence, about these images or about all.
DELETE FROM absences
WHERE source_id = %(source)s AND observed_at = %(at)s
    AND (%(ids)s::text[] IS NULL OR image_id = ANY (%(ids)s::text[]));

-- name: save_absences
-- Of two reasons the more telling one stays: no_access, not_found, not_listed, as they sort.
INSERT INTO absences (source_id, image_id, observed_at, reason)
SELECT %(source)s, image_id, %(at)s, reason FROM unnest(%(ids)s::text[], %(reasons)s::text[]) AS l (image_id, reason)
ON CONFLICT (source_id, image_id, observed_at) DO UPDATE SET reason = least(absences.reason, excluded.reason);

-- name: insert_set
-- Ids of one kind, unless the same set is stored.
INSERT INTO id_sets (source_id, set_id, kind, image_ids) VALUES (%(source)s, %(set)s, %(kind)s, %(ids)s::text[])
ON CONFLICT DO NOTHING;

-- name: load_set
-- A stored set: ids by kind.
SELECT kind, image_ids FROM id_sets WHERE source_id = %(source)s AND set_id = %(set)s;

-- name: ever
-- Images that are in some set of these kinds: few, where there are any; all others need no search.
SELECT DISTINCT image_id FROM id_sets, unnest(image_ids) AS image_id
WHERE source_id = %(source)s AND kind = ANY (%(kinds)s);

-- name: first_seen
-- When images were first seen.
SELECT image_id, first_seen_at FROM images WHERE source_id = %(source)s AND image_id = ANY (%(ids)s);

-- name: observed_since
-- A source's first observation may be an earlier one now.
UPDATE sources SET observed_since = %(at)s
WHERE source_id = %(source)s AND (observed_since IS NULL OR observed_since > %(at)s);

-- name: rejected_after
-- Those of some images of which an observation after a moment contains a rejected record.
SELECT DISTINCT image_id
FROM observations o JOIN id_sets s ON s.source_id = o.source_id AND s.set_id = o.inconclusive_set,
    unnest(s.image_ids) AS image_id
WHERE o.source_id = %(source)s AND o.observed_at > %(at)s AND s.kind = 'rejected' AND image_id = ANY (%(ids)s);
