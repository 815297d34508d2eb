-- Webhooks: what each is to be told of, how far that went, and who delivers. Time is the database's.

-- name: know
-- A webhook that is met for the first time.
INSERT INTO webhooks (name, created_at) VALUES (%(name)s, clock_timestamp()) ON CONFLICT DO NOTHING;

-- name: begin_now
-- It is told of what comes from now on.
INSERT INTO webhook_positions (source_id, webhook, number)
SELECT source_id, %(name)s, last_event FROM sources WHERE last_event > 0
ON CONFLICT DO NOTHING;

-- name: waiting
-- Those of some webhooks that have something to do, and that nobody holds.
SELECT w.name FROM webhooks w
WHERE w.name = ANY (%(names)s) AND coalesce(w.next_attempt_at <= clock_timestamp(), true)
    AND (w.holder IS NULL OR w.held_until < clock_timestamp())
    AND EXISTS (
        SELECT FROM sources s LEFT JOIN webhook_positions p ON p.source_id = s.source_id AND p.webhook = w.name
        WHERE s.last_event > coalesce(p.number, 0));

-- name: claim
-- Takes one, if it is still due and free.
UPDATE webhooks SET holder = %(holder)s, held_until = statement_timestamp() + make_interval(secs => %(seconds)s)
WHERE name = %(name)s AND (next_attempt_at <= statement_timestamp()) IS NOT FALSE
    AND (holder IS NULL OR held_until < statement_timestamp())
RETURNING name;

-- name: renew
-- For who holds it still.
UPDATE webhooks SET held_until = statement_timestamp() + make_interval(secs => %(seconds)s)
WHERE name = %(name)s AND holder = %(holder)s
RETURNING name;

-- name: sources
-- Sources with events that it was not told of: key, name, number of the last one that is done with, and of the newest.
SELECT s.source_id, s.name, coalesce(p.number, 0), s.last_event
FROM sources s LEFT JOIN webhook_positions p ON p.source_id = s.source_id AND p.webhook = %(name)s
WHERE s.last_event > coalesce(p.number, 0)
ORDER BY s.source_id;

-- name: move
-- Events of a source up to a number are done with.
INSERT INTO webhook_positions AS p (source_id, webhook, number) VALUES (%(source)s, %(name)s, %(number)s)
ON CONFLICT (source_id, webhook) DO UPDATE SET number = greatest(p.number, excluded.number);

-- name: accepted
-- The receiver took something.
UPDATE webhooks SET attempted_at = statement_timestamp(), delivered_at = statement_timestamp(), answer = %(answer)s,
    failures = 0, next_attempt_at = NULL, held_until = statement_timestamp() + make_interval(secs => %(seconds)s)
WHERE name = %(name)s AND holder = %(holder)s
RETURNING name;

-- name: failures
-- How often it failed in a row.
SELECT failures FROM webhooks WHERE name = %(name)s AND holder = %(holder)s FOR UPDATE;

-- name: failed
-- It failed once more, and is free until its next attempt.
UPDATE webhooks SET attempted_at = statement_timestamp(), answer = %(answer)s, failures = failures + 1, holder = NULL,
    held_until = NULL, next_attempt_at = statement_timestamp() + make_interval(secs => %(wait)s)
WHERE name = %(name)s AND holder = %(holder)s;

-- name: release
-- Free again.
UPDATE webhooks SET holder = NULL, held_until = NULL WHERE name = %(name)s AND holder = %(holder)s;

-- name: retry
-- Its next attempt is due now.
UPDATE webhooks SET next_attempt_at = NULL, failures = 0 WHERE name = %(name)s;

-- name: states
-- All that are known, with the number of events that wait for each: counted where there are some.
SELECT w.name, w.attempted_at, w.delivered_at, w.answer, w.failures, w.next_attempt_at,
    coalesce(waiting.events, 0)
FROM webhooks w
LEFT JOIN (
    SELECT o.name, count(*) AS events
    FROM webhooks o CROSS JOIN sources s
    LEFT JOIN webhook_positions p ON p.source_id = s.source_id AND p.webhook = o.name
    JOIN events e ON e.source_id = s.source_id AND e.number > coalesce(p.number, 0)
    WHERE s.last_event > coalesce(p.number, 0)
    GROUP BY o.name
) AS waiting ON waiting.name = w.name
ORDER BY w.name;
