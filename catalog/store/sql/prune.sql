-- What `catalog db prune` takes out, table by table. An observation is loaded or forgotten at the cut or after it,
-- never before; what the writer then reads of an image is its last revision observed before the moment, and all
-- later ones (load_lines, state_at, dated_across, dated_after). So of what was observed before the cut
-- the last revision of each image stays, whatever its dates, with its status period and the last document up to it.
-- Rows of images are read in the order of their key, each once, from a place on: (image, at). The subselects with
-- max and LIMIT look at one entry of an index each; as a join they might be planned over the whole table.

-- name: move_history_from
-- Where history begins from now on.
UPDATE sources SET history_from = %(cut)s
WHERE source_id = %(source)s AND (history_from IS NULL OR history_from < %(cut)s);

-- name: evidence_from
-- The last observation before the cut that is evidence of each image: it is inconclusive about none.
SELECT o.observed_at FROM observations o
WHERE o.source_id = %(source)s AND o.observed_at < %(cut)s AND o.complete AND NOT EXISTS (
    SELECT FROM id_sets s WHERE s.source_id = %(source)s AND s.set_id = o.inconclusive_set AND s.kind <> 'found')
ORDER BY o.observed_at DESC LIMIT 1;

-- name: ended_revision_documents
-- Documents that nobody reads again.
SELECT t.image_id, t.observed_at FROM revision_documents t
WHERE t.source_id = %(source)s AND (t.image_id, t.observed_at) > (%(image)s, %(at)s)
    AND t.observed_at < (
        SELECT max(d.observed_at) FROM revision_documents d
        WHERE d.source_id = %(source)s AND d.image_id = t.image_id AND d.observed_at < %(cut)s)
ORDER BY t.image_id, t.observed_at LIMIT %(step)s

-- name: ended_revisions
-- Revisions before an image's last one before the cut.
SELECT t.image_id, t.observed_at FROM revisions t
WHERE t.source_id = %(source)s AND (t.image_id, t.observed_at) > (%(image)s, %(at)s)
    AND t.observed_at < (
        SELECT max(r.observed_at) FROM revisions r
        WHERE r.source_id = %(source)s AND r.image_id = t.image_id AND r.observed_at < %(cut)s)
ORDER BY t.image_id, t.observed_at LIMIT %(step)s

-- name: ended_status_history
-- Status periods that ended before that one's.
SELECT t.image_id, t.valid_from FROM status_history t
WHERE t.source_id = %(source)s AND (t.image_id, t.valid_from) > (%(image)s, %(at)s)
    AND t.valid_from < (
        SELECT r.period_from FROM revisions r
        WHERE r.source_id = %(source)s AND r.image_id = t.image_id AND r.observed_at < %(cut)s
        ORDER BY r.observed_at DESC LIMIT 1)
ORDER BY t.image_id, t.valid_from LIMIT %(step)s

-- name: ended_absences
-- Superseded by a later absence, or by an observation that tells of every image.
SELECT t.image_id, t.observed_at FROM absences t
WHERE t.source_id = %(source)s AND (t.image_id, t.observed_at) > (%(image)s, %(at)s)
    AND t.observed_at < greatest(%(evidence_from)s, (
        SELECT max(l.observed_at) FROM absences l
        WHERE l.source_id = %(source)s AND l.image_id = t.image_id AND l.observed_at < %(cut)s))
ORDER BY t.image_id, t.observed_at LIMIT %(step)s

-- name: ended_observations
-- Observations that `needed` does not name.
SELECT t.observed_at FROM observations t
WHERE t.source_id = %(source)s AND t.observed_at < %(cut)s
    AND t.observed_at <> ALL (%(needed)s::timestamptz[])

-- name: ended_run_passes
-- Passes of the runs that go.
SELECT t.run_id, t.pass FROM run_passes t JOIN runs r USING (source_id, run_id)
WHERE t.source_id = %(source)s AND r.finished_at < %(cut)s
    AND (r.observed_at IS NULL OR (r.observed_at < %(cut)s AND r.observed_at <> ALL (%(needed)s::timestamptz[])))

-- name: ended_runs
-- Runs whose observation goes.
SELECT t.run_id FROM runs t
WHERE t.source_id = %(source)s AND t.finished_at < %(cut)s
    AND (t.observed_at IS NULL OR (t.observed_at < %(cut)s AND t.observed_at <> ALL (%(needed)s::timestamptz[])))

-- name: ended_held_deletions
-- Decisions from before the cut.
SELECT t.image_id, t.run_id FROM held_deletions t
WHERE t.source_id = %(source)s AND t.decided_at < %(cut)s AND t.decision NOT IN ('open', 'kept')

-- name: ended_kept_images
-- What is observed from the cut on comes after these decisions.
SELECT t.image_id, t.kept_at FROM kept_images t WHERE t.source_id = %(source)s AND t.kept_at < %(cut)s

-- name: ended_loaded_files
-- No file from before the cut is loaded again.
SELECT t.observed_at, t.file_hash, t.run_id FROM loaded_files t
WHERE t.source_id = %(source)s AND t.observed_at < %(cut)s

-- name: ended_rejections
-- All but the last run before the cut that met a rejected record: which that was, and how many, the record itself says.
SELECT t.record_hash, t.run_id FROM rejections t
WHERE t.source_id = %(source)s AND t.observed_at < %(cut)s AND EXISTS (
    SELECT FROM rejections m
    WHERE m.source_id = %(source)s AND m.record_hash = t.record_hash AND m.observed_at < %(cut)s
        AND (m.observed_at, m.run_id) > (t.observed_at, t.run_id))

-- name: ended_id_sets
-- Sets of ids that no observation names any more.
SELECT t.set_id, t.kind FROM id_sets t
WHERE t.source_id = %(source)s
    AND NOT EXISTS (
        SELECT FROM observations o
        WHERE o.source_id = %(source)s AND o.contained_set = t.set_id
            AND (o.observed_at >= %(cut)s OR o.observed_at = ANY (%(needed)s::timestamptz[])))
    AND NOT EXISTS (
        SELECT FROM observations o
        WHERE o.source_id = %(source)s AND o.inconclusive_set = t.set_id
            AND (o.observed_at >= %(cut)s OR o.observed_at = ANY (%(needed)s::timestamptz[])))

-- name: take_out
-- Rows of a table of images, by their key.
DELETE FROM {table} d
USING {named(ids text AS image_id, ats timestamptz AS at)} AS gone
WHERE {shard(d, gone)} AND d.image_id = gone.image_id AND d.{moment} = gone.at

-- name: deleted_images
-- Gone at every moment from the cut on, by evidence from before it: a cloud may date a deletion back.
SELECT image_id FROM images
WHERE source_id = %(source)s AND image_id > %(image)s
    AND deleted_at < %(deleted_before)s AND last_changed_at < %(deleted_before)s
ORDER BY image_id LIMIT %(step)s

-- name: named
-- Of each set, by kind, the images that some observation was inconclusive about or found unlisted.
WITH missed AS MATERIALIZED (
    SELECT DISTINCT image_id FROM id_sets, unnest(image_ids) AS image_id
    WHERE source_id = %(source)s AND kind <> 'listed'
)
SELECT s.set_id, s.kind, array_agg(missed.image_id)
FROM id_sets s CROSS JOIN LATERAL unnest(s.image_ids) AS id (image_id) JOIN missed USING (image_id)
WHERE s.source_id = %(source)s
GROUP BY s.set_id, s.kind
