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
