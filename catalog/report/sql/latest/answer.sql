-- Per source the newest of the images that fit.
SELECT DISTINCT ON (f.source) f.source, f.image_id, f.name, f.distro, f.release, f.arch, f.purpose,
    f.visibility, f.created_at, f.region, f.family
FROM fitting AS f
ORDER BY f.source, f.created_at DESC NULLS LAST, f.image_id DESC
