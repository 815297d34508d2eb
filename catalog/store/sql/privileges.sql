-- Rights, as PostgreSQL's catalogs tell them.

-- name: usage
-- Whether this role may look into the schema.
SELECT has_schema_privilege(%(home)s, 'USAGE');

-- name: granted
-- Of each table or view and right whether this role has it; NULL: it is missing.
SELECT needed.name, needed.right_name, has_table_privilege(c.oid, needed.right_name)
FROM unnest(%(names)s::text[], %(rights)s::text[]) WITH ORDINALITY AS needed (name, right_name, place)
LEFT JOIN pg_class c ON c.relname = needed.name
    AND c.relnamespace = (SELECT oid FROM pg_namespace WHERE nspname = %(home)s)
ORDER BY needed.place;

-- name: home
-- The first schema on the search path that holds our tables, whether or not we may use it. Each part of the path is
-- quoted, its own quotes doubled, or plain and then of small letters.
SELECT n.nspname
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
JOIN regexp_matches(
    replace(current_setting('search_path'), '"$user"', quote_ident(current_user)), '"((?:[^"]|"")*)"|([^", ]+)', 'g'
) WITH ORDINALITY AS path (part, place)
    ON n.nspname = coalesce(replace(path.part[1], '""', '"'), lower(path.part[2]))
WHERE c.relname = %(table)s ORDER BY path.place LIMIT 1;

-- name: views
-- Those of some views that are there.
SELECT relname FROM pg_class
WHERE relnamespace = (SELECT oid FROM pg_namespace WHERE nspname = %(home)s) AND relkind IN ('v', 'm')
    AND relname = ANY (%(names)s)
ORDER BY relname;

-- name: read_by_functions
-- The tables that some functions read, with the rights of whoever calls them.
SELECT DISTINCT c.relname
FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace
JOIN pg_depend d ON d.classid = 'pg_proc'::regclass AND d.objid = p.oid AND d.refclassid = 'pg_class'::regclass
JOIN pg_class c ON c.oid = d.refobjid AND c.relkind = 'r'
WHERE n.nspname = %(home)s AND p.proname = ANY (%(names)s)
ORDER BY c.relname;

-- name: only_read
-- Those of some tables that a role was granted to read, and nothing else.
SELECT c.relname
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
CROSS JOIN aclexplode(c.relacl) AS given
JOIN pg_roles r ON r.oid = given.grantee
WHERE n.nspname = %(home)s AND c.relname = ANY (%(names)s) AND r.rolname = %(role)s
GROUP BY c.relname HAVING bool_and(given.privilege_type = 'SELECT')
ORDER BY c.relname;

-- name: functions
-- Those of some functions that are there, and whether this role may call them.
SELECT p.proname, has_function_privilege(p.oid, 'EXECUTE'), pg_get_function_identity_arguments(p.oid)
FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace
WHERE n.nspname = %(home)s AND p.proname = ANY (%(names)s)
ORDER BY p.proname;
