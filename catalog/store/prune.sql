-- What `catalog db prune` takes out: the places of rows that ended before the cut, table by table.

-- name: move_history_from
UPDATE sources SET history_from = %(cut)s
WHERE source_id = %(source)s AND (history_from IS NULL OR history_from < %(cut)s);

-- name: kept_from
SELECT max(observed_at) FROM observations
WHERE source_id = %(source)s AND observed_at <= %(cut)s AND complete AND silent_set IS NULL;

-- name: ended_revision_documents
-- A document stays as long as a revision shows it: its own, or the deletion right after it.
SELECT t.ctid FROM revision_documents t
WHERE t.source_id = %(source)s
    AND NOT EXISTS (
        SELECT FROM revisions own
        WHERE own.source_id = t.source_id AND own.image_id = t.image_id AND own.observed_at = t.observed_at
            AND (own.valid_to IS NULL OR own.valid_to > %(cut)s))
    AND NOT EXISTS (
        SELECT FROM revisions gone
        WHERE gone.source_id = t.source_id AND gone.image_id = t.image_id AND gone.observed_at > t.observed_at
            AND gone.content_hash IS NULL AND (gone.valid_to IS NULL OR gone.valid_to > %(cut)s)
            AND NOT EXISTS (
                SELECT FROM revision_documents later
                WHERE later.source_id = t.source_id AND later.image_id = t.image_id
                    AND later.observed_at > t.observed_at AND later.observed_at < gone.observed_at))

-- name: ended_revisions
SELECT t.ctid FROM revisions t WHERE t.source_id = %(source)s AND t.valid_to <= %(cut)s

-- name: ended_status_history
SELECT t.ctid FROM status_history t WHERE t.source_id = %(source)s AND t.valid_to <= %(cut)s

-- name: ended_observations
SELECT t.ctid FROM observations t WHERE t.source_id = %(source)s AND t.observed_at < %(kept_from)s

-- name: ended_lacks
SELECT t.ctid FROM lacks t WHERE t.source_id = %(source)s AND t.observed_at < %(kept_from)s

-- name: ended_run_passes
SELECT t.ctid FROM run_passes t JOIN runs r USING (source_id, run_id)
WHERE t.source_id = %(source)s AND r.finished_at < %(cut)s
    AND (r.observed_at IS NULL OR r.observed_at < %(kept_from)s)

-- name: ended_runs
SELECT t.ctid FROM runs t
WHERE t.source_id = %(source)s AND t.finished_at < %(cut)s
    AND (t.observed_at IS NULL OR t.observed_at < %(kept_from)s)

-- name: ended_held_deletions
SELECT t.ctid FROM held_deletions t
WHERE t.source_id = %(source)s AND t.decided_at < %(cut)s AND t.decision IN ('approved', 'returned')

-- name: ended_id_sets
SELECT t.ctid FROM id_sets t
WHERE t.source_id = %(source)s AND NOT EXISTS (
    SELECT FROM observations o WHERE o.source_id = t.source_id AND t.set_id IN (o.held_set, o.silent_set))

-- name: deleted_images
SELECT image_id FROM images
WHERE source_id = %(source)s AND deleted_at < %(deleted_before)s ORDER BY image_id LIMIT %(step)s

-- name: count_deleted_images
SELECT count(*) FROM images WHERE source_id = %(source)s AND deleted_at < %(deleted_before)s
