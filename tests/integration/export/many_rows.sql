-- A source with {images} images, each with {revisions} revisions that carry {document} (of the numbers n and r).
INSERT INTO sources (source_id, name, kind, created_at, observed_since) VALUES ('s', 'many', 'glance', now(), now());
INSERT INTO images (source_id, image_id, name, status, visibility, first_seen_at, last_changed_at, tags, capabilities, properties)
SELECT 's', 'image-' || n, 'Image ' || n, 'active', 'public', now(), now(), ARRAY['a', 'b'], ARRAY['kvm'], '{"p": 1}'
FROM generate_series(1, {images}) AS n;
INSERT INTO image_tags (source_id, image_id, tag) SELECT source_id, image_id, tag FROM images, unnest(tags) AS tag;
INSERT INTO image_capabilities (source_id, image_id, capability, supported)
SELECT source_id, image_id, 'kvm', true FROM images;
INSERT INTO image_properties (source_id, image_id, name, value) SELECT source_id, image_id, 'p', '1' FROM images;
INSERT INTO status_history (source_id, image_id, valid_from, status, observed_at, recorded_at, run_id)
SELECT source_id, image_id, now(), 'active', now(), now(), gen_random_uuid() FROM images;
INSERT INTO revisions (source_id, image_id, observed_at, valid_from, recorded_at, run_id, change, changed, reported, period_from)
SELECT 's', 'image-' || n, timestamptz '2026-01-01 00:00+00' + r * interval '1 day',
    timestamptz '2026-01-01 00:00+00' + r * interval '1 day', now(), gen_random_uuid(), 'updated', '{"name": ["a", "b"]}', false,
    timestamptz '2026-01-01 00:00+00'
FROM generate_series(1, {images}) AS n, generate_series(1, {revisions}) AS r;
INSERT INTO revision_documents (source_id, image_id, observed_at, document)
SELECT 's', 'image-' || n, timestamptz '2026-01-01 00:00+00' + r * interval '1 day', {document}
FROM generate_series(1, {images}) AS n, generate_series(1, {revisions}) AS r;
