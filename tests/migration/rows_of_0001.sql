-- Rows of every table that dump and restore carry, in the form of schema 0001; some are made up. Frozen.
INSERT INTO capabilities (capability, upstream_key, value_kind, inverted, family, description)
    VALUES ('unheard', '__support_unheard', 'flag', false, 'other', 'First seen in a listing; not documented.');
INSERT INTO held_deletions (source_id, image_id, run_id, observed_at, decision)
    VALUES ('765390d5', 'a', '00000000-0000-0000-0000-000000000001', '2026-01-02 00:00:00+00', 'open');
INSERT INTO id_sets (source_id, set_id, kind, image_ids)
    VALUES ('765390d5', '\x10b8b63938d0cd8b6f9300ea47cc2752', 'rejected', '{c}');
INSERT INTO image_capabilities (source_id, image_id, capability, supported, raw_value)
    VALUES ('765390d5', 'a', 'unheard', true, 'true');
INSERT INTO image_properties (source_id, image_id, name, value)
    VALUES ('765390d5', 'a', 'purpose', '"x"');
INSERT INTO image_properties (source_id, image_id, name, value)
    VALUES ('765390d5', 'b', 'purpose', '"x"');
INSERT INTO image_state (source_id, image_id, raw_hash, content_hash, live)
    VALUES ('765390d5', 'a', '\x61', '\x0bdd241ada0e72a767b92607ef40a17f', true);
INSERT INTO image_state (source_id, image_id, live)
    VALUES ('765390d5', 'b', false);
INSERT INTO image_tags (source_id, image_id, tag)
    VALUES ('765390d5', 'a', 't');
INSERT INTO image_tags (source_id, image_id, tag)
    VALUES ('765390d5', 'b', 't');
INSERT INTO images (source_id, image_id, name, status, updated_at, first_seen_at, last_changed_at, tags,
    capabilities, properties)
    VALUES ('765390d5', 'a', 'image a', 'deactivated', '2026-01-01 12:00:00+00', '2026-01-01 00:00:00+00',
        '2026-01-02 00:00:00+00', '{t}', '{unheard}', '{"purpose": "x"}');
INSERT INTO images (source_id, image_id, name, status, deleted_at, deletion_reason, first_seen_at,
    last_changed_at, tags, capabilities, properties)
    VALUES ('765390d5', 'b', 'image b', 'active', '2026-01-02 00:00:00+00', 'not_listed',
        '2026-01-01 00:00:00+00', '2026-01-02 00:00:00+00', '{t}', '{}', '{"purpose": "x"}');
INSERT INTO absences (source_id, image_id, observed_at, reason)
    VALUES ('765390d5', 'd', '2026-01-02 00:00:00+00', 'not_found');
INSERT INTO lookups (source_id, image_id, asked_at, answer)
    VALUES ('765390d5', 'd', '2026-01-02 00:00:00+00', 'unanswered');
INSERT INTO observations (source_id, observed_at, complete, inconclusive_set, run_ids)
    VALUES ('765390d5', '2026-01-01 00:00:00+00', true, '\x10b8b63938d0cd8b6f9300ea47cc2752',
        '{00000000-0000-0000-0000-000000000000}');
INSERT INTO observations (source_id, observed_at, complete, inconclusive_set, run_ids)
    VALUES ('765390d5', '2026-01-02 00:00:00+00', true, '\x10b8b63938d0cd8b6f9300ea47cc2752',
        '{00000000-0000-0000-0000-000000000001}');
INSERT INTO projects (source_id, project_id, name, domain_name, seen_at)
    VALUES ('765390d5', 'p', 'project', 'domain', '2026-01-02 00:00:00+00');
INSERT INTO rejected_records (source_id, record_hash, image_id, reason, record, first_run_id, last_run_id,
    count)
    VALUES ('765390d5', '\x2afb9b83f9314e5d029766197f539792', 'c', 'made up', '{}',
        '00000000-0000-0000-0000-000000000000', '00000000-0000-0000-0000-000000000001', 2);
INSERT INTO rejections (source_id, record_hash, run_id, observed_at)
    VALUES ('765390d5', '\x2afb9b83f9314e5d029766197f539792', '00000000-0000-0000-0000-000000000000',
        '2026-01-01 00:00:00+00');
INSERT INTO rejections (source_id, record_hash, run_id, observed_at)
    VALUES ('765390d5', '\x2afb9b83f9314e5d029766197f539792', '00000000-0000-0000-0000-000000000001',
        '2026-01-02 00:00:00+00');
INSERT INTO forgotten_runs (source_id, run_id, observed_at, forgotten_at)
    VALUES ('765390d5', '00000000-0000-0000-0000-000000000002', '2026-01-01 12:00:00+00',
        '2026-01-03 00:00:00+00');
INSERT INTO loaded_files (source_id, observed_at, file_hash, run_id)
    VALUES ('765390d5', '2026-01-01 12:00:00+00', '\x2afb9b83f9314e5d029766197f539792',
        '00000000-0000-0000-0000-000000000002');
INSERT INTO kept_images (source_id, image_id, seen_at, kept_at)
    VALUES ('765390d5', 'a', '2026-01-01 00:00:00+00', '2026-01-03 00:00:00+00');
INSERT INTO revision_documents (source_id, image_id, observed_at, document)
    VALUES ('765390d5', 'a', '2026-01-01 00:00:00+00',
        '{"id": "a", "name": "image a", "tags": ["t"], "status": "active", "purpose": "x", "__support_unheard": "true"}');
INSERT INTO revision_documents (source_id, image_id, observed_at, document)
    VALUES ('765390d5', 'a', '2026-01-02 00:00:00+00',
        '{"id": "a", "name": "image a", "tags": ["t"], "status": "deactivated", "purpose": "x", "updated_at": "2026-01-01T12:00:00Z", "__support_unheard": "true"}');
INSERT INTO revision_documents (source_id, image_id, observed_at, document)
    VALUES ('765390d5', 'b', '2026-01-01 00:00:00+00',
        '{"id": "b", "name": "image b", "tags": ["t"], "status": "active", "purpose": "x"}');
INSERT INTO revisions (source_id, image_id, observed_at, valid_from, valid_to, recorded_at, run_id, change,
    content_hash, reported, period_from, name, status, tags, capabilities, properties)
    VALUES ('765390d5', 'a', '2026-01-01 00:00:00+00', '2026-01-01 00:00:00+00', '2026-01-01 12:00:00+00',
        '2026-01-01 00:00:00+00', '00000000-0000-0000-0000-000000000000', 'created',
        '\xb04e9e8094b50944aba45405a8a93cff', false, '2026-01-01 00:00:00+00', 'image a', 'active', '{t}',
        '{unheard}', '{"purpose": "x"}');
INSERT INTO revisions (source_id, image_id, observed_at, valid_from, recorded_at, run_id, change, changed,
    content_hash, reported, cloud_time, period_from, name, status, updated_at, tags, capabilities, properties)
    VALUES ('765390d5', 'a', '2026-01-02 00:00:00+00', '2026-01-01 12:00:00+00', '2026-01-02 00:00:00+00',
        '00000000-0000-0000-0000-000000000001', 'updated',
        '{"status": ["active", "deactivated"], "updated_at": [null, "2026-01-01T12:00:00Z"]}',
        '\x0bdd241ada0e72a767b92607ef40a17f', false, '2026-01-01 12:00:00+00', '2026-01-01 12:00:00+00',
        'image a', 'deactivated', '2026-01-01 12:00:00+00', '{t}', '{unheard}', '{"purpose": "x"}');
INSERT INTO revisions (source_id, image_id, observed_at, valid_from, valid_to, recorded_at, run_id, change,
    content_hash, reported, period_from, name, status, tags, capabilities, properties)
    VALUES ('765390d5', 'b', '2026-01-01 00:00:00+00', '2026-01-01 00:00:00+00', '2026-01-02 00:00:00+00',
        '2026-01-01 00:00:00+00', '00000000-0000-0000-0000-000000000000', 'created',
        '\x492d000684b7e83fd4380b8ee162053f', false, '2026-01-01 00:00:00+00', 'image b', 'active', '{t}', '{}',
        '{"purpose": "x"}');
INSERT INTO revisions (source_id, image_id, observed_at, valid_from, recorded_at, run_id, change, reported,
    absence_reason, period_from, name, status, deleted_at, deletion_reason, tags, capabilities, properties)
    VALUES ('765390d5', 'b', '2026-01-02 00:00:00+00', '2026-01-02 00:00:00+00', '2026-01-02 00:00:00+00',
        '00000000-0000-0000-0000-000000000001', 'deleted', false, 'not_listed', '2026-01-02 00:00:00+00',
        'image b', 'active', '2026-01-02 00:00:00+00', 'not_listed', '{t}', '{}', '{"purpose": "x"}');
INSERT INTO run_passes (source_id, run_id, pass, verdict, pages, records)
    VALUES ('765390d5', '00000000-0000-0000-0000-000000000000', 'listed', 'complete', 1, 2);
INSERT INTO run_passes (source_id, run_id, pass, verdict, pages, records)
    VALUES ('765390d5', '00000000-0000-0000-0000-000000000001', 'listed', 'complete', 1, 2);
INSERT INTO runs (source_id, run_id, kind, started_at, observed_at, finished_at, outcome, pages, requests,
    retries, listed, inserted, updated, unchanged, deleted, restored, rejected, unlisted, held, looked_up)
    VALUES ('765390d5', '00000000-0000-0000-0000-000000000000', 'sync', '2026-01-01 00:00:00+00',
        '2026-01-01 00:00:00+00', '2026-01-01 00:00:00+00', 'complete', 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0);
INSERT INTO runs (source_id, run_id, kind, started_at, observed_at, finished_at, outcome, pages, requests,
    retries, listed, inserted, updated, unchanged, deleted, restored, rejected, unlisted, held, looked_up)
    VALUES ('765390d5', '00000000-0000-0000-0000-000000000001', 'sync', '2026-01-02 00:00:00+00',
        '2026-01-02 00:00:00+00', '2026-01-02 00:00:00+00', 'complete', 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0);
INSERT INTO sources (source_id, name, kind, last_complete_at, observed_since, created_at, expected_seconds,
    failures)
    VALUES ('765390d5', 's', 'glance', '2026-01-02 00:00:00+00', '2026-01-01 00:00:00+00',
        '2026-01-01 00:00:00+00', 900, 0);
INSERT INTO status_history (source_id, image_id, valid_from, status, valid_to, observed_at, recorded_at, run_id)
    VALUES ('765390d5', 'a', '2026-01-01 00:00:00+00', 'active', '2026-01-01 12:00:00+00',
        '2026-01-01 00:00:00+00', '2026-01-01 00:00:00+00', '00000000-0000-0000-0000-000000000000');
INSERT INTO status_history (source_id, image_id, valid_from, status, observed_at, recorded_at, run_id)
    VALUES ('765390d5', 'a', '2026-01-01 12:00:00+00', 'deactivated', '2026-01-02 00:00:00+00',
        '2026-01-02 00:00:00+00', '00000000-0000-0000-0000-000000000001');
INSERT INTO status_history (source_id, image_id, valid_from, status, valid_to, observed_at, recorded_at, run_id)
    VALUES ('765390d5', 'b', '2026-01-01 00:00:00+00', 'active', '2026-01-02 00:00:00+00',
        '2026-01-01 00:00:00+00', '2026-01-01 00:00:00+00', '00000000-0000-0000-0000-000000000000');
INSERT INTO status_history (source_id, image_id, valid_from, status, observed_at, recorded_at, run_id)
    VALUES ('765390d5', 'b', '2026-01-02 00:00:00+00', 'deleted', '2026-01-02 00:00:00+00',
        '2026-01-02 00:00:00+00', '00000000-0000-0000-0000-000000000001');
