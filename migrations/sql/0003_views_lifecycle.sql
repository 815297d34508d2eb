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


-- Images of one source that take one another's place share a line: a hash, told by numbers sooner than by texts.
CREATE FUNCTION image_line(family text, arch text, purpose text, owner_hash bigint) RETURNS bigint
LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
    SELECT hashtextextended(family, hashtextextended(coalesce(arch, ''),
        hashtextextended(CASE WHEN purpose = 'oldgeneric' THEN 'generic' ELSE coalesce(purpose, '') END, owner_hash)));
END;

COMMENT ON FUNCTION image_line(text, text, text, bigint) IS
    'Line of an image, by columns of image_state: those of one source with equal ones take one another''s place; NULL = none.';


-- When images last began to be what they may be now: the last revision that was not tells it, else the first.
CREATE VIEW image_turns AS
SELECT
    i.source_id,
    i.image_id,
    (
        SELECT max(h.valid_from) FROM status_history AS h WHERE h.source_id = i.source_id AND h.image_id = i.image_id
    ) AS deactivated_since,
    (
        SELECT coalesce(max(r.valid_to) FILTER (WHERE r.hidden IS NOT TRUE), min(r.valid_from))
        FROM revisions AS r
        WHERE r.source_id = i.source_id AND r.image_id = i.image_id
    ) AS hidden_since,
    (
        SELECT coalesce(max(r.valid_to) FILTER (WHERE r.is_off_shelved IS NOT TRUE), min(r.valid_from))
        FROM revisions AS r
        WHERE r.source_id = i.source_id AND r.image_id = i.image_id
    ) AS off_shelf_since
FROM images AS i;

COMMENT ON VIEW image_turns IS 'Since when an image has its status, is hidden, is off the shelf, if it is; behind image_lifecycle.';
COMMENT ON COLUMN image_turns.source_id IS 'Key of the source, for joins with the tables.';
COMMENT ON COLUMN image_turns.image_id IS 'Id of the image in its cloud. Upstream: id.';
COMMENT ON COLUMN image_turns.deactivated_since IS 'Since when it has its status. Unit: UTC.';
COMMENT ON COLUMN image_turns.hidden_since IS 'Since when it is hidden, if it is. Unit: UTC.';
COMMENT ON COLUMN image_turns.off_shelf_since IS 'Since when it is off the shelf, if it is. Unit: UTC.';


-- Where each image stands by itself, before it is compared with others. Few columns decide: those of image_state, which
-- is narrow, and the rows of those few images that are not just active and listed (the condition of ix_images_apart, word
-- for word). Images that never became usable (still queued or saving, or failed) have no row.
CREATE VIEW image_standings AS
WITH said AS (
    SELECT  -- withdrawn: since the last change from public to something else
        r.source_id, r.image_id, r.valid_from AS withdrawn_since, NULL::timestamptz AS obsolete_at,
        NULL::timestamptz AS deprecated_at, NULL::text COLLATE "C" AS use_instead_id
    FROM revisions AS r
    JOIN images AS i ON i.source_id = r.source_id AND i.image_id = r.image_id
    WHERE r.changed -> 'visibility' ->> 0 = 'public' AND i.visibility <> 'public'
    UNION ALL
    SELECT own.source_id, own.subject, NULL, own.obsolete_at, own.deprecated_at, own.use_instead_id
    FROM announcements_in_force AS own
    WHERE own.scope = 'image'
    UNION ALL
    SELECT f.source_id, f.image_id, NULL, families.obsolete_at, families.deprecated_at, families.use_instead_id
    FROM announcements_in_force AS families
    JOIN image_state AS f ON f.source_id = families.source_id AND f.family = families.subject
    LEFT JOIN announcements_in_force AS own
        ON own.source_id = f.source_id AND own.scope = 'image' AND own.subject = f.image_id
    WHERE families.scope = 'family' AND own.subject IS NULL
), known AS (  -- one announcement of an image at most, and that of its family if it has none of its own
    SELECT
        k.source_id, k.image_id, max(k.withdrawn_since) AS withdrawn_since, max(k.obsolete_at) AS obsolete_at,
        max(k.deprecated_at) AS deprecated_at, max(k.use_instead_id) AS use_instead_id
    FROM said AS k
    GROUP BY k.source_id, k.image_id
), judged AS (
    SELECT
        s.name AS source, f.source_id, f.image_id, f.distro, f.release, f.arch, f.purpose, f.family,
        image_line(f.family, f.arch, f.purpose, f.owner_hash) AS line,
        f.owner_hash IS NULL AS is_snapshot,
        coalesce(f.created_at, a.first_seen_at) AS born_at,
        coalesce(a.protected AND 'golden' = ANY (a.tags), false) AS preferred,
        f.live AND (
            a.image_id IS NULL
            OR a.status IS NOT DISTINCT FROM 'active' AND a.hidden IS NOT TRUE AND a.is_off_shelved IS NOT TRUE
                AND a.unlisted_since IS NULL
        ) AND (least(k.deprecated_at, k.obsolete_at) <= now()) IS NOT TRUE AS choosable,
        CASE
            WHEN NOT f.live THEN 'gone'
            WHEN a.image_id IS NOT NULL AND a.status IS DISTINCT FROM 'active' THEN 'deactivated'
            WHEN a.is_off_shelved THEN 'off_shelf'
            WHEN k.withdrawn_since IS NOT NULL THEN 'withdrawn'
            WHEN a.hidden THEN 'hidden'
            WHEN a.unlisted_since IS NOT NULL THEN 'unlisted'
            WHEN k.obsolete_at <= now() THEN 'obsolete'
            WHEN k.deprecated_at <= now() THEN 'deprecated'
            WHEN f.purpose = 'oldgeneric' THEN 'superseded'  -- the cloud says so
            ELSE 'offered'
        END AS standing,
        a.unlisted_since,
        k.withdrawn_since,
        k.obsolete_at,
        k.deprecated_at,
        k.use_instead_id AS told_instead
    FROM image_state AS f
    JOIN sources AS s ON s.source_id = f.source_id
    LEFT JOIN images AS a ON a.source_id = f.source_id AND a.image_id = f.image_id
        AND (a.created_at IS NULL OR a.status IS DISTINCT FROM 'active' OR a.hidden OR a.is_off_shelved
            OR a.unlisted_since IS NOT NULL OR a.protected AND 'golden' = ANY (a.tags))
    LEFT JOIN known AS k ON k.source_id = f.source_id AND k.image_id = f.image_id
    WHERE (a.status IS NULL OR a.status NOT IN ('queued', 'saving', 'uploading', 'importing', 'killed'))
        AND (s.retired_at IS NULL OR current_setting('catalog.retired', true) = 'shown')
)
SELECT
    j.source,
    j.source_id,
    j.image_id,
    j.distro,
    j.release,
    j.arch,
    j.purpose,
    j.family,
    j.line,
    j.is_snapshot,
    j.born_at,
    j.preferred,
    j.choosable,
    j.standing = 'offered' AS offered,
    j.standing,
    CASE j.standing
        WHEN 'withdrawn' THEN j.withdrawn_since
        WHEN 'unlisted' THEN j.unlisted_since
        WHEN 'obsolete' THEN j.obsolete_at
        WHEN 'deprecated' THEN j.deprecated_at
    END AS since,
    j.told_instead
FROM judged AS j;

COMMENT ON VIEW image_standings IS 'Where each image stands by itself; image_lifecycle compares them. Retired sources are left out, as in image_overview.';
COMMENT ON COLUMN image_standings.source IS 'Name of the source.';
COMMENT ON COLUMN image_standings.source_id IS 'Key of the source, for joins with the tables.';
COMMENT ON COLUMN image_standings.image_id IS 'Id of the image in its cloud. Upstream: id.';
COMMENT ON COLUMN image_standings.distro IS 'As in image_os.distro.';
COMMENT ON COLUMN image_standings.release IS 'As in image_os.release.';
COMMENT ON COLUMN image_standings.arch IS 'As in image_os.arch.';
COMMENT ON COLUMN image_standings.purpose IS 'As in image_os.purpose.';
COMMENT ON COLUMN image_standings.family IS 'As in image_os.family.';
COMMENT ON COLUMN image_standings.line IS 'As in image_lifecycle.line.';
COMMENT ON COLUMN image_standings.is_snapshot IS 'True: a snapshot or a backup.';
COMMENT ON COLUMN image_standings.born_at IS 'created_at, where the cloud gives none first_seen_at. Unit: UTC.';
COMMENT ON COLUMN image_standings.preferred IS 'True: protected and tagged golden.';
COMMENT ON COLUMN image_standings.choosable IS 'True: can be chosen for a new server, and is not announced to go.';
COMMENT ON COLUMN image_standings.offered IS 'True: standing is offered.';
COMMENT ON COLUMN image_standings.standing IS 'As image_lifecycle.state, but for current and what is superseded by a newer image: offered.';
COMMENT ON COLUMN image_standings.since IS 'Since when it is withdrawn, unlisted, obsolete, deprecated; NULL = it stands otherwise. Unit: UTC.';
COMMENT ON COLUMN image_standings.told_instead IS 'Image to use instead, as announced.';


-- A line: images of one source, owner, family, architecture and purpose, one after the other (image_line). The
-- newest that is offered is the current one; older ones that are offered too are superseded. Snapshots and backups stand
-- for a moment of a server, not for a product: none of them supersedes another.
CREATE VIEW image_lifecycle AS
WITH placed AS (
    -- Of two of one second a protected image tagged golden is the newer one. Lines are sorted by their hash before their
    -- source: comparing numbers costs a fraction of comparing texts. The source's name and the family, which go with the
    -- line, stand there so that a question for one source, or for one family of it, reads no other.
    SELECT
        m.*,
        row_number() OVER newest AS place,
        CASE WHEN m.line IS NOT NULL AND first_value(m.offered) OVER newest THEN
            first_value(m.image_id) OVER newest
        END AS newest_id,
        CASE WHEN m.line IS NOT NULL THEN
            lead(m.born_at) OVER (PARTITION BY m.line, m.source_id, m.source, m.family ORDER BY m.born_at, m.image_id)
        END AS next_born_at
    FROM image_standings AS m
    WINDOW newest AS (
        PARTITION BY m.line, m.source_id, m.source, m.family
        ORDER BY m.offered DESC, date_bin('1 second', m.born_at, 'epoch') DESC, m.preferred DESC, m.image_id DESC
    )
), judged AS (
    SELECT
        p.*,
        CASE
            WHEN NOT p.offered THEN p.standing
            WHEN p.line IS NOT NULL AND p.place > 1 THEN 'superseded'
            ELSE 'current'
        END AS state,
        CASE WHEN NOT p.offered OR p.line IS NOT NULL AND p.place > 1 THEN
            coalesce(p.told_instead, p.newest_id)
        END AS use_instead_id
    FROM placed AS p
)
SELECT
    j.source,
    j.image_id,
    i.name,
    j.family,
    j.state,
    CASE j.state
        WHEN 'gone' THEN i.deleted_at
        WHEN 'superseded' THEN coalesce(j.next_born_at, i.last_changed_at)
        WHEN 'current' THEN j.born_at
        ELSE coalesce(j.since, (
            SELECT CASE j.state
                WHEN 'deactivated' THEN t.deactivated_since
                WHEN 'hidden' THEN t.hidden_since
                WHEN 'off_shelf' THEN t.off_shelf_since
            END
            FROM image_turns AS t
            WHERE t.source_id = j.source_id AND t.image_id = j.image_id
        ))
    END AS state_since,
    j.use_instead_id,
    instead.name AS use_instead_name,
    promised_day(i.properties ->> 'provided_until') AS promised_until,
    j.born_at,
    j.source_id,
    j.next_born_at,
    j.line
FROM judged AS j
LEFT JOIN images AS i ON i.source_id = j.source_id AND i.image_id = j.image_id
LEFT JOIN images AS instead ON instead.source_id = j.source_id AND instead.image_id = j.use_instead_id;

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


-- Per source the newest that could be chosen for a new server, of each system, architecture and purpose; found by hashes:
-- sorting all images by their systems takes longer.
CREATE VIEW equivalent_images AS
WITH offered AS (
    SELECT m.source, m.source_id, m.image_id, m.distro, m.release, coalesce(m.arch, '') AS arch, m.purpose, m.born_at
    FROM image_standings AS m
    WHERE m.choosable AND NOT m.is_snapshot AND m.distro IS NOT NULL AND m.release IS NOT NULL
), newest AS (
    SELECT o.source_id, o.distro, o.release, o.arch, o.purpose, max(o.born_at) AS born_at
    FROM offered AS o
    GROUP BY o.source_id, o.distro, o.release, o.arch, o.purpose
), chosen AS (  -- of several of one moment the greatest id
    SELECT n.source_id, n.distro, n.release, nullif(n.arch, '') AS arch, n.purpose, n.born_at,
        max(o.source) AS source, max(o.image_id) AS image_id
    FROM newest AS n
    JOIN offered AS o ON o.source_id = n.source_id AND o.distro = n.distro AND o.release = n.release
        AND o.arch = n.arch AND o.purpose = n.purpose AND o.born_at = n.born_at
    GROUP BY n.source_id, n.distro, n.release, n.arch, n.purpose, n.born_at
)
SELECT
    c.distro,
    c.release,
    c.arch,
    c.purpose,
    c.source,
    c.image_id,
    i.name,
    i.created_at,
    floor(extract(epoch FROM
        max(c.born_at) OVER (PARTITION BY c.distro, c.release, c.arch, c.purpose) - c.born_at) / 86400)::integer
        AS behind_days,
    i.visibility,
    c.source_id
FROM chosen AS c
JOIN images AS i ON i.source_id = c.source_id AND i.image_id = c.image_id;

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
