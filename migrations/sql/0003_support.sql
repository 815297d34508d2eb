-- Ends of support: facts that the vendors publish, each with where it was read.
-- active: the vendor adds features or hardware; security: security updates; lts: the same by a community, free;
-- extended: against payment.

INSERT INTO os_support (distro, release, phase, ends_on, source, builtin)
SELECT 'ubuntu', release, phase, ends_on::date, 'endoflife.date/ubuntu of 2026-08-22, after https://wiki.ubuntu.com/Releases', true FROM (VALUES
    ('26.04', 'security', '2031-04-30'), ('26.04', 'extended', '2036-04-30'), ('25.10', 'security', '2026-07-01'),
    ('25.04', 'security', '2026-01-17'), ('24.10', 'security', '2025-07-10'), ('24.04', 'security', '2029-05-31'),
    ('24.04', 'extended', '2036-05-31'), ('23.10', 'security', '2024-07-12'), ('23.04', 'security', '2024-01-20'),
    ('22.10', 'security', '2023-07-20'), ('22.04', 'active', '2024-09-30'), ('22.04', 'security', '2027-04-01'),
    ('22.04', 'extended', '2032-04-09'), ('21.10', 'security', '2022-07-14'), ('21.04', 'security', '2022-01-20'),
    ('20.10', 'security', '2021-07-22'), ('20.04', 'active', '2022-10-01'), ('20.04', 'security', '2025-05-31'),
    ('20.04', 'extended', '2030-04-02'), ('19.10', 'security', '2020-07-06'), ('19.04', 'security', '2020-01-23'),
    ('18.10', 'security', '2019-07-18'), ('18.04', 'security', '2023-05-31'), ('18.04', 'extended', '2028-04-01'),
    ('17.10', 'security', '2018-07-19'), ('17.04', 'security', '2018-01-13'), ('16.10', 'security', '2017-07-20'),
    ('16.04', 'security', '2021-04-02'), ('16.04', 'extended', '2026-04-02'), ('15.10', 'security', '2016-07-28'),
    ('15.04', 'security', '2016-02-04'), ('14.10', 'security', '2015-07-23'), ('14.04', 'security', '2019-04-02'),
    ('14.04', 'extended', '2024-04-02'), ('13.10', 'security', '2014-07-17'), ('13.04', 'security', '2014-01-27'),
    ('12.10', 'security', '2014-05-16'), ('12.04', 'security', '2017-04-28'), ('12.04', 'extended', '2019-04-26')
) AS known (release, phase, ends_on) ON CONFLICT DO NOTHING;

INSERT INTO os_support (distro, release, phase, ends_on, source, builtin)
SELECT 'debian', release, phase, ends_on::date, 'endoflife.date/debian of 2026-08-22, after https://wiki.debian.org/DebianReleases', true FROM (VALUES
    ('13', 'security', '2028-08-09'), ('13', 'lts', '2030-06-30'), ('12', 'security', '2026-07-11'),
    ('12', 'lts', '2028-06-30'), ('11', 'security', '2024-08-14'), ('11', 'lts', '2026-08-31'),
    ('10', 'security', '2022-09-10'), ('10', 'lts', '2024-06-30'), ('9', 'security', '2020-07-18'),
    ('9', 'lts', '2022-07-01'), ('8', 'security', '2018-06-17'), ('8', 'lts', '2020-06-30'),
    ('7', 'security', '2016-04-25'), ('7', 'lts', '2018-05-31')
) AS known (release, phase, ends_on) ON CONFLICT DO NOTHING;

INSERT INTO os_support (distro, release, phase, ends_on, source, builtin)
SELECT 'rhel', release, phase, ends_on::date, 'endoflife.date/rhel of 2026-08-22, after https://access.redhat.com/support/policy/updates/errata', true FROM (VALUES
    ('10', 'active', '2030-05-31'), ('10', 'security', '2035-05-31'), ('10', 'extended', '2039-05-31'),
    ('9', 'active', '2027-05-31'), ('9', 'security', '2032-05-31'), ('9', 'extended', '2036-05-31'),
    ('8', 'active', '2024-05-31'), ('8', 'security', '2029-05-31'), ('8', 'extended', '2033-05-31'),
    ('7', 'active', '2019-08-06'), ('7', 'security', '2024-06-30'), ('7', 'extended', '2029-05-31'),
    ('6', 'active', '2016-05-10'), ('6', 'security', '2020-11-30'), ('6', 'extended', '2024-06-30'),
    ('5', 'active', '2013-01-08'), ('5', 'security', '2017-03-31'), ('5', 'extended', '2020-11-30')
) AS known (release, phase, ends_on) ON CONFLICT DO NOTHING;

INSERT INTO os_support (distro, release, phase, ends_on, source, builtin)
SELECT 'centos', release, phase, ends_on::date, 'endoflife.date/centos of 2026-08-22, after https://wiki.centos.org/About(2f)Product.html', true FROM (VALUES
    ('8', 'security', '2021-12-31'), ('7', 'active', '2020-08-06'), ('7', 'security', '2024-06-30'),
    ('6', 'active', '2017-05-10'), ('6', 'security', '2020-11-30'), ('5', 'active', '2014-01-31'),
    ('5', 'security', '2017-03-31')
) AS known (release, phase, ends_on) ON CONFLICT DO NOTHING;

INSERT INTO os_support (distro, release, phase, ends_on, source, builtin)
SELECT 'centos-stream', release, phase, ends_on::date, 'endoflife.date/centos-stream of 2026-08-22, after https://centos.org/stream9/', true FROM (VALUES
    ('10', 'security', '2030-05-31'), ('9', 'security', '2027-05-31'), ('8', 'security', '2024-05-31')
) AS known (release, phase, ends_on) ON CONFLICT DO NOTHING;

INSERT INTO os_support (distro, release, phase, ends_on, source, builtin)
SELECT 'rocky', release, phase, ends_on::date, 'endoflife.date/rocky-linux of 2026-08-22, after https://wiki.rockylinux.org/rocky/version/', true FROM (VALUES
    ('10', 'active', '2030-05-31'), ('10', 'security', '2035-05-31'), ('9', 'active', '2027-05-31'),
    ('9', 'security', '2032-05-31'), ('8', 'active', '2024-05-31'), ('8', 'security', '2029-05-31')
) AS known (release, phase, ends_on) ON CONFLICT DO NOTHING;

INSERT INTO os_support (distro, release, phase, ends_on, source, builtin)
SELECT 'almalinux', release, phase, ends_on::date, 'endoflife.date/almalinux of 2026-08-22, after https://wiki.almalinux.org/release-notes/', true FROM (VALUES
    ('10', 'active', '2030-05-31'), ('10', 'security', '2035-05-31'), ('9', 'active', '2027-05-31'),
    ('9', 'security', '2032-05-31'), ('8', 'active', '2024-05-31'), ('8', 'security', '2029-05-31')
) AS known (release, phase, ends_on) ON CONFLICT DO NOTHING;

INSERT INTO os_support (distro, release, phase, ends_on, source, builtin)
SELECT 'sles', release, phase, ends_on::date, 'endoflife.date/sles of 2026-08-22, after https://www.suse.com/lifecycle', true FROM (VALUES
    ('16.0', 'security', '2027-11-30'), ('16.0', 'extended', '2030-11-30'), ('15.7', 'security', '2031-07-31'),
    ('15.7', 'extended', '2034-07-31'), ('15.6', 'security', '2025-12-31'), ('15.6', 'extended', '2028-12-31'),
    ('15.5', 'security', '2024-12-31'), ('15.5', 'extended', '2027-12-31'), ('15.4', 'security', '2023-12-31'),
    ('15.4', 'extended', '2026-12-31'), ('15.3', 'security', '2022-12-31'), ('15.3', 'extended', '2025-12-31'),
    ('15.2', 'security', '2021-12-31'), ('15.2', 'extended', '2024-12-31'), ('12.5', 'security', '2024-10-31'),
    ('12.5', 'extended', '2027-10-31'), ('15.1', 'security', '2021-01-31'), ('15.1', 'extended', '2024-01-31'),
    ('12.4', 'security', '2020-06-30'), ('12.4', 'extended', '2023-06-30'), ('15.0', 'security', '2019-12-31'),
    ('15.0', 'extended', '2022-12-31'), ('12.3', 'security', '2019-06-30'), ('12.3', 'extended', '2022-06-30'),
    ('12.2', 'security', '2018-03-31'), ('12.2', 'extended', '2021-03-31'), ('12.1', 'security', '2017-05-31'),
    ('12.1', 'extended', '2020-05-31'), ('11.4', 'security', '2019-03-31'), ('11.4', 'extended', '2022-03-31'),
    ('12.0', 'security', '2016-06-30'), ('12.0', 'extended', '2019-07-01'), ('11.3', 'security', '2016-01-31'),
    ('11.3', 'extended', '2019-01-30'), ('11.2', 'security', '2014-01-31'), ('11.2', 'extended', '2017-01-30'),
    ('10.4', 'security', '2013-07-31'), ('10.4', 'extended', '2016-07-30'), ('11.1', 'security', '2012-08-31'),
    ('11.1', 'extended', '2015-08-30'), ('10.3', 'security', '2011-10-11'), ('10.3', 'extended', '2014-10-31'),
    ('11.0', 'security', '2010-12-31'), ('10.2', 'security', '2010-04-11'), ('10.2', 'extended', '2013-04-10'),
    ('10.1', 'security', '2008-11-30'), ('10.1', 'extended', '2010-12-31')
) AS known (release, phase, ends_on) ON CONFLICT DO NOTHING;

INSERT INTO os_support (distro, release, phase, ends_on, source, builtin)
SELECT 'opensuse', release, phase, ends_on::date, 'endoflife.date/opensuse of 2026-08-22, after https://en.opensuse.org/Lifetime', true FROM (VALUES
    ('16.0', 'security', '2027-10-31'), ('15.6', 'security', '2026-04-30'), ('15.5', 'security', '2024-12-31'),
    ('15.4', 'security', '2023-12-07'), ('15.3', 'security', '2022-12-31'), ('15.2', 'security', '2022-01-04'),
    ('15.1', 'security', '2021-02-02'), ('15.0', 'security', '2019-12-03'), ('42.3', 'security', '2019-07-01'),
    ('42.2', 'security', '2018-01-26'), ('42.1', 'security', '2017-05-17'), ('13.2', 'security', '2017-01-17'),
    ('13.1', 'security', '2016-02-03'), ('12.3', 'security', '2015-01-29'), ('12.2', 'security', '2014-01-15')
) AS known (release, phase, ends_on) ON CONFLICT DO NOTHING;

INSERT INTO os_support (distro, release, phase, ends_on, source, builtin)
SELECT 'fedora', release, phase, ends_on::date, 'endoflife.date/fedora of 2026-08-22, after https://docs.fedoraproject.org/en-US/releases/lifecycle/', true FROM (VALUES
    ('44', 'security', '2027-06-02'), ('43', 'security', '2026-12-09'), ('42', 'security', '2026-05-27'),
    ('41', 'security', '2025-12-15'), ('40', 'security', '2025-05-13'), ('39', 'security', '2024-11-26'),
    ('38', 'security', '2024-05-21'), ('37', 'security', '2023-12-05'), ('36', 'security', '2023-05-16'),
    ('35', 'security', '2022-12-13'), ('34', 'security', '2022-06-07'), ('33', 'security', '2021-11-30'),
    ('32', 'security', '2021-05-25'), ('31', 'security', '2020-11-24'), ('30', 'security', '2020-05-26'),
    ('29', 'security', '2019-11-26'), ('28', 'security', '2019-05-28'), ('27', 'security', '2018-11-30'),
    ('26', 'security', '2018-05-29'), ('25', 'security', '2017-12-12'), ('24', 'security', '2017-08-08'),
    ('23', 'security', '2016-12-20'), ('22', 'security', '2016-07-19'), ('21', 'security', '2015-12-01'),
    ('20', 'security', '2015-06-23'), ('19', 'security', '2015-01-06'), ('18', 'security', '2014-01-14'),
    ('17', 'security', '2013-07-30')
) AS known (release, phase, ends_on) ON CONFLICT DO NOTHING;

INSERT INTO os_support (distro, release, phase, ends_on, source, builtin)
SELECT 'windows', release, phase, ends_on::date, 'endoflife.date/windows-server of 2026-08-22, after https://learn.microsoft.com/lifecycle/products/?terms=Windows%20Server', true FROM (VALUES
    ('2025', 'active', '2029-11-13'), ('2025', 'security', '2034-11-14'), ('2022', 'active', '2026-10-13'),
    ('2022', 'security', '2031-10-14'), ('2019', 'active', '2024-01-09'), ('2019', 'security', '2029-01-09'),
    ('2016', 'active', '2022-01-11'), ('2016', 'security', '2027-01-12'), ('2016', 'extended', '2030-01-12'),
    ('2012-r2', 'active', '2018-10-09'), ('2012-r2', 'security', '2023-10-10'), ('2012-r2', 'extended', '2026-10-13'),
    ('2012', 'active', '2018-10-09'), ('2012', 'security', '2023-10-10'), ('2012', 'extended', '2026-10-13'),
    ('2008-r2', 'active', '2015-01-13'), ('2008-r2', 'security', '2020-01-14'), ('2008-r2', 'extended', '2023-01-10'),
    ('2008', 'active', '2015-01-13'), ('2008', 'security', '2020-01-14'), ('2008', 'extended', '2023-01-10'),
    ('2003', 'active', '2010-07-13'), ('2003', 'security', '2015-07-14')
) AS known (release, phase, ends_on) ON CONFLICT DO NOTHING;

INSERT INTO os_support (distro, release, phase, ends_on, source, builtin)
SELECT 'oraclelinux', release, phase, ends_on::date, 'endoflife.date/oracle-linux of 2026-08-22, after https://www.oracle.com/a/ocom/docs/elsp-lifetime-069338.pdf', true FROM (VALUES
    ('10', 'security', NULL), ('9', 'security', '2032-06-30'), ('9', 'extended', '2035-06-30'),
    ('8', 'security', '2029-07-31'), ('8', 'extended', '2032-07-31'), ('7', 'security', '2024-12-31'),
    ('7', 'extended', '2028-06-30')
) AS known (release, phase, ends_on) ON CONFLICT DO NOTHING;

INSERT INTO os_support (distro, release, phase, ends_on, source, builtin)
SELECT 'amazon', release, phase, ends_on::date, 'endoflife.date/amazon-linux of 2026-08-22, after https://docs.aws.amazon.com/AL2/latest/relnotes/relnotes-al2.html', true FROM (VALUES
    ('2023', 'active', '2027-06-30'), ('2023', 'security', '2029-06-30'), ('2', 'security', '2026-06-30'),
    ('2018.03', 'active', '2020-12-31'), ('2018.03', 'security', '2023-12-31'), ('2017.09', 'active', '2020-12-31'),
    ('2017.09', 'security', '2023-12-31'), ('2017.03', 'active', '2020-12-31'), ('2017.03', 'security', '2023-12-31'),
    ('2016.09', 'active', '2020-12-31'), ('2016.09', 'security', '2023-12-31'), ('2016.03', 'active', '2020-12-31'),
    ('2016.03', 'security', '2023-12-31'), ('2015.09', 'active', '2020-12-31'), ('2015.09', 'security', '2023-12-31'),
    ('2015.03', 'active', '2020-12-31'), ('2015.03', 'security', '2023-12-31'), ('2014.09', 'active', '2020-12-31'),
    ('2014.09', 'security', '2023-12-31'), ('2014.03', 'active', '2020-12-31'), ('2014.03', 'security', '2023-12-31'),
    ('2013.09', 'active', '2020-12-31'), ('2013.09', 'security', '2023-12-31'), ('2013.03', 'active', '2020-12-31'),
    ('2013.03', 'security', '2023-12-31'), ('2012.09', 'active', '2020-12-31'), ('2012.09', 'security', '2023-12-31'),
    ('2012.03', 'active', '2020-12-31'), ('2012.03', 'security', '2023-12-31')
) AS known (release, phase, ends_on) ON CONFLICT DO NOTHING;

INSERT INTO os_support (distro, release, phase, ends_on, source, builtin)
SELECT 'alpine', release, phase, ends_on::date, 'endoflife.date/alpine-linux of 2026-08-22, after https://alpinelinux.org/releases/', true FROM (VALUES
    ('3.24', 'security', '2028-06-01'), ('3.23', 'security', '2027-11-01'), ('3.22', 'security', '2027-05-01'),
    ('3.21', 'security', '2026-11-01'), ('3.20', 'security', '2026-04-01'), ('3.19', 'security', '2025-11-01'),
    ('3.18', 'security', '2025-05-09'), ('3.17', 'security', '2024-11-22'), ('3.16', 'security', '2024-05-23'),
    ('3.15', 'security', '2023-11-01'), ('3.14', 'security', '2023-05-01'), ('3.13', 'security', '2022-11-01'),
    ('3.12', 'security', '2022-05-01'), ('3.11', 'security', '2021-11-01'), ('3.10', 'security', '2021-05-01'),
    ('3.9', 'security', '2020-11-01'), ('3.8', 'security', '2020-05-01'), ('3.7', 'security', '2019-11-01'),
    ('3.6', 'security', '2019-05-01'), ('3.5', 'security', '2018-11-01'), ('3.4', 'security', '2018-05-01'),
    ('3.3', 'security', '2017-11-01'), ('3.2', 'security', '2017-05-01'), ('3.1', 'security', '2016-11-01'),
    ('3.0', 'security', '2016-05-01')
) AS known (release, phase, ends_on) ON CONFLICT DO NOTHING;

INSERT INTO os_support (distro, release, phase, ends_on, source, builtin)
SELECT 'freebsd', release, phase, ends_on::date, 'endoflife.date/freebsd of 2026-08-22, after https://www.freebsd.org/security/#sup', true FROM (VALUES
    ('15.1', 'security', '2027-03-31'), ('14.4', 'security', '2026-12-31'), ('15', 'security', '2029-12-31'),
    ('15.0', 'security', '2026-09-30'), ('14.3', 'security', '2026-06-30'), ('13.5', 'security', '2026-04-30'),
    ('14.2', 'security', '2025-09-30'), ('13.4', 'security', '2025-06-30'), ('14.1', 'security', '2025-03-31'),
    ('13.3', 'security', '2024-12-31'), ('14.0', 'security', '2024-09-30'), ('14', 'security', '2028-11-30'),
    ('13.2', 'security', '2024-06-30'), ('12.4', 'security', '2023-12-31'), ('13.1', 'security', '2023-07-31'),
    ('12.3', 'security', '2023-03-31'), ('13.0', 'security', '2022-08-31'), ('13', 'security', '2026-04-30'),
    ('12.2', 'security', '2022-03-31'), ('11.4', 'security', '2021-09-30'), ('12.1', 'security', '2021-01-31'),
    ('11.3', 'security', '2020-09-30'), ('12.0', 'security', '2020-02-29'), ('12', 'security', '2023-12-31'),
    ('11.2', 'security', '2019-10-31'), ('10.4', 'security', '2018-10-31'), ('11.1', 'security', '2018-09-30'),
    ('11.0', 'security', '2017-11-30'), ('11', 'security', '2021-09-30'), ('10.3', 'security', '2018-04-30'),
    ('10.2', 'security', '2016-12-31'), ('10.1', 'security', '2016-12-31'), ('9.3', 'security', '2016-12-31'),
    ('10.0', 'security', '2015-02-28'), ('10', 'security', '2018-10-31'), ('9.2', 'security', '2014-12-31'),
    ('8.4', 'security', '2015-08-01'), ('9.1', 'security', '2014-12-31'), ('8.3', 'security', '2014-04-30'),
    ('9.0', 'security', '2013-03-31'), ('9', 'security', '2016-12-31')
) AS known (release, phase, ends_on) ON CONFLICT DO NOTHING;

INSERT INTO os_support (distro, release, phase, ends_on, source, builtin)
SELECT 'nixos', release, phase, ends_on::date, 'endoflife.date/nixos of 2026-08-22, after https://nixos.org/blog/announcements.html', true FROM (VALUES
    ('26.05', 'security', '2026-12-31'), ('25.11', 'security', '2026-06-30'), ('25.05', 'security', '2025-12-31'),
    ('24.11', 'security', '2025-06-30'), ('24.05', 'security', '2024-12-31'), ('23.11', 'security', '2024-06-30'),
    ('23.05', 'security', '2023-12-31'), ('22.11', 'security', '2023-06-30'), ('22.05', 'security', '2022-12-31'),
    ('21.11', 'security', '2022-06-30'), ('21.05', 'security', '2021-12-31'), ('20.09', 'security', '2021-06-30'),
    ('20.03', 'security', '2020-10-30'), ('19.09', 'security', '2020-04-30'), ('19.03', 'security', '2019-10-30'),
    ('18.09', 'security', '2019-04-30'), ('18.03', 'security', '2018-10-30'), ('17.09', 'security', '2018-04-30'),
    ('17.03', 'security', '2017-10-30'), ('16.09', 'security', '2017-04-30'), ('16.03', 'security', '2016-10-30'),
    ('15.09', 'security', '2016-04-30'), ('14.12', 'security', '2015-09-30'), ('14.04', 'security', '2015-01-31'),
    ('13.10', 'security', '2014-05-31')
) AS known (release, phase, ends_on) ON CONFLICT DO NOTHING;
