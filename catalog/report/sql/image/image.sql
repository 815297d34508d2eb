-- The row of one image, with its source, owner's name, system, true size and place in its family. OFFSET 0: only images
-- of the family are compared.
SELECT s.name AS source, s.region, i.*, p.name AS owner_name, os.distro, os.release, os.arch, os.purpose,
    true_size(s.kind, i.image_type, i.image_size, i.size) AS size_bytes,
    l.family, l.state, l.state_since, l.use_instead_id, l.use_instead_name, l.promised_until
FROM images AS i
JOIN sources AS s ON s.source_id = i.source_id
LEFT JOIN projects AS p ON p.source_id = i.source_id AND p.project_id = i.owner
LEFT JOIN image_os AS os ON os.source_id = i.source_id AND os.image_id = i.image_id
LEFT JOIN LATERAL (
    SELECT * FROM image_lifecycle AS l
    WHERE l.source_id = i.source_id AND l.family IS NOT DISTINCT FROM os.family AND l.image_id = i.image_id
    OFFSET 0
) AS l ON true
WHERE i.source_id = %(source)s AND i.image_id = %(image)s
