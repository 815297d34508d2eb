-- Operating system and architecture of an image `i`, in one spelling.
CROSS JOIN LATERAL (
    SELECT
        CASE
            WHEN told.word ~ '^(red ?hat|rhel)' THEN 'rhel'
            WHEN told.word ~ '^(suse|sles)' THEN 'sles'
            ELSE regexp_replace(told.word, '[ _]+', '-', 'g')
        END AS distro,
        substring(coalesce(i.os_version, i.name) FROM '\d+(?:\.\d+)*') AS release,
        CASE lower(i.architecture) WHEN 'amd64' THEN 'x86_64' WHEN 'arm64' THEN 'aarch64' ELSE lower(i.architecture) END
            AS arch
    FROM (SELECT nullif(lower(trim(i.platform)), '') AS word) AS told
) AS os
