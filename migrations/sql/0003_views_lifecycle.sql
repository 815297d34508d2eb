-- Where images stand: announcements in force, image_lifecycle, and the same image in every source.

CREATE VIEW announcements_in_force AS
SELECT DISTINCT ON (a.source_id, a.scope, a.subject)
    a.source_id,
    a.scope,
    a.subject,
    a.announced_at,
    a.deprecated_at,
    a.obsolete_at,
    a.use_instead_id,
    a.note
FROM image_announcements AS a
WHERE a.withdrawn_at IS NULL
ORDER BY a.source_id, a.scope, a.subject, a.announced_at DESC;

COMMENT ON VIEW announcements_in_force IS 'Of each image and family the announcement that holds: the latest that was not withdrawn.';
COMMENT ON COLUMN announcements_in_force.source_id IS 'Source, as in sources.source_id.';
COMMENT ON COLUMN announcements_in_force.scope IS 'What subject names: an image, or a family.';
COMMENT ON COLUMN announcements_in_force.subject IS 'Id of the image, or its family.';
COMMENT ON COLUMN announcements_in_force.announced_at IS 'When it was announced. Unit: UTC.';
COMMENT ON COLUMN announcements_in_force.deprecated_at IS 'From when on nobody should choose it any more. Unit: UTC.';
COMMENT ON COLUMN announcements_in_force.obsolete_at IS 'From when on nobody should use it any more. Unit: UTC.';
COMMENT ON COLUMN announcements_in_force.use_instead_id IS 'Image to use instead.';
COMMENT ON COLUMN announcements_in_force.note IS 'What else there is to say.';


-- A date in text, whatever the cloud's users wrote: 2027-02-30 is taken as the last of February.
CREATE FUNCTION promised_day(told text) RETURNS date
LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
    SELECT CASE WHEN told ~ '^[12][0-9]{3}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])' THEN
        least(
            (left(told, 8) || '01')::date + substr(told, 9, 2)::integer - 1,
            ((left(told, 8) || '01')::date + interval '1 month - 1 day')::date
        )
    END;
END;

COMMENT ON FUNCTION promised_day(text) IS 'The day that a promise such as provided_until names; NULL = it names none.';


-- A line: images of one source, owner, family, architecture and purpose, one after the other. The newest that is
-- offered is the current one; older ones that are offered too are superseded. Snapshots and backups stand for a moment
-- of a server, not for a product: none of them supersedes another. Images that never became usable (still queued or
-- saving, or failed) have no life cycle and no row.
CREATE VIEW image_lifecycle AS
WITH withdrawn AS (  -- since the last change from public to something else
    SELECT r.source_id, r.image_id, max(r.valid_from) AS since
    FROM revisions AS r
    WHERE r.changed -> 'visibility' ->> 0 = 'public'
    GROUP BY r.source_id, r.image_id
), members AS (
    SELECT
        s.name AS source,
        i.source_id,
        i.image_id,
        i.name,
        f.family,
        CASE
            WHEN f.family IS NOT NULL AND coalesce(i.image_kind NOT IN ('snapshot', 'backup'), true) THEN
                hashtextextended(concat_ws(
                    E'\x1f', coalesce(i.owner, ''), f.family, coalesce(f.arch, ''),
                    CASE WHEN f.purpose = 'oldgeneric' THEN 'generic' ELSE f.purpose END
                ), 0)
        END AS line,
        coalesce(i.created_at, i.first_seen_at) AS born_at,
        coalesce(i.protected AND 'golden' = ANY (i.tags), false) AS preferred,
        CASE
            WHEN i.deleted_at IS NOT NULL THEN 'gone'
            WHEN i.status IS DISTINCT FROM 'active' THEN 'deactivated'
            WHEN i.is_off_shelved THEN 'off_shelf'
            WHEN w.since IS NOT NULL AND i.visibility <> 'public' THEN 'withdrawn'
            WHEN i.hidden THEN 'hidden'
            WHEN i.unlisted_since IS NOT NULL THEN 'unlisted'
            WHEN coalesce(own.obsolete_at, families.obsolete_at) <= now() THEN 'obsolete'
            WHEN coalesce(own.deprecated_at, families.deprecated_at) <= now() THEN 'deprecated'
            WHEN f.purpose = 'oldgeneric' THEN 'superseded'  -- the cloud says so
            ELSE 'offered'
        END AS standing,
        i.deleted_at,
        i.unlisted_since,
        i.last_changed_at,
        w.since AS withdrawn_since,
        coalesce(own.obsolete_at, families.obsolete_at) AS obsolete_at,
        coalesce(own.deprecated_at, families.deprecated_at) AS deprecated_at,
        coalesce(own.use_instead_id, families.use_instead_id) AS told_instead,
        i.properties ->> 'provided_until' AS provided_until
    FROM images AS i
    JOIN sources AS s ON s.source_id = i.source_id
    JOIN image_state AS f ON f.source_id = i.source_id AND f.image_id = i.image_id
    LEFT JOIN withdrawn AS w ON w.source_id = i.source_id AND w.image_id = i.image_id
    LEFT JOIN announcements_in_force AS own
        ON own.source_id = i.source_id AND own.scope = 'image' AND own.subject = i.image_id
    LEFT JOIN announcements_in_force AS families
        ON families.source_id = i.source_id AND families.scope = 'family' AND families.subject = f.family
            AND own.subject IS NULL
    WHERE (i.status IS NULL OR i.status NOT IN ('queued', 'saving', 'uploading', 'importing', 'killed'))
        AND (s.retired_at IS NULL OR current_setting('catalog.retired', true) = 'shown')
), placed AS (
    -- Of two of one second a protected image tagged golden is the newer one. Lines are sorted by their hash before their
    -- source: comparing numbers costs a fraction of comparing texts. The source's name and the family, which go with the
    -- line, stand there so that a question for one source, or for one family of it, reads no other.
    SELECT
        m.*,
        row_number() OVER newest AS place,
        CASE WHEN m.line IS NOT NULL AND first_value(m.standing) OVER newest = 'offered' THEN
            first_value(m.image_id) OVER newest
        END AS newest_id,
        first_value(m.name) OVER newest AS newest_name,
        CASE WHEN m.line IS NOT NULL THEN
            lead(m.born_at) OVER (PARTITION BY m.line, m.source_id, m.source, m.family ORDER BY m.born_at, m.image_id)
        END AS next_born_at
    FROM members AS m
    WINDOW newest AS (
        PARTITION BY m.line, m.source_id, m.source, m.family
        ORDER BY m.standing = 'offered' DESC, date_trunc('second', m.born_at) DESC, m.preferred DESC, m.image_id DESC
    )
), judged AS (
    SELECT
        p.*,
        CASE
            WHEN p.standing <> 'offered' THEN p.standing
            WHEN p.line IS NOT NULL AND p.place > 1 THEN 'superseded'
            ELSE 'current'
        END AS state
    FROM placed AS p
)
SELECT
    j.source,
    j.image_id,
    j.name,
    j.family,
    j.state,
    CASE j.state
        WHEN 'gone' THEN j.deleted_at
        WHEN 'withdrawn' THEN j.withdrawn_since
        WHEN 'unlisted' THEN j.unlisted_since
        WHEN 'obsolete' THEN j.obsolete_at
        WHEN 'deprecated' THEN j.deprecated_at
        WHEN 'superseded' THEN coalesce(j.next_born_at, j.last_changed_at)
        WHEN 'current' THEN j.born_at
        WHEN 'deactivated' THEN (
            SELECT max(h.valid_from)
            FROM status_history AS h
            WHERE h.source_id = j.source_id AND h.image_id = j.image_id
        )
        ELSE (  -- hidden, off_shelf: since the last revision that was not
            SELECT coalesce(
                max(r.valid_to) FILTER (
                    WHERE CASE j.state WHEN 'hidden' THEN r.hidden ELSE r.is_off_shelved END IS NOT TRUE
                ),
                min(r.valid_from)
            )
            FROM revisions AS r
            WHERE r.source_id = j.source_id AND r.image_id = j.image_id
        )
    END AS state_since,
    CASE
        WHEN j.state = 'current' THEN NULL
        WHEN j.told_instead IS NOT NULL THEN j.told_instead
        ELSE j.newest_id
    END AS use_instead_id,
    CASE
        WHEN j.state = 'current' THEN NULL
        WHEN j.told_instead IS NOT NULL THEN (
            SELECT i.name FROM images AS i WHERE i.source_id = j.source_id AND i.image_id = j.told_instead
        )
        WHEN j.newest_id IS NOT NULL THEN j.newest_name
    END AS use_instead_name,
    promised_day(j.provided_until) AS promised_until,
    j.born_at,
    j.source_id,
    j.next_born_at,
    j.line
FROM judged AS j;

COMMENT ON VIEW image_lifecycle IS 'Where each image that was ever usable stands, and which to use instead. Compared within source, owner, family, architecture and purpose; snapshots and backups are never superseded. Retired sources are left out, as in image_overview.';
COMMENT ON COLUMN image_lifecycle.source IS 'Name of the source.';
COMMENT ON COLUMN image_lifecycle.image_id IS 'Id of the image in its cloud. Upstream: id.';
COMMENT ON COLUMN image_lifecycle.name IS 'Name as last known. Upstream: name.';
COMMENT ON COLUMN image_lifecycle.family IS 'Name without dates and marks such as latest or old, by image_family_rules; NULL = no name.';
COMMENT ON COLUMN image_lifecycle.state IS 'gone (deleted); deactivated (not active, so not usable); off_shelf; withdrawn (was public, is not any more); hidden; unlisted; obsolete, deprecated (announced); superseded (offered, but a newer one of the family is too, or os_purpose says oldgeneric); current. The first that applies.';
COMMENT ON COLUMN image_lifecycle.state_since IS 'Since when: of superseded, when the next image of the family was created; of current, its own creation. Unit: UTC.';
COMMENT ON COLUMN image_lifecycle.use_instead_id IS 'Image that was announced, else the newest of the family that is offered and not deprecated; NULL = none, or this is the current one.';
COMMENT ON COLUMN image_lifecycle.use_instead_name IS 'Name of that image.';
COMMENT ON COLUMN image_lifecycle.promised_until IS 'Day until which the provider promises the image; NULL = no date given. Unit: days, a date. Upstream: provided_until (SCS standard).';
COMMENT ON COLUMN image_lifecycle.born_at IS 'created_at, else first_seen_at. Unit: UTC.';
COMMENT ON COLUMN image_lifecycle.source_id IS 'Key of the source, for joins with the tables.';
COMMENT ON COLUMN image_lifecycle.next_born_at IS 'When the next image of the family was created, whatever became of it; NULL = none. Unit: UTC.';
COMMENT ON COLUMN image_lifecycle.line IS 'Images that are compared share it, within a source; NULL = compared with none.';


-- Per source the newest that could be chosen for a new server, of each system, architecture and purpose.
CREATE VIEW equivalent_images AS
WITH newest AS (
    SELECT
        f.source_id, f.distro, f.release, f.arch, f.purpose,
        max(ARRAY[
            to_char(coalesce(i.created_at, i.first_seen_at) AT TIME ZONE 'UTC', 'YYYYMMDDHH24MISSUS'), i.image_id
        ] COLLATE "C") AS image
    FROM image_state AS f
    JOIN images AS i ON i.source_id = f.source_id AND i.image_id = f.image_id
    JOIN sources AS s ON s.source_id = f.source_id
        AND (s.retired_at IS NULL OR current_setting('catalog.retired', true) = 'shown')
    LEFT JOIN announcements_in_force AS own
        ON own.source_id = f.source_id AND own.scope = 'image' AND own.subject = f.image_id
    LEFT JOIN announcements_in_force AS families
        ON families.source_id = f.source_id AND families.scope = 'family' AND families.subject = f.family
            AND own.subject IS NULL
    WHERE f.live AND f.distro IS NOT NULL AND f.release IS NOT NULL
        AND i.deleted_at IS NULL AND i.status = 'active' AND i.hidden IS NOT TRUE AND i.unlisted_since IS NULL
        AND i.is_off_shelved IS NOT TRUE AND coalesce(i.image_kind NOT IN ('snapshot', 'backup'), true)
        AND (least(own.deprecated_at, own.obsolete_at, families.deprecated_at, families.obsolete_at) <= now())
            IS NOT TRUE
    GROUP BY f.source_id, f.distro, f.release, f.arch, f.purpose
)
SELECT
    n.distro,
    n.release,
    n.arch,
    n.purpose,
    s.name AS source,
    i.image_id,
    i.name,
    i.created_at,
    floor(extract(epoch FROM
        max(coalesce(i.created_at, i.first_seen_at)) OVER (PARTITION BY n.distro, n.release, n.arch, n.purpose)
        - coalesce(i.created_at, i.first_seen_at)) / 86400)::integer AS behind_days,
    i.visibility,
    n.source_id
FROM newest AS n
JOIN sources AS s ON s.source_id = n.source_id
JOIN images AS i ON i.source_id = n.source_id AND i.image_id = n.image[2];

COMMENT ON VIEW equivalent_images IS 'The same system in every source: of each the newest image that is offered, and how far it is behind the newest anywhere. Retired sources are left out, as in image_overview.';
COMMENT ON COLUMN equivalent_images.distro IS 'Operating system, as in image_os.';
COMMENT ON COLUMN equivalent_images.release IS 'Its release.';
COMMENT ON COLUMN equivalent_images.arch IS 'Processor architecture; NULL = not told.';
COMMENT ON COLUMN equivalent_images.purpose IS 'generic, minimal, gpu, k8s, ...';
COMMENT ON COLUMN equivalent_images.source IS 'Name of the source.';
COMMENT ON COLUMN equivalent_images.image_id IS 'Newest image there that is offered and not deprecated; snapshots and backups are left out. Upstream: id.';
COMMENT ON COLUMN equivalent_images.name IS 'Its name. Upstream: name.';
COMMENT ON COLUMN equivalent_images.created_at IS 'When the cloud says it was created. Unit: UTC. Upstream: created_at.';
COMMENT ON COLUMN equivalent_images.behind_days IS 'Whole days between its creation and that of the newest anywhere; 0 = none is newer. Unit: days.';
COMMENT ON COLUMN equivalent_images.visibility IS 'public, private, shared, community, ... Upstream: visibility.';
COMMENT ON COLUMN equivalent_images.source_id IS 'Key of the source, for joins with the tables.';
