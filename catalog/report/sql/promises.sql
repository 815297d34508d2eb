-- help: What images promise (SCS 0102), and whether history shows it kept; broken ones first.
-- takes: source
-- retired: left out
-- of: p.source
SELECT p.source, p.image_id, p.name, p.promise, p.value, p.kept, p.broken_since, p.evidence
FROM image_promises AS p
WHERE {sources}
ORDER BY p.kept NULLS LAST, p.broken_since DESC, p.source, p.name, p.image_id, p.promise
