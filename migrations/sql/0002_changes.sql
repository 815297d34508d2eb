-- What sweeps changed, to be told to others: events, and how far each webhook has been told.

ALTER TABLE sources ADD COLUMN last_event BIGINT DEFAULT 0 NOT NULL;

COMMENT ON COLUMN sources.last_event IS 'Number of the source''s newest event; 0 = none yet.';

CREATE TABLE events (
    source_id TEXT COLLATE "C" NOT NULL,
    number BIGINT NOT NULL,
    run_id UUID NOT NULL,
    type TEXT COLLATE "C" NOT NULL,
    subject TEXT COLLATE "C",
    time TIMESTAMP WITH TIME ZONE NOT NULL,
    data JSONB NOT NULL,
    CONSTRAINT pk_events PRIMARY KEY (source_id, number)
);

COMMENT ON TABLE events IS 'What sweeps changed, written by the merge itself; kept for events_keep.';

COMMENT ON COLUMN events.source_id IS 'Source, as in sources.source_id.';
COMMENT ON COLUMN events.number IS 'Grows by one with each event of the source, and never comes again.';
COMMENT ON COLUMN events.run_id IS 'Sweep that wrote it, as in runs.run_id.';
COMMENT ON COLUMN events.type IS 'What happened, as a type of CloudEvents; docs/events.md lists them.';
COMMENT ON COLUMN events.subject IS 'Id of the image, as in images.image_id; NULL = of the whole source.';
COMMENT ON COLUMN events.time IS 'When the sweep observed it, never before the event before it. Unit: UTC.';
COMMENT ON COLUMN events.data IS 'What happened: for images name, status, tags, change, changed ({key: [old, new]}) and more.';

CREATE TABLE webhooks (
    name TEXT COLLATE "C" NOT NULL,
    created_at TIMESTAMP WITH TIME ZONE NOT NULL,
    holder UUID,
    held_until TIMESTAMP WITH TIME ZONE,
    attempted_at TIMESTAMP WITH TIME ZONE,
    delivered_at TIMESTAMP WITH TIME ZONE,
    answer TEXT,
    failures INTEGER DEFAULT 0 NOT NULL,
    next_attempt_at TIMESTAMP WITH TIME ZONE,
    CONSTRAINT pk_webhooks PRIMARY KEY (name)
);

COMMENT ON TABLE webhooks IS 'State of each webhook of the configuration. Internal.';

COMMENT ON COLUMN webhooks.name IS 'Name of the webhook in the configuration.';
COMMENT ON COLUMN webhooks.created_at IS 'When a daemon met it first; what was written before is not sent. Unit: UTC.';
COMMENT ON COLUMN webhooks.holder IS 'Delivery that holds it; NULL = free.';
COMMENT ON COLUMN webhooks.held_until IS 'End of that by the database''s clock. Unit: UTC.';
COMMENT ON COLUMN webhooks.attempted_at IS 'When something was last sent. Unit: UTC.';
COMMENT ON COLUMN webhooks.delivered_at IS 'When something was last accepted. Unit: UTC.';
COMMENT ON COLUMN webhooks.answer IS 'Last answer or failure, one line.';
COMMENT ON COLUMN webhooks.failures IS 'Failures in a row.';
COMMENT ON COLUMN webhooks.next_attempt_at IS 'Not before this moment, as it failed; NULL = at once. Unit: UTC.';

CREATE TABLE webhook_positions (
    source_id TEXT COLLATE "C" NOT NULL,
    webhook TEXT COLLATE "C" NOT NULL,
    number BIGINT NOT NULL,
    CONSTRAINT pk_webhook_positions PRIMARY KEY (source_id, webhook)
);

COMMENT ON TABLE webhook_positions IS 'How far each webhook has been told of each source''s events; no row = of none. Internal.';

COMMENT ON COLUMN webhook_positions.source_id IS 'Source, as in sources.source_id.';
COMMENT ON COLUMN webhook_positions.webhook IS 'As in webhooks.name.';
COMMENT ON COLUMN webhook_positions.number IS 'Events up to this number are done with: accepted, or not asked for.';
