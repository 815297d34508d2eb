-- What the catalog holds now: image_overview, distinct_images, capability_matrix, source_freshness.
-- Read by people in Metabase, Grafana, Superset or dbt: facts in plain columns, units in their names.

-- The true size of an image file, whichever field carries it; NULL = not known. Written once, for the views and
-- for what is asked of images_as_of; PostgreSQL inlines it.
CREATE FUNCTION true_size(source_kind text, image_type text, image_size bigint, size bigint) RETURNS bigint
LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
    SELECT CASE
        WHEN image_size > 0 THEN image_size
        -- The Image Management Service sends the size of a stub (0, 2, 18 were seen), through the Glance call
        -- too, where only __imagetype tells its records.
        WHEN source_kind = 'ims' OR image_type IS NOT NULL AND size < 1024 THEN NULL
        -- 0 and 1 are what snapshots of volume-backed servers carry: the data is in the volume.
        WHEN size > 1 THEN size
    END;
END;

COMMENT ON FUNCTION true_size(text, text, bigint, bigint) IS
    'True size of an image file in bytes from sources.kind and the columns image_type, image_size and size; NULL = not known.';


-- Views of the present leave retired sources out. Who names one, as reports do, SETs catalog.retired = 'shown'.

-- One row per image that lives. A join is made only if one of its columns is asked for (LEFT JOINs on keys),
-- so that a search by tag, capability, platform or name reads `images` alone.
CREATE VIEW image_overview AS
SELECT
    s.name AS source,
    s.region,
    i.image_id,
    i.name,
    i.status,
    i.visibility,
    i.owner,
    p.name AS owner_name,
    i.image_type,
    i.image_kind,
    i.platform,
    i.os_type,
    i.os_version,
    i.architecture,
    true_size(s.kind, i.image_type, i.image_size, i.size) AS size_bytes,
    i.min_ram AS min_ram_mb,
    i.min_disk AS min_disk_gb,
    i.tags,
    array_to_string(i.tags, ', ') AS tags_text,
    i.capabilities,
    array_to_string(i.capabilities, ', ') AS capabilities_text,
    coalesce(inject.supported, true) AS cloud_init_injection,
    coalesce(i.status = 'active', false)
        AND i.hidden IS NOT TRUE
        AND i.unlisted_since IS NULL
        AND i.is_off_shelved IS NOT TRUE AS offered,
    i.parent_image_id,
    i.created_at,
    i.updated_at,
    i.first_seen_at,
    greatest(floor(extract(epoch FROM now() - coalesce(i.created_at, i.first_seen_at)) / 86400), 0)::integer
        AS age_days,
    i.last_changed_at,
    i.unlisted_since,
    i.protected,
    i.hidden,
    i.disk_format,
    i.source_id
FROM images AS i
JOIN sources AS s ON s.source_id = i.source_id
LEFT JOIN projects AS p ON p.source_id = i.source_id AND p.project_id = i.owner
LEFT JOIN image_capabilities AS inject
    ON inject.source_id = i.source_id AND inject.image_id = i.image_id AND inject.capability = 'fc_inject'
WHERE i.deleted_at IS NULL AND (s.retired_at IS NULL OR current_setting('catalog.retired', true) = 'shown');

COMMENT ON VIEW image_overview IS 'Live images, one row per image and source. Retired sources are left out, but for sessions with SET catalog.retired = ''shown''.';
COMMENT ON COLUMN image_overview.source IS 'Name of the source, as in sources.name.';
COMMENT ON COLUMN image_overview.region IS 'Region of the source.';
COMMENT ON COLUMN image_overview.image_id IS 'Id of the image in its cloud. Upstream: id.';
COMMENT ON COLUMN image_overview.name IS 'Name of the image; not unique. Upstream: name.';
COMMENT ON COLUMN image_overview.status IS 'Status as the cloud last said it. Upstream: status.';
COMMENT ON COLUMN image_overview.visibility IS 'public, private, shared, community, ... Upstream: visibility.';
COMMENT ON COLUMN image_overview.owner IS 'Id of the project that owns the image. Upstream: owner.';
COMMENT ON COLUMN image_overview.owner_name IS 'Name of that project, where the cloud gives it (project_names = true).';
COMMENT ON COLUMN image_overview.image_type IS 'gold, private, shared, market. Upstream: __imagetype.';
COMMENT ON COLUMN image_overview.image_kind IS 'snapshot or backup; NULL = an uploaded image. Upstream: image_type.';
COMMENT ON COLUMN image_overview.platform IS 'Operating system platform or distribution. Upstream: __platform, os_distro.';
COMMENT ON COLUMN image_overview.os_type IS 'Linux, Windows, Other, ... Upstream: __os_type, os_type.';
COMMENT ON COLUMN image_overview.os_version IS 'Operating system version, a text. Upstream: __os_version, os_version.';
COMMENT ON COLUMN image_overview.architecture IS 'Processor architecture: x86_64, aarch64, ... Upstream: architecture.';
COMMENT ON COLUMN image_overview.size_bytes IS 'True size of the image file: __image_size, else size where it is no stub; NULL = not known. Unit: bytes. Upstream: __image_size, size.';
COMMENT ON COLUMN image_overview.min_ram_mb IS 'Smallest memory that runs the image. Unit: MB. Upstream: min_ram.';
COMMENT ON COLUMN image_overview.min_disk_gb IS 'Smallest disk that holds the image. Unit: GB. Upstream: min_disk.';
COMMENT ON COLUMN image_overview.tags IS 'Tags, sorted; search with ''x'' = ANY(tags). Upstream: tags.';
COMMENT ON COLUMN image_overview.tags_text IS 'The tags in one text, separated by comma and blank. Upstream: tags.';
COMMENT ON COLUMN image_overview.capabilities IS 'Supported capabilities, sorted; search with ''kvm'' = ANY(capabilities). Upstream: __support_*.';
COMMENT ON COLUMN image_overview.capabilities_text IS 'The supported capabilities in one text, separated by comma and blank. Upstream: __support_*.';
COMMENT ON COLUMN image_overview.cloud_init_injection IS 'False: password and key injection by Cloud-Init is NOT supported; true also where the cloud says nothing. Upstream: __support_fc_inject (inverted).';
COMMENT ON COLUMN image_overview.offered IS 'True: can be chosen for a new server: active, not hidden, listed, not off the shelf.';
COMMENT ON COLUMN image_overview.parent_image_id IS 'Image this one was made from; may be gone, or the image itself. Upstream: __originalimagename, base_image_ref.';
COMMENT ON COLUMN image_overview.created_at IS 'When the cloud says the image was created. Unit: UTC. Upstream: created_at.';
COMMENT ON COLUMN image_overview.updated_at IS 'When the cloud says the image was last updated. Unit: UTC. Upstream: updated_at.';
COMMENT ON COLUMN image_overview.first_seen_at IS 'First observation that showed the image. Unit: UTC.';
COMMENT ON COLUMN image_overview.age_days IS 'Whole days since created_at (where the cloud gives none: since first_seen_at); 0 for dates in the future. Unit: days.';
COMMENT ON COLUMN image_overview.last_changed_at IS 'Observation that showed the last change. Unit: UTC.';
COMMENT ON COLUMN image_overview.unlisted_since IS 'Alive, but not listed by complete sweeps since then; NULL = listed. Unit: UTC.';
COMMENT ON COLUMN image_overview.protected IS 'True: the cloud refuses to delete the image. Upstream: protected.';
COMMENT ON COLUMN image_overview.hidden IS 'True: left out of default listings, usable by id. Upstream: os_hidden.';
COMMENT ON COLUMN image_overview.disk_format IS 'Disk format: qcow2, raw, zvhd2, iso, ... Upstream: disk_format.';
COMMENT ON COLUMN image_overview.source_id IS 'Key of the source, for joins with the tables.';


-- `image_tags` keeps the tags of deleted images too; this is what filters of dashboards want.
CREATE VIEW live_image_tags AS
SELECT
    s.name AS source,
    s.region,
    i.image_id,
    i.name,
    t.tag,
    i.visibility,
    i.owner,
    i.platform,
    i.source_id
FROM image_tags AS t
JOIN images AS i ON i.source_id = t.source_id AND i.image_id = t.image_id
JOIN sources AS s ON s.source_id = i.source_id
WHERE i.deleted_at IS NULL AND (s.retired_at IS NULL OR current_setting('catalog.retired', true) = 'shown');

COMMENT ON VIEW live_image_tags IS 'Live images by tag: one row per image and tag, none for an image without tags. Retired sources are left out, as in image_overview.';
COMMENT ON COLUMN live_image_tags.source IS 'Name of the source.';
COMMENT ON COLUMN live_image_tags.region IS 'Region of the source.';
COMMENT ON COLUMN live_image_tags.image_id IS 'Id of the image in its cloud. Upstream: id.';
COMMENT ON COLUMN live_image_tags.name IS 'Name of the image; not unique. Upstream: name.';
COMMENT ON COLUMN live_image_tags.tag IS 'Tag, exactly as delivered. Upstream: tags.';
COMMENT ON COLUMN live_image_tags.visibility IS 'public, private, shared, community, ... Upstream: visibility.';
COMMENT ON COLUMN live_image_tags.owner IS 'Id of the project that owns the image. Upstream: owner.';
COMMENT ON COLUMN live_image_tags.platform IS 'Operating system platform or distribution. Upstream: __platform, os_distro.';
COMMENT ON COLUMN live_image_tags.source_id IS 'Key of the source, for joins with the tables.';


-- Which sources look at the same image service: they share an endpoint or an entry of clouds.yaml.
-- Three passes of a minimum follow chains such as (cloud a, endpoint 1), (cloud a, endpoint 2), (cloud b, endpoint 2).
CREATE VIEW source_services AS
WITH by_endpoint AS (
    SELECT s.*, min(s.source_id) OVER (PARTITION BY coalesce(rtrim(s.endpoint, '/'), s.source_id)) AS service
    FROM sources AS s
), by_cloud AS (
    SELECT e.*, min(e.service) OVER (PARTITION BY coalesce(e.cloud, e.source_id)) AS wider FROM by_endpoint AS e
)
SELECT
    c.name AS source,
    min(c.wider) OVER (PARTITION BY coalesce(rtrim(c.endpoint, '/'), c.source_id)) AS service,
    c.region,
    c.cloud,
    c.endpoint,
    c.last_complete_at,
    c.retired_at,
    c.source_id
FROM by_cloud AS c;

COMMENT ON VIEW source_services IS 'Which sources look at the same image service, so that what several projects see is counted once.';
COMMENT ON COLUMN source_services.source IS 'Name of the source.';
COMMENT ON COLUMN source_services.service IS 'Key of the image service; sources with the same endpoint or the same entry of clouds.yaml share it. An image is the same one if service, region and image_id are equal.';
COMMENT ON COLUMN source_services.region IS 'Region of the source.';
COMMENT ON COLUMN source_services.cloud IS 'Entry of clouds.yaml, where one is named.';
COMMENT ON COLUMN source_services.endpoint IS 'Address of the image service.';
COMMENT ON COLUMN source_services.last_complete_at IS 'observed_at of the last complete sweep. Unit: UTC.';
COMMENT ON COLUMN source_services.retired_at IS 'When the source was retired. Unit: UTC.';
COMMENT ON COLUMN source_services.source_id IS 'Key of the source, for joins with the tables.';


-- The freshest copy: of sources still in use before retired ones, then by the cloud's own updated_at,
-- then from the source that was swept last. Copies are ranked on their keys before wide rows are read.
CREATE VIEW distinct_images AS
WITH copies AS (
    SELECT
        i.source_id,
        i.image_id,
        row_number() OVER (
            same ORDER BY v.retired_at IS NOT NULL, i.updated_at DESC NULLS LAST,
                          v.last_complete_at DESC NULLS LAST, v.source
        ) AS place,
        count(*) OVER same AS seen_by_sources
    FROM images AS i
    JOIN source_services AS v ON v.source_id = i.source_id
    WHERE i.deleted_at IS NULL AND (v.retired_at IS NULL OR current_setting('catalog.retired', true) = 'shown')
    WINDOW same AS (PARTITION BY v.service, v.region, i.image_id)
)
SELECT
    o.source, o.region, o.image_id, o.name, o.status, o.visibility, o.owner, o.owner_name, o.image_type,
    o.image_kind, o.platform, o.os_type, o.os_version, o.architecture, o.size_bytes, o.min_ram_mb,
    o.min_disk_gb, o.tags, o.tags_text, o.capabilities, o.capabilities_text, o.cloud_init_injection,
    o.offered, o.parent_image_id, o.created_at, o.updated_at, o.first_seen_at, o.age_days,
    c.seen_by_sources,
    o.last_changed_at, o.unlisted_since, o.protected, o.hidden, o.disk_format, o.source_id
FROM copies AS c
JOIN image_overview AS o ON o.source_id = c.source_id AND o.image_id = c.image_id
WHERE c.place = 1;

COMMENT ON VIEW distinct_images IS 'Live images, each once however many projects see it: one row per image service, region and image_id, the freshest copy. Retired sources are left out, as in image_overview.';
COMMENT ON COLUMN distinct_images.source IS 'Name of the source whose copy this is.';
COMMENT ON COLUMN distinct_images.region IS 'Region of that source.';
COMMENT ON COLUMN distinct_images.image_id IS 'Id of the image in its cloud. Upstream: id.';
COMMENT ON COLUMN distinct_images.name IS 'Name of the image; not unique. Upstream: name.';
COMMENT ON COLUMN distinct_images.status IS 'Status as the cloud last said it. Upstream: status.';
COMMENT ON COLUMN distinct_images.visibility IS 'public, private, shared, community, ... Upstream: visibility.';
COMMENT ON COLUMN distinct_images.owner IS 'Id of the project that owns the image. Upstream: owner.';
COMMENT ON COLUMN distinct_images.owner_name IS 'Name of that project, where the cloud gives it.';
COMMENT ON COLUMN distinct_images.image_type IS 'gold, private, shared, market. Upstream: __imagetype.';
COMMENT ON COLUMN distinct_images.image_kind IS 'snapshot or backup; NULL = an uploaded image. Upstream: image_type.';
COMMENT ON COLUMN distinct_images.platform IS 'Operating system platform or distribution. Upstream: __platform, os_distro.';
COMMENT ON COLUMN distinct_images.os_type IS 'Linux, Windows, Other, ... Upstream: __os_type, os_type.';
COMMENT ON COLUMN distinct_images.os_version IS 'Operating system version, a text. Upstream: __os_version, os_version.';
COMMENT ON COLUMN distinct_images.architecture IS 'Processor architecture. Upstream: architecture.';
COMMENT ON COLUMN distinct_images.size_bytes IS 'True size of the image file; NULL = not known. Unit: bytes. Upstream: __image_size, size.';
COMMENT ON COLUMN distinct_images.min_ram_mb IS 'Smallest memory that runs the image. Unit: MB. Upstream: min_ram.';
COMMENT ON COLUMN distinct_images.min_disk_gb IS 'Smallest disk that holds the image. Unit: GB. Upstream: min_disk.';
COMMENT ON COLUMN distinct_images.tags IS 'Tags, sorted. Upstream: tags.';
COMMENT ON COLUMN distinct_images.tags_text IS 'The tags in one text. Upstream: tags.';
COMMENT ON COLUMN distinct_images.capabilities IS 'Supported capabilities, sorted. Upstream: __support_*.';
COMMENT ON COLUMN distinct_images.capabilities_text IS 'The supported capabilities in one text. Upstream: __support_*.';
COMMENT ON COLUMN distinct_images.cloud_init_injection IS 'False: injection by Cloud-Init is NOT supported. Upstream: __support_fc_inject (inverted).';
COMMENT ON COLUMN distinct_images.offered IS 'True: active, not hidden, listed, not off the shelf.';
COMMENT ON COLUMN distinct_images.parent_image_id IS 'Image this one was made from. Upstream: __originalimagename, base_image_ref.';
COMMENT ON COLUMN distinct_images.created_at IS 'When the cloud says the image was created. Unit: UTC. Upstream: created_at.';
COMMENT ON COLUMN distinct_images.updated_at IS 'When the cloud says the image was last updated. Unit: UTC. Upstream: updated_at.';
COMMENT ON COLUMN distinct_images.first_seen_at IS 'First observation by this source that showed the image. Unit: UTC.';
COMMENT ON COLUMN distinct_images.age_days IS 'Whole days since created_at, else first_seen_at. Unit: days.';
COMMENT ON COLUMN distinct_images.seen_by_sources IS 'Number of sources that see the image. Unit: sources.';
COMMENT ON COLUMN distinct_images.last_changed_at IS 'Observation that showed the last change. Unit: UTC.';
COMMENT ON COLUMN distinct_images.unlisted_since IS 'Alive, but not listed since then; NULL = listed. Unit: UTC.';
COMMENT ON COLUMN distinct_images.protected IS 'True: the cloud refuses to delete the image. Upstream: protected.';
COMMENT ON COLUMN distinct_images.hidden IS 'True: left out of default listings. Upstream: os_hidden.';
COMMENT ON COLUMN distinct_images.disk_format IS 'Disk format. Upstream: disk_format.';
COMMENT ON COLUMN distinct_images.source_id IS 'Key of the source, for joins with the tables.';


-- images = supported + not_supported + images that say nothing of the capability.
CREATE VIEW capability_matrix AS
WITH per_platform AS (
    SELECT i.source_id, i.platform, count(*) AS images
    FROM images AS i
    WHERE i.deleted_at IS NULL
    GROUP BY i.source_id, i.platform
), told AS (
    SELECT
        i.source_id,
        c.capability,
        i.platform,
        count(*) FILTER (WHERE c.supported) AS supported,
        count(*) FILTER (WHERE NOT c.supported) AS not_supported
    FROM image_capabilities AS c
    JOIN images AS i ON i.source_id = c.source_id AND i.image_id = c.image_id
    WHERE i.deleted_at IS NULL
    GROUP BY i.source_id, c.capability, i.platform
)
SELECT
    s.name AS source,
    told.capability,
    coalesce(known.family, 'other') AS family,
    told.platform,
    per_platform.images,
    told.supported,
    told.not_supported,
    told.source_id
FROM told
JOIN per_platform
    ON per_platform.source_id = told.source_id AND per_platform.platform IS NOT DISTINCT FROM told.platform
JOIN sources AS s ON s.source_id = told.source_id
LEFT JOIN capabilities AS known ON known.capability = told.capability
WHERE (s.retired_at IS NULL OR current_setting('catalog.retired', true) = 'shown');

COMMENT ON VIEW capability_matrix IS 'Live images by source, capability and platform; a combination that no image tells of has no row. Retired sources are left out, as in image_overview.';
COMMENT ON COLUMN capability_matrix.source IS 'Name of the source.';
COMMENT ON COLUMN capability_matrix.capability IS 'Capability: the upstream key without __support_.';
COMMENT ON COLUMN capability_matrix.family IS 'Group of the capability: hypervisor, gpu, fpga, hana, network, size, cpu, agent, cloud_init or other.';
COMMENT ON COLUMN capability_matrix.platform IS 'Platform of the images; NULL = none was delivered. Upstream: __platform, os_distro.';
COMMENT ON COLUMN capability_matrix.images IS 'All live images of the source and platform, telling of the capability or not. Unit: images.';
COMMENT ON COLUMN capability_matrix.supported IS 'Those of them that support it, inversion applied. Unit: images.';
COMMENT ON COLUMN capability_matrix.not_supported IS 'Those of them that say that they do not; the rest says nothing. Unit: images.';
COMMENT ON COLUMN capability_matrix.source_id IS 'Key of the source, for joins with the tables.';


-- Stale: older than three expected intervals (a sweep may be late once and fail once); where no interval
-- is expected, older than a day; never complete: the same, counted from when the source was recorded.
-- After the database's clock was ahead, observations are dated ahead of it until it comes there: what was read is as
-- old as the end of the sweep then. Where that is more than five minutes ahead too, nobody knows how old.
CREATE VIEW source_freshness AS
SELECT
    s.name AS source,
    known.last_complete_at,
    round(extract(epoch FROM now() - known.last_complete_at))::bigint AS age_seconds,
    s.expected_seconds,
    s.retired_at IS NULL
        AND extract(epoch FROM now() - coalesce(known.last_complete_at, s.created_at))
            NOT BETWEEN -300 AND coalesce(3 * s.expected_seconds, 86400) AS stale,
    s.failing_since,
    s.error_kind,
    coalesce(held.images, 0) AS held,
    s.failures,
    s.next_due_at,
    s.retired_at,
    s.source_id,
    known.last_changes_at,
    round(extract(epoch FROM now() - known.last_changes_at))::bigint AS changes_age_seconds
FROM sources AS s
CROSS JOIN LATERAL (
    SELECT
        least(s.last_complete_at, s.last_complete_ended_at) AS last_complete_at,
        least(s.last_changes_at, s.last_changes_ended_at) AS last_changes_at
) AS known
LEFT JOIN (
    SELECT h.source_id, count(DISTINCT h.image_id) AS images
    FROM held_deletions AS h
    WHERE h.decision = 'open'
    GROUP BY h.source_id
) AS held ON held.source_id = s.source_id;

COMMENT ON VIEW source_freshness IS 'How old what the catalog knows of each source is, and what keeps it from being newer.';
COMMENT ON COLUMN source_freshness.source IS 'Name of the source.';
COMMENT ON COLUMN source_freshness.last_complete_at IS 'observed_at of the last complete sweep, or its end where that is earlier, as the clock was ahead before; NULL = never. Unit: UTC.';
COMMENT ON COLUMN source_freshness.age_seconds IS 'Time since then. Unit: seconds.';
COMMENT ON COLUMN source_freshness.expected_seconds IS 'Expected time between sweeps; NULL = not known. Unit: seconds.';
COMMENT ON COLUMN source_freshness.stale IS 'True: older than three times expected_seconds (a day where that is NULL), or over five minutes in the future; a retired source never is.';
COMMENT ON COLUMN source_freshness.failing_since IS 'Start of the first of the runs in a row that were not complete; NULL = the last was complete. Unit: UTC.';
COMMENT ON COLUMN source_freshness.error_kind IS 'Kind of the last failure: login, network, throttled, upstream, bad_listing, deadline, database, config.';
COMMENT ON COLUMN source_freshness.held IS 'Deletions held back that wait for a decision. Unit: images.';
COMMENT ON COLUMN source_freshness.failures IS 'Runs in a row that were not complete. Unit: runs.';
COMMENT ON COLUMN source_freshness.next_due_at IS 'When the daemon sweeps it next. Unit: UTC.';
COMMENT ON COLUMN source_freshness.retired_at IS 'When the source was retired; NULL = in use. Unit: UTC.';
COMMENT ON COLUMN source_freshness.source_id IS 'Key of the source, for joins with the tables.';
COMMENT ON COLUMN source_freshness.last_changes_at IS 'observed_at of the last changes-only sweep that read all that is new, or its end where that is earlier; NULL = never. Unit: UTC.';
COMMENT ON COLUMN source_freshness.changes_age_seconds IS 'Time since then. Unit: seconds.';
