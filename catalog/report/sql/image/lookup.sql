-- The last look-up of one image while it is live and not listed.
SELECT l.asked_at, l.answer FROM lookups AS l WHERE l.source_id = %(source)s AND l.image_id = %(image)s
