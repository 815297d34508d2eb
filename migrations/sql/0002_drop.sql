DROP TABLE webhook_positions, webhooks, events;
ALTER TABLE sources DROP COLUMN last_event;
