-- How images stand to one another: image_lineage (what was made from what), image_lifecycle (what replaces what).

-- Each image's line of ancestors inside its source. A parent id may name the image itself, close a circle, or
-- name an image that this source never saw: the line ends there and says so.
CREATE VIEW image_lineage AS
WITH RECURSIVE line AS (
    SELECT i.source_id, i.image_id, i.image_id AS ancestor_id, 0 AS depth, i.parent_image_id COLLATE "C" AS next_id
    FROM images AS i
    WHERE i.parent_image_id IS NOT NULL
    UNION ALL
    SELECT l.source_id, l.image_id, l.next_id, l.depth + 1, (  -- by key: a join would read all images at each depth
        SELECT parent.parent_image_id COLLATE "C"
        FROM images AS parent
        WHERE parent.source_id = l.source_id AND parent.image_id = l.next_id
    )
    FROM line AS l
    WHERE l.next_id IS NOT NULL AND l.depth < 100
) CYCLE ancestor_id SET is_loop USING path
SELECT
    s.name AS source,
    l.image_id,
    l.ancestor_id,
    l.depth,
    CASE
        WHEN l.is_loop THEN 'loop'
        WHEN a.image_id IS NULL THEN 'missing'
        WHEN a.deleted_at IS NOT NULL THEN 'deleted'
        ELSE 'live'
    END AS ancestor_state,
    a.name AS ancestor_name,
    l.source_id
FROM line AS l
JOIN sources AS s ON s.source_id = l.source_id
LEFT JOIN images AS a ON a.source_id = l.source_id AND a.image_id = l.ancestor_id
WHERE l.depth > 0;

COMMENT ON VIEW image_lineage IS 'Ancestors of images that name a parent, deleted images included: one row per image and ancestor, at most 100 generations.';
COMMENT ON COLUMN image_lineage.source IS 'Name of the source.';
COMMENT ON COLUMN image_lineage.image_id IS 'Image whose ancestors these are. Upstream: id.';
COMMENT ON COLUMN image_lineage.ancestor_id IS 'Image it was made from, directly (depth 1) or by way of others. Upstream: __originalimagename, base_image_ref.';
COMMENT ON COLUMN image_lineage.depth IS 'Generations between the two; 1 = the parent. Unit: generations.';
COMMENT ON COLUMN image_lineage.ancestor_state IS 'live; deleted; missing (this source never saw it: another project''s, or gone before); loop (an id that stood in the line before, the image itself included: the line ends).';
COMMENT ON COLUMN image_lineage.ancestor_name IS 'Name of the ancestor as last known; NULL = missing. Upstream: name.';
COMMENT ON COLUMN image_lineage.source_id IS 'Key of the source, for joins with the tables.';


-- The family of a name: the first rule that matches, by rank; without one, the name itself.
-- Inlined into queries; for many names ask once for each distinct one.
CREATE FUNCTION image_family(image_name text) RETURNS text
LANGUAGE sql STABLE PARALLEL SAFE
BEGIN ATOMIC
    SELECT coalesce(
        (
            SELECT regexp_replace(image_name, rule.pattern, rule.family)
            FROM image_family_rules AS rule
            WHERE image_name ~ rule.pattern
            ORDER BY rule.rank
            LIMIT 1
        ),
        image_name
    );
END;

COMMENT ON FUNCTION image_family(text) IS
    'Family of an image''s name: the replacement of the first rule of image_family_rules that matches, else the name.';


-- Within a source, owner, family and architecture the newest image that is offered is the current one; older
-- ones that are offered too are superseded. Snapshots and backups stand for a moment of a server, not for a
-- product: none of them supersedes another. Images that never became usable (still queued or saving, or
-- failed) have no life cycle and no row.
CREATE VIEW image_lifecycle AS
WITH families AS MATERIALIZED (
    SELECT n.name, image_family(n.name) AS family
    FROM (SELECT DISTINCT i.name FROM images AS i WHERE i.name IS NOT NULL) AS n
), members AS (
    SELECT
        i.source_id,
        i.image_id,
        i.name,
        families.family,
        coalesce(i.owner, '') AS owner,
        coalesce(i.architecture, '') AS architecture,
        coalesce(i.created_at, i.first_seen_at) AS born_at,
        families.family IS NOT NULL AND coalesce(i.image_kind NOT IN ('snapshot', 'backup'), true) AS replaceable,
        CASE
            WHEN i.deleted_at IS NOT NULL THEN 'gone'
            WHEN i.status IS DISTINCT FROM 'active' THEN 'deactivated'
            WHEN i.is_off_shelved THEN 'off_shelf'
            WHEN i.hidden THEN 'hidden'
            WHEN i.unlisted_since IS NOT NULL THEN 'unlisted'
            ELSE 'offered'
        END AS standing,
        i.deleted_at,
        i.unlisted_since,
        i.properties ->> 'provided_until' AS provided_until
    FROM images AS i
    LEFT JOIN families ON families.name = i.name
    WHERE i.status IS NULL OR i.status NOT IN ('queued', 'saving', 'uploading', 'importing', 'killed')
), placed AS (
    SELECT
        m.*,
        lead(m.born_at) OVER line AS next_born_at,
        first_value(CASE WHEN m.standing = 'offered' THEN m.image_id END) OVER newest AS newest_id,
        first_value(CASE WHEN m.standing = 'offered' THEN m.name END) OVER newest AS newest_name
    FROM members AS m
    WINDOW
        line AS (
            PARTITION BY m.source_id, m.owner, m.family, m.architecture, m.replaceable
            ORDER BY m.born_at, m.image_id
        ),
        newest AS (
            PARTITION BY m.source_id, m.owner, m.family, m.architecture, m.replaceable
            ORDER BY m.standing = 'offered' DESC, m.born_at DESC, m.image_id DESC
        )
), judged AS (
    SELECT
        p.*,
        CASE
            WHEN p.standing <> 'offered' THEN p.standing
            WHEN p.replaceable AND p.newest_id <> p.image_id THEN 'superseded'
            ELSE 'current'
        END AS state
    FROM placed AS p
)
SELECT
    s.name AS source,
    j.image_id,
    j.name,
    j.family,
    j.state,
    CASE j.state
        WHEN 'gone' THEN j.deleted_at
        WHEN 'unlisted' THEN j.unlisted_since
        WHEN 'superseded' THEN j.next_born_at
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
    CASE WHEN j.replaceable AND j.state <> 'current' THEN j.newest_id END AS use_instead_id,
    CASE WHEN j.replaceable AND j.state <> 'current' THEN j.newest_name END AS use_instead_name,
    -- A date in text, whatever the cloud's users wrote: 2027-02-30 is taken as the last of February.
    CASE WHEN j.provided_until ~ '^[12][0-9]{3}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])' THEN
        least(
            (left(j.provided_until, 8) || '01')::date + substr(j.provided_until, 9, 2)::integer - 1,
            ((left(j.provided_until, 8) || '01')::date + interval '1 month - 1 day')::date
        )
    END AS promised_until,
    j.born_at,
    j.source_id
FROM judged AS j
JOIN sources AS s ON s.source_id = j.source_id
WHERE (s.retired_at IS NULL OR current_setting('catalog.retired', true) = 'shown');

COMMENT ON VIEW image_lifecycle IS 'Where each image that was ever usable stands, and which to use instead. Compared within source, owner, family and architecture; snapshots and backups are never superseded. Retired sources are left out, as in image_overview.';
COMMENT ON COLUMN image_lifecycle.source IS 'Name of the source.';
COMMENT ON COLUMN image_lifecycle.image_id IS 'Id of the image in its cloud. Upstream: id.';
COMMENT ON COLUMN image_lifecycle.name IS 'Name as last known. Upstream: name.';
COMMENT ON COLUMN image_lifecycle.family IS 'Name without dates and marks such as latest or old, by image_family_rules; NULL = no name.';
COMMENT ON COLUMN image_lifecycle.state IS 'gone (deleted); deactivated (not active, so not usable); off_shelf; hidden; unlisted; superseded (offered, but a newer one of the family is too); current. The first that applies.';
COMMENT ON COLUMN image_lifecycle.state_since IS 'Since when: of superseded, when the next image of the family was created; of current, its own creation. Unit: UTC.';
COMMENT ON COLUMN image_lifecycle.use_instead_id IS 'Newest image of the family that is offered; NULL = none, or this is the current one.';
COMMENT ON COLUMN image_lifecycle.use_instead_name IS 'Name of that image.';
COMMENT ON COLUMN image_lifecycle.promised_until IS 'Day until which the provider promises the image; NULL = no date given. Unit: days, a date. Upstream: provided_until (SCS standard).';
COMMENT ON COLUMN image_lifecycle.born_at IS 'created_at, else first_seen_at. Unit: UTC.';
COMMENT ON COLUMN image_lifecycle.source_id IS 'Key of the source, for joins with the tables.';
