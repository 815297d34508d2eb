-- Live images whose id or name begins so, for a shell's completion.
SELECT DISTINCT i.image_id, i.name
FROM images AS i
WHERE i.deleted_at IS NULL AND (starts_with(i.image_id, %(beginning)s) OR starts_with(i.name, %(beginning)s))
ORDER BY i.name, i.image_id
LIMIT %(most)s
