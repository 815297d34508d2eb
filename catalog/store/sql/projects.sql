-- Names of projects, read once a day beside a sweep. Time is the database's.

-- name: due
-- True too where the last time lies ahead: the clock was set back.
SELECT coalesce(clock_timestamp() - projects_asked_at NOT BETWEEN interval '0' AND interval '1 day', true)
FROM sources WHERE source_id = %(source)s;

-- name: asked
-- Notes when names were asked for.
UPDATE sources SET projects_asked_at = %(at)s WHERE source_id = %(source)s;

-- name: save
-- No name is ever deleted, and a domain's name that another login knew stays.
INSERT INTO projects AS p (source_id, project_id, name, domain_name, seen_at)
SELECT %(source)s, said.project_id, said.name, said.domain_name, %(at)s
FROM unnest(%(ids)s::text[], %(names)s::text[], %(domains)s::text[]) AS said (project_id, name, domain_name)
ON CONFLICT (source_id, project_id) DO UPDATE
SET name = excluded.name, domain_name = coalesce(excluded.domain_name, p.domain_name), seen_at = excluded.seen_at;
