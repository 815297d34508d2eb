-- One vocabulary: image_os.

-- What the phases of a release come to today. Days are UTC's.
CREATE VIEW os_support_now AS
WITH phases AS (
    SELECT
        p.distro,
        p.release,
        p.phase,
        p.ends_on,
        p.phase <> 'extended' AS free,
        NOT p.over AND (p.ends_on IS NULL OR p.ends_on >= (now() AT TIME ZONE 'UTC')::date) AS lasts
    FROM os_support AS p
)
SELECT
    p.distro,
    p.release,
    CASE WHEN NOT bool_or(p.free AND p.lasts AND p.ends_on IS NULL) THEN max(p.ends_on) FILTER (WHERE p.free) END
        AS support_ends_on,
    CASE
        WHEN bool_or(p.phase = 'active' AND p.lasts) THEN 'active'
        WHEN bool_or(p.phase = 'security' AND p.lasts) THEN 'security'
        WHEN bool_or(p.phase = 'lts' AND p.lasts) THEN 'lts'
        WHEN bool_or(p.phase = 'extended' AND p.lasts) THEN 'extended'
        ELSE 'ended'
    END AS support_phase,
    max(p.ends_on) FILTER (WHERE NOT p.free) AS paid_support_ends_on
FROM phases AS p
GROUP BY p.distro, p.release;

COMMENT ON VIEW os_support_now IS 'Where each release of a system stands in its support today, from os_support.';
COMMENT ON COLUMN os_support_now.distro IS 'Operating system.';
COMMENT ON COLUMN os_support_now.release IS 'Its release.';
COMMENT ON COLUMN os_support_now.support_ends_on IS 'Last day of free support; NULL = no end is known. Unit: days, a date.';
COMMENT ON COLUMN os_support_now.support_phase IS 'Phase of today: active, security, lts, extended (only paid support is left), ended.';
COMMENT ON COLUMN os_support_now.paid_support_ends_on IS 'Last day of paid support; NULL = none, or not known. Unit: days, a date.';


-- Told when an image was merged, or by catalog remap; so this reads one narrow table. A release is looked for as it
-- is, else by what stands before its first dot. Joins of columns that are not asked for are not made.
CREATE VIEW image_os AS
SELECT
    s.name AS source,
    f.image_id,
    f.distro,
    f.release,
    f.arch,
    f.purpose,
    CASE WHEN exact.distro IS NOT NULL THEN exact.support_ends_on ELSE major.support_ends_on END AS support_ends_on,
    coalesce(exact.support_phase, major.support_phase) AS support_phase,
    CASE WHEN exact.distro IS NOT NULL THEN exact.paid_support_ends_on ELSE major.paid_support_ends_on END
        AS paid_support_ends_on,
    f.live,
    f.family,
    f.source_id
FROM image_state AS f
JOIN sources AS s ON s.source_id = f.source_id
LEFT JOIN os_support_now AS exact ON exact.distro = f.distro AND exact.release = f.release
LEFT JOIN os_support_now AS major
    ON major.distro = f.distro AND major.release = split_part(f.release, '.', 1)
WHERE (s.retired_at IS NULL OR current_setting('catalog.retired', true) = 'shown');

COMMENT ON VIEW image_os IS 'Operating system, architecture and purpose of every image in one vocabulary, by image_os_rules; deleted images included. Retired sources are left out, as in image_overview.';
COMMENT ON COLUMN image_os.source IS 'Name of the source.';
COMMENT ON COLUMN image_os.image_id IS 'Id of the image in its cloud. Upstream: id.';
COMMENT ON COLUMN image_os.distro IS 'Operating system: ubuntu, debian, rhel, windows, ...; NULL = neither keys nor name tell. Upstream: __platform, os_distro, __os_version, os_version, else name.';
COMMENT ON COLUMN image_os.release IS 'Its release: 22.04, 12, 2012-r2; of sles 15.5 is 15 SP5. NULL = not told.';
COMMENT ON COLUMN image_os.arch IS 'Processor architecture: x86_64, aarch64, ...; NULL = not told. Upstream: architecture, __support_arm, __os_bit, else name.';
COMMENT ON COLUMN image_os.purpose IS 'generic, minimal, gpu, k8s, oldgeneric, ... Upstream: os_purpose (SCS standard), else name.';
COMMENT ON COLUMN image_os.support_ends_on IS 'Last day of free support of that release, by os_support; NULL = no end is known. Unit: days, a date.';
COMMENT ON COLUMN image_os.support_phase IS 'Phase of today: active, security, lts, extended (only paid support is left), ended; NULL = os_support does not know the release.';
COMMENT ON COLUMN image_os.paid_support_ends_on IS 'Last day of paid support; NULL = none, or not known. Unit: days, a date.';
COMMENT ON COLUMN image_os.live IS 'False: the image is deleted.';
COMMENT ON COLUMN image_os.family IS 'Name without dates and marks such as latest or old, by image_family_rules; NULL = no name.';
COMMENT ON COLUMN image_os.source_id IS 'Key of the source, for joins with the tables.';
