-- Deletions that are held back, and what became of them. {forgotten}: the observation that held `h` is forgotten;
-- {swept_o}, {swept_h}: a sweep observed so.

-- name: hold
-- Deletions of live images that a run would have inferred; one that is open or kept stays as it is.
INSERT INTO held_deletions (source_id, image_id, run_id, unlisted_since, observed_at, decision, reason)
SELECT i.source_id, i.image_id, %(run)s, i.unlisted_since, %(at)s, 'open', %(reason)s
FROM unnest(%(ids)s::text[]) AS held (image_id)
CROSS JOIN {stored(images, held)} AS i
WHERE i.deleted_at IS NULL AND NOT EXISTS (
    SELECT FROM held_deletions h
    WHERE h.source_id = %(source)s AND h.image_id = i.image_id AND h.decision IN ('open', 'kept') OFFSET 0
)
ON CONFLICT DO NOTHING;

-- name: end_decided
-- Open and kept deletions that the stored state has decided meanwhile: the image is deleted, or listed again; a kept one
-- by what was observed after the decision, and if a sweep missed it only by a sweep, as another login may list more. What
-- a look-up found was not listed: an incomplete observation contains it, and says so in its other set.
UPDATE held_deletions h
SET decision = CASE WHEN i.deleted_at IS NULL OR i.deletion_reason = 'reported' THEN 'returned' ELSE 'deleted' END,
    decided_at = %(at)s, decided_by = %(by)s
FROM images i
WHERE h.source_id = %(source)s AND h.decision IN ('open', 'kept') AND i.source_id = h.source_id
    AND i.image_id = h.image_id
    AND (i.deleted_at IS NOT NULL OR (i.unlisted_since IS NULL OR i.unlisted_since > h.observed_at) AND (
        h.decision = 'open' OR EXISTS (
            SELECT FROM observations o
            WHERE o.source_id = %(source)s AND o.observed_at > coalesce(h.decided_at, h.observed_at)
                AND ({swept_o} OR NOT {swept_h})
                AND (o.complete OR EXISTS (
                    SELECT FROM id_sets s
                    WHERE s.source_id = %(source)s AND s.set_id = o.contained_set AND i.image_id = ANY (s.image_ids)))
                AND NOT EXISTS (
                    SELECT FROM id_sets s
                    WHERE s.source_id = %(source)s AND s.set_id = o.inconclusive_set
                        AND i.image_id = ANY (s.image_ids)))));

-- name: opened
-- Images with an open deletion, and since when it is held.
SELECT image_id, observed_at FROM held_deletions WHERE source_id = %(source)s AND decision = 'open';

-- name: date_held
-- Open and kept deletions show since when their image is not listed.
UPDATE held_deletions h SET unlisted_since = i.unlisted_since
FROM images i
WHERE h.source_id = %(source)s AND h.decision IN ('open', 'kept') AND i.source_id = h.source_id
    AND i.image_id = h.image_id AND h.unlisted_since IS DISTINCT FROM i.unlisted_since;

-- name: waiting
-- Live images that are not listed, and since when.
SELECT image_id, unlisted_since FROM images
WHERE source_id = %(source)s AND deleted_at IS NULL AND unlisted_since IS NOT NULL;

-- name: drop_later_holders
-- Open and kept deletions that an earlier observation holds, or another one than the forgotten one. The ledger tells why,
-- but not that the source was adopted.
DELETE FROM held_deletions h
USING {named(ids text AS image_id, ats timestamptz AS at)} AS first
WHERE {shard(h, first)} AND h.image_id = first.image_id AND h.decision IN ('open', 'kept')
    AND (h.observed_at > first.at OR h.decision = 'kept' AND {forgotten})
RETURNING h.image_id, CASE WHEN h.reason = 'adopted' THEN h.reason END, h.decided_at, h.decided_by;

-- name: hold_again
-- Where no observation that is as early holds the image; one that did so once is taken up again. A decision stays that
-- of who made it, and when.
INSERT INTO held_deletions (source_id, image_id, run_id, unlisted_since, observed_at, decision, decided_at, decided_by,
    reason)
SELECT i.source_id, i.image_id, h.run_id, i.unlisted_since, h.observed_at,
    CASE WHEN k.kept_at IS NULL THEN 'open' ELSE 'kept' END,
    k.kept_at, CASE WHEN k.kept_at IS NOT NULL THEN coalesce(h.decided_by, %(by)s) END, h.reason
FROM unnest(%(ids)s::text[], %(ats)s::timestamptz[], %(runs)s::uuid[], %(kept)s::boolean[], %(reasons)s::text[],
        %(decided)s::timestamptz[], %(deciders)s::text[])
    AS h (image_id, observed_at, run_id, is_kept, reason, decided_at, decided_by)
CROSS JOIN {stored(images, h)} AS i
CROSS JOIN LATERAL (
    SELECT coalesce(h.decided_at, max(k.kept_at), CASE WHEN h.is_kept THEN %(at)s::timestamptz END) AS kept_at
    FROM kept_images k
    WHERE k.source_id = %(source)s AND k.image_id = i.image_id AND h.observed_at BETWEEN k.seen_at AND k.kept_at
) AS k
WHERE NOT EXISTS (
    SELECT FROM held_deletions t
    WHERE t.source_id = %(source)s AND t.image_id = i.image_id AND t.decision IN ('open', 'kept') OFFSET 0)
ON CONFLICT (source_id, image_id, run_id) DO UPDATE
SET decision = excluded.decision, unlisted_since = excluded.unlisted_since, observed_at = excluded.observed_at,
    decided_at = excluded.decided_at, decided_by = excluded.decided_by;

-- name: keep_open
-- Open deletions of which an observation says that somebody decided to keep the image.
UPDATE held_deletions SET decision = 'kept', decided_at = %(at)s, decided_by = %(by)s
WHERE source_id = %(source)s AND image_id = ANY (%(ids)s) AND decision = 'open';

-- name: give_reasons
-- Deletions that are open already are held for these reasons now; adoption outlasts all others.
UPDATE held_deletions h SET reason = held.reason
FROM {named(ids text AS image_id, reasons text AS reason)} AS held
WHERE {shard(h, held)} AND h.image_id = held.image_id AND h.decision = 'open' AND h.reason <> 'adopted'
    AND h.reason <> held.reason;

-- name: decide
-- Ends deletions of these images; one that somebody keeps by what came after that.
UPDATE held_deletions SET decision = %(decision)s, decided_at = %(at)s, decided_by = %(by)s
WHERE source_id = %(source)s AND image_id = ANY (%(ids)s) AND decision = ANY (%(among)s)
    AND (decision = 'open' OR coalesce(decided_at, observed_at) < %(at)s);

-- name: held
-- Held deletions for people: of some sources, or of one image.
SELECT s.name, h.image_id, i.name, h.unlisted_since, h.observed_at, h.run_id::text, h.decision, h.reason, i.owner, p.name
FROM held_deletions h JOIN sources s USING (source_id) JOIN images i USING (source_id, image_id)
LEFT JOIN projects p ON p.source_id = i.source_id AND p.project_id = i.owner
WHERE h.source_id = ANY (%(sources)s) AND h.decision = ANY (%(decisions)s)
    AND (%(image)s::text IS NULL OR h.image_id = %(image)s)
ORDER BY s.name, h.observed_at, h.image_id;

-- name: count_open
-- How many wait for a decision.
SELECT count(*) FROM held_deletions WHERE source_id = %(source)s AND decision = 'open';

-- name: open_and_kept
-- Images whose deletion is open, those that somebody decided to keep, and which of the open ones leave only once they are
-- seen or decided.
SELECT coalesce(array_agg(image_id) FILTER (WHERE decision = 'open'), '{}'),
    coalesce(array_agg(image_id) FILTER (WHERE decision = 'kept'), '{}'),
    coalesce(array_agg(image_id) FILTER (WHERE decision = 'open' AND reason <> 'login_changed'), '{}')
FROM held_deletions WHERE source_id = %(source)s AND decision IN ('open', 'kept');

-- name: keep
-- For what is loaded after the decision.
INSERT INTO kept_images (source_id, image_id, seen_at, kept_at)
SELECT %(source)s, image_id, seen_at, %(at)s FROM unnest(%(ids)s::text[], %(ats)s::timestamptz[]) AS k (image_id, seen_at)
ON CONFLICT DO NOTHING;

-- name: keep_no_longer
-- Somebody approves after all what was held at these moments.
DELETE FROM kept_images k
USING {named(ids text AS image_id, ats timestamptz AS at)} AS held
WHERE {shard(k, held)} AND k.image_id = held.image_id AND held.at BETWEEN k.seen_at AND k.kept_at;

-- name: kept_since
-- Images that somebody keeps, seen last at a moment.
SELECT image_id FROM kept_images WHERE source_id = %(source)s AND seen_at = %(at)s;

-- name: keep_since
-- When they were seen before that, if ever.
UPDATE kept_images k SET seen_at = coalesce(seen.at, 'epoch')
FROM {named(ids text AS image_id, ats timestamptz AS at, %(at)s::timestamptz AS forgotten)} AS seen
WHERE {shard(k, seen)} AND k.image_id = seen.image_id AND k.seen_at = seen.forgotten;

-- name: kept_at
-- Images whose absence at a moment proves nothing by such a decision.
SELECT DISTINCT image_id FROM kept_images
WHERE source_id = %(source)s AND seen_at < %(at)s AND kept_at >= %(at)s;
