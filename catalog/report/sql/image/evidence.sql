-- What each observation says about one image, newest first, from the first one that knew it on. An incomplete one
-- that lacks the image says nothing, and is left out.
WITH known AS (
    SELECT r.observed_at, r.content_hash IS NULL AS absent, r.reported
    FROM revisions AS r
    WHERE r.source_id = %(source)s AND r.image_id = %(image)s
), judged AS (
    SELECT o.observed_at, o.complete, o.run_ids, CASE
            WHEN absence.reason IS NOT NULL THEN ARRAY[absence.reason]
            WHEN kinds.named IS NOT NULL THEN kinds.named
            WHEN NOT o.complete AND NOT EXISTS (
                SELECT FROM id_sets AS d
                WHERE d.source_id = o.source_id AND d.set_id = o.contained_set AND d.kind = 'listed'
                    AND %(image)s = ANY (d.image_ids)
            ) THEN NULL
            WHEN now_known.absent THEN ARRAY['not_listed']
            WHEN now_known.reported THEN ARRAY['reported']
            ELSE ARRAY['listed']
        END AS says
    FROM observations AS o
    LEFT JOIN absences AS absence
        ON absence.source_id = o.source_id AND absence.image_id = %(image)s
        AND absence.observed_at = o.observed_at
    LEFT JOIN LATERAL (
        SELECT array_agg(d.kind ORDER BY d.kind) AS named
        FROM id_sets AS d
        WHERE d.source_id = o.source_id AND d.set_id = o.inconclusive_set AND d.kind <> 'listed'
            AND %(image)s = ANY (d.image_ids)
    ) AS kinds ON true
    LEFT JOIN LATERAL (
        SELECT k.absent, k.reported FROM known AS k
        WHERE k.observed_at <= o.observed_at
        ORDER BY k.observed_at DESC
        LIMIT 1
    ) AS now_known ON true
    WHERE o.source_id = %(source)s AND o.observed_at >= (SELECT min(k.observed_at) FROM known AS k)
        AND o.observed_at <= coalesce(%(until)s::timestamptz, 'infinity')
)
SELECT j.observed_at, j.says, j.complete, r.kind, j.run_ids[1] AS run_id, r.held, r.note, j.run_ids
FROM judged AS j
LEFT JOIN runs AS r ON r.source_id = %(source)s AND r.run_id = j.run_ids[1]
WHERE j.says IS NOT NULL
ORDER BY j.observed_at DESC
LIMIT %(limit)s
