-- Deletions of one image that were held back, and what became of them, newest first.
SELECT h.observed_at, h.reason, h.decision, h.decided_at, h.decided_by, h.run_id, h.unlisted_since
FROM held_deletions AS h
WHERE h.source_id = %(source)s AND h.image_id = %(image)s
ORDER BY h.observed_at DESC
