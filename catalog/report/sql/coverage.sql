-- help: Gaps between complete observations longer than three expected intervals (a day where none
--     is known): what came and went inside them was never seen.
-- takes: source, since
-- of: s.name
WITH complete AS (  -- before history_from the ledger is thinned: nothing can be told
    SELECT o.source_id, greatest(o.observed_at, s.history_from) AS gap_from,
        lead(o.observed_at, 1, now()) OVER (PARTITION BY o.source_id ORDER BY o.observed_at) AS gap_to
    FROM observations AS o JOIN sources AS s ON s.source_id = o.source_id
    WHERE o.complete
), gaps AS (
    SELECT c.source_id, c.gap_from, c.gap_to FROM complete AS c
    UNION ALL
    SELECT s.source_id, greatest(s.created_at, s.history_from), coalesce(min(c.gap_from), now())
    FROM sources AS s LEFT JOIN complete AS c ON c.source_id = s.source_id
    GROUP BY s.source_id
), partial AS (
    SELECT o.source_id, o.observed_at FROM observations AS o
    WHERE NOT o.complete AND NOT EXISTS (  -- what somebody approved is noted as one, too
        SELECT FROM held_deletions AS h
        WHERE h.source_id = o.source_id AND h.decided_at = o.observed_at AND h.decision = 'approved'
    )
)
SELECT s.name AS source, g.gap_from, g.gap_to,
    round(extract(epoch FROM g.gap_to - g.gap_from) / 3600, 1) AS hours,
    count(o.observed_at) AS partial_observations,
    s.observed_since, s.history_from
FROM gaps AS g
JOIN sources AS s ON s.source_id = g.source_id
LEFT JOIN partial AS o
    ON o.source_id = g.source_id AND o.observed_at > g.gap_from AND o.observed_at < g.gap_to
WHERE extract(epoch FROM least(g.gap_to, s.retired_at) - g.gap_from)
        > coalesce(3 * s.expected_seconds, 86400)
    AND (%(since)s::timestamptz IS NULL OR g.gap_to > %(since)s::timestamptz) AND {sources}
GROUP BY s.source_id, g.gap_from, g.gap_to
ORDER BY s.name, g.gap_from DESC
