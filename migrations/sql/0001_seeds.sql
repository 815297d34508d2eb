-- What the catalog knows from the start: documented capabilities, and how names of image families are told.

-- The same as catalog.fields.CAPABILITIES; others join when they are first seen. Rows that a restored
-- dump or an earlier release brought stay as they are.
INSERT INTO capabilities (capability, upstream_key, value_kind, inverted, family, description) VALUES
    ('kvm', '__support_kvm', 'flag', false, 'hypervisor',
     'Runs on KVM.'),
    ('xen', '__support_xen', 'flag', false, 'hypervisor',
     'Runs on Xen.'),
    ('xen_hana', '__support_xen_hana', 'flag', false, 'hana',
     'Runs HANA servers on Xen.'),
    ('largememory', '__support_largememory', 'flag', false, 'size',
     'Runs on large-memory servers.'),
    ('diskintensive', '__support_diskintensive', 'flag', false, 'size',
     'Runs on disk-intensive servers.'),
    ('highperformance', '__support_highperformance', 'flag', false, 'size',
     'Runs on high-performance servers.'),
    ('kvm_infiniband', '__support_kvm_infiniband', 'flag', false, 'network',
     'Has the driver of InfiniBand cards on KVM.'),
    ('arm', '__support_arm', 'flag', false, 'cpu',
     'Made for ARM processors.'),
    ('amd', '__support_amd', 'flag', false, 'cpu',
     'Runs on AMD processors.'),
    ('xen_gpu_type', '__support_xen_gpu_type', 'models', false, 'gpu',
     'GPU models supported on Xen.'),
    ('kvm_gpu_type', '__support_kvm_gpu_type', 'models', false, 'gpu',
     'GPU models supported on KVM.'),
    ('kvm_fpga_type', '__support_kvm_fpga_type', 'models', false, 'fpga',
     'FPGA models supported on KVM.'),
    ('agent_list', '__support_agent_list', 'models', false, 'agent',
     'Agents that the image carries, e.g. hss, ces.'),
    ('fc_inject', '__support_fc_inject', 'flag', true, 'cloud_init',
     'Password and key injection by Cloud-Init; upstream true means NOT supported.'),
    ('kvm_hi1822_hisriov', '__support_kvm_hi1822_hisriov', 'flag', false, 'network',
     'SR-IOV of the Hi1822 network card on KVM.'),
    ('kvm_hi1822_hivirtionet', '__support_kvm_hi1822_hivirtionet', 'flag', false, 'network',
     'Virtio-net of the Hi1822 network card on KVM.'),
    ('kvm_hi1822_hiovs', '__support_kvm_hi1822_hiovs', 'flag', false, 'network',
     'Open vSwitch offload of the Hi1822 network card on KVM.'),
    ('kvm_nvme_spdk', '__support_kvm_nvme_spdk', 'flag', false, 'other',
     'NVMe by SPDK on KVM.'),
    ('nvme_highio', '__support_nvme_highio', 'flag', false, 'size',
     'High-I/O servers with NVMe disks.'),
    ('gpu_t4', '__support_gpu_t4', 'flag', false, 'gpu',
     'GPU model T4.'),
    ('kvm_ascend_310', '__support_kvm_ascend_310', 'flag', false, 'gpu',
     'Ascend 310 accelerators on KVM.'),
    ('live_resize', '__support_live_resize', 'flag', false, 'other',
     'Resized without a stop.'),
    ('o3s', '__support_o3s', 'flag', false, 'other',
     'Undocumented; seen in real bodies.')
ON CONFLICT DO NOTHING;

-- Sweeps carry the rules out, in Python; image_family() does in SQL. What either can't read is refused when it is written.
ALTER TABLE image_family_rules ADD CONSTRAINT ck_image_family_rules_pattern
    CHECK (regexp_replace('', pattern, family) IS NOT NULL AND pattern !~ '\\[mMyYAZ]');

-- Three habits, letters of any case; patterns are in the expanded syntax ("x"), so blanks in them mean nothing. Each
-- covers the whole name, and its replacement keeps what is neither date nor mark. A date is a full one
-- (20240129, 2024-01-29, 2018.10.23), year and month in one (202401), or ten digits of Unix time as build tools
-- append them; time of day and build number may follow. A version (22.04) or a year (Windows Server 2019) is none.
INSERT INTO image_family_rules (rank, pattern, family, builtin) VALUES
    -- Standard_Ubuntu_22.04_20240129_0, Ubuntu 22.04 (20230901), Debian 12 (old20240101); what follows is kept, so
    -- that Rocky-9-GenericCloud-20231113.0.x86_64 is of the family Rocky-9-GenericCloud.x86_64
    (1000, '(?xi)^
        (?: [\[(]? (?:old|prev|previous|deprecated|archived|obsolete|eol) [\])]? [ _.-]+ )?  # a mark in front
        (.+?)
        (?: [ _.-]+ [\[(]? | [ _.-]* [\[(] )
        (?: (?:old|prev|previous|deprecated|archived|obsolete|eol) [ _.-]* )?
        (?: (?:19|20)[0-9]{2} [_.-]? (?:0[1-9]|1[0-2]) [_.-]? (?:0[1-9]|[12][0-9]|3[01])
            (?: [0-9]{4} | [0-9]{6} )? (?: [T _.:-] [0-9]{1,6} Z? ){0,3}
          | 20[0-9]{2} (?:0[1-9]|1[0-2])
          | 1[4-9][0-9]{8} )
        [\])]?
        (?: [ _.-]+ [\[(]? (?:old|prev|previous|deprecated|archived|obsolete|eol|latest|current) [\])]? )*  # marks
        ( | [ _.-].* )$', '\1\2', true),
    -- Standard_Ubuntu_22.04_latest, win2012-r2-CURRENT, Debian 11 (deprecated)
    (1010, '(?xi)^
        (?: [\[(]? (?:old|prev|previous|deprecated|archived|obsolete|eol) [\])]? [ _.-]+ )?
        (.+?)
        (?: [ _.-]+ [\[(]? (?:old|prev|previous|deprecated|archived|obsolete|eol|latest|current) [\])]? )+$',
        '\1', true),
    -- old_Ubuntu 20.04, [deprecated] Debian 10
    (1020, '(?xi)^ [\[(]? (?:old|prev|previous|deprecated|archived|obsolete|eol) [\])]? [ _.-]+ (.+) $', '\1', true);
