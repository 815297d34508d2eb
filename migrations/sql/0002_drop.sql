DROP TABLE webhook_positions;
DROP TABLE webhooks;
DROP TABLE events;
ALTER TABLE sources DROP COLUMN last_event;
