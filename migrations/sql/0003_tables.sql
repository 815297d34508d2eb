-- Which system an image carries, and until when that system is supported.

CREATE TABLE image_os_rules (
    rank INTEGER NOT NULL,
    tells TEXT NOT NULL,
    pattern TEXT NOT NULL,
    value TEXT NOT NULL,
    release TEXT,
    builtin BOOLEAN DEFAULT false NOT NULL,
    CONSTRAINT pk_image_os_rules PRIMARY KEY (rank),
    CONSTRAINT ck_image_os_rules_tells CHECK (tells IN ('system', 'arch', 'purpose')),
    -- Sweeps carry the rules out, in Python: what PostgreSQL can't read, or reads in its own way, is refused here.
    CONSTRAINT ck_image_os_rules_pattern
        CHECK (regexp_replace('', pattern, '') IS NOT NULL AND pattern !~ '\\[mMyYAZ1-9]|\(\?[a-z]')
);

COMMENT ON TABLE image_os_rules IS 'How operating system, architecture and purpose are told; your own rules take ranks below 1000.';
COMMENT ON COLUMN image_os_rules.rank IS 'Order; of the rules of a kind the lowest that matches decides.';
COMMENT ON COLUMN image_os_rules.tells IS 'What the rule tells: system, arch or purpose.';
COMMENT ON COLUMN image_os_rules.pattern IS 'Regular expression (Python''s) on a key or a name in lower case, one blank for each run of separators.';
COMMENT ON COLUMN image_os_rules.value IS 'distro, arch or purpose in image_os; may use the pattern''s groups (\1).';
COMMENT ON COLUMN image_os_rules.release IS 'Of a system: its release, with the pattern''s groups (\1), or a list such as noble=24.04 jammy=22.04.';
COMMENT ON COLUMN image_os_rules.builtin IS 'True: came with the product.';

CREATE TABLE os_support (
    distro TEXT COLLATE "C" NOT NULL,
    release TEXT COLLATE "C" NOT NULL,
    phase TEXT COLLATE "C" NOT NULL,
    ends_on DATE,
    source TEXT NOT NULL,
    over BOOLEAN DEFAULT false NOT NULL,
    builtin BOOLEAN DEFAULT false NOT NULL,
    CONSTRAINT pk_os_support PRIMARY KEY (distro, release, phase),
    CONSTRAINT ck_os_support_phase CHECK (phase IN ('active', 'security', 'lts', 'extended'))
);

COMMENT ON TABLE os_support IS 'Until when vendors support their systems, free and paid phases apart.';
COMMENT ON COLUMN os_support.distro IS 'Operating system, as in image_os.distro.';
COMMENT ON COLUMN os_support.release IS 'Its release; 9 stands for 9.4 too.';
COMMENT ON COLUMN os_support.phase IS 'active, security and lts are free; extended is paid. In this order.';
COMMENT ON COLUMN os_support.ends_on IS 'Last day of the phase; NULL = not known. Unit: days, a date.';
COMMENT ON COLUMN os_support.source IS 'Where the date comes from.';
COMMENT ON COLUMN os_support.over IS 'True: the phase is over, though its last day is not known.';
COMMENT ON COLUMN os_support.builtin IS 'True: came with the product.';

CREATE TABLE image_announcements (
    source_id TEXT COLLATE "C" NOT NULL,
    scope TEXT COLLATE "C" NOT NULL,
    subject TEXT COLLATE "C" NOT NULL,
    announced_at TIMESTAMP WITH TIME ZONE NOT NULL,
    announced_by TEXT,
    deprecated_at TIMESTAMP WITH TIME ZONE,
    obsolete_at TIMESTAMP WITH TIME ZONE,
    use_instead_id TEXT COLLATE "C",
    note TEXT,
    withdrawn_at TIMESTAMP WITH TIME ZONE,
    withdrawn_by TEXT,
    CONSTRAINT pk_image_announcements PRIMARY KEY (source_id, scope, subject, announced_at),
    CONSTRAINT ck_image_announcements_scope CHECK (scope IN ('image', 'family'))
);

COMMENT ON TABLE image_announcements IS 'What was announced of images and families by catalog announce; of one subject the latest that was not withdrawn counts.';
COMMENT ON COLUMN image_announcements.source_id IS 'Source, as in sources.source_id.';
COMMENT ON COLUMN image_announcements.scope IS 'What subject names: an image, or a family; an image''s own announcement goes before its family''s.';
COMMENT ON COLUMN image_announcements.subject IS 'Id of the image, or family as in image_os.family.';
COMMENT ON COLUMN image_announcements.announced_at IS 'When it was announced. Unit: UTC.';
COMMENT ON COLUMN image_announcements.announced_by IS 'Who announced it.';
COMMENT ON COLUMN image_announcements.deprecated_at IS 'From when on nobody should choose it any more. Unit: UTC.';
COMMENT ON COLUMN image_announcements.obsolete_at IS 'From when on nobody should use it any more. Unit: UTC.';
COMMENT ON COLUMN image_announcements.use_instead_id IS 'Image of the same source to use instead.';
COMMENT ON COLUMN image_announcements.note IS 'What else there is to say.';
COMMENT ON COLUMN image_announcements.withdrawn_at IS 'When the announcement was withdrawn; NULL = it holds. Unit: UTC.';
COMMENT ON COLUMN image_announcements.withdrawn_by IS 'Who withdrew it.';

-- Few revisions end a time of being public; image_lifecycle looks for them.
CREATE INDEX ix_revisions_withdrawn ON revisions (source_id, image_id)
    WHERE changed -> 'visibility' ->> 0 = 'public';

-- Few images promise anything; image_promises reads those.
CREATE INDEX ix_images_promising ON images (source_id, image_id)
    WHERE properties ?| '{provided_until,replace_frequency,uuid_validity,hotfix_hours}';
CREATE INDEX ix_revisions_promises ON revisions (source_id, image_id)
    WHERE changed ?| '{provided_until,uuid_validity}';
