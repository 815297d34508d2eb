"""The builtin rules on spellings that clouds really use: keys first, the name last."""

from __future__ import annotations

import json
from typing import Any

import pytest

from catalog.mapping import MappingRules, map_record
from catalog.store.db.connection import Database
from catalog.store.state import os_rules
from catalog.systems import Systems

RULES = MappingRules()


@pytest.fixture(scope="module")
def systems(module_database: Database) -> Systems:
    with module_database.transaction(read_only=True) as connection:
        return os_rules.load(connection)


def told(systems: Systems, **keys: Any) -> tuple[str | None, ...]:
    image = map_record(json.dumps({"id": "x", **keys}).encode(), RULES)
    return tuple(os_rules.system_of(systems, image))


def ims(platform: str, version: str, name: str = "image", **more: Any) -> dict[str, Any]:
    return {"__platform": platform, "__os_version": version, "name": name, "__os_bit": "64", **more}


def glance(distro: str | None = None, version: str | None = None, name: str = "image") -> dict[str, Any]:
    return {"os_distro": distro, "os_version": version, "name": name}


IMS = [
    ("Ubuntu", "Ubuntu 22.04 server 64bit", "ubuntu", "22.04"),
    ("Ubuntu", "Ubuntu 14.04 server 64bit", "ubuntu", "14.04"),
    ("CentOS", "CentOS 7.3 64bit", "centos", "7.3"),
    ("CentOS", "CentOS Stream 9 64bit", "centos-stream", "9"),
    ("Windows", "Windows Server 2019 Standard 64bit", "windows", "2019"),
    ("Windows", "Windows Server 2012 R2 Datacenter 64bit", "windows", "2012-r2"),
    ("Huawei Cloud EulerOS", "Huawei Cloud EulerOS 2.0 64bit", "hce", "2.0"),
    ("EulerOS", "EulerOS 2.9 64bit", "euleros", "2.9"),
    ("EulerOS", "EulerOS 2.0 SP5 64bit", "euleros", "2.5"),
    ("openEuler", "openEuler 20.03 64bit", "openeuler", "20.03"),
    ("Debian", "Debian GNU/Linux 12.0.0 64bit", "debian", "12"),
    ("RedHat", "Redhat Linux Enterprise 9.10 64bit", "rhel", "9.10"),
    ("RedHat", "Red Hat Enterprise Linux 8.6 64bit", "rhel", "8.6"),
    ("SUSE", "SUSE Linux Enterprise Server 12 SP1 64bit", "sles", "12.1"),
    ("SUSE", "SUSE Enterprise 15 SP5 64bit", "sles", "15.5"),
    ("Suse", "Suse Linux Enterprise 12.2 64bit", "sles", "12.2"),
    ("OpenSUSE", "OpenSUSE 15.3 64bit", "opensuse", "15.3"),
    ("Oracle Linux", "Oracle Linux Server release 7.6 64bit", "oraclelinux", "7.6"),
    ("Rocky Linux", "Rocky Linux 9.0 64bit", "rocky", "9.0"),
    ("AlmaLinux", "AlmaLinux 9.0 64bit", "almalinux", "9.0"),
    ("Fedora", "Fedora 30 64bit", "fedora", "30"),
    ("CoreOS", "CoreOS 1068.10.0 64bit", "coreos", "1068.10"),
]


@pytest.mark.parametrize(("platform", "version", "distro", "release"), IMS)
def test_the_image_management_service(
    systems: Systems, platform: str, version: str, distro: str, release: str
) -> None:
    assert told(systems, **ims(platform, version))[:4] == (distro, release, "x86_64", "generic")


GLANCE = [
    # the standard SCS 0102, and Glance's metadata definitions
    ("ubuntu", "22.04", "Ubuntu 22.04", "ubuntu", "22.04"),
    ("Ubuntu", "20.04", "x", "ubuntu", "20.04"),
    ("rhel", "9", "x", "rhel", "9"),
    ("rocky", "9.4", "Rocky 9", "rocky", "9.4"),
    ("almalinux", "9", "AlmaLinux 9", "almalinux", "9"),
    ("debian", "12", "Debian 12", "debian", "12"),
    ("sles", "15.5", "SLES 15SP5", "sles", "15.5"),
    ("sles", "15-SP4", "x", "sles", "15.4"),
    ("opensuse", "15.6", "openSUSE Leap 15.6", "opensuse", "15.6"),
    ("centos", "stream9", "x", "centos-stream", "9"),
    ("windows", "2022", "Windows Server 2022", "windows", "2022"),
    # libosinfo's short names
    ("windows", "win2k22", "x", "windows", "2022"),
    ("windows", "win2k12r2", "x", "windows", "2012-r2"),
    ("windows", "win10", "x", "windows", "10"),
    ("fedora-coreos", "38.20230609.3.0", "x", "fedora-coreos", "38"),
    # release names, and releases that only the name tells
    ("ubuntu", "jammy", "x", "ubuntu", "22.04"),
    ("debian", "bookworm", "x", "debian", "12"),
    ("ubuntu", None, "Ubuntu 24.04", "ubuntu", "24.04"),
    ("windows", None, "Windows Server 2016 Datacenter", "windows", "2016"),
    # NHN, PowerVC, LinuxONE: distribution and release in one key; keys win over names
    ("CentOS", "6.10", "CentOS 6.10 (2018.10.23)", "centos", "6.10"),
    ("centos7.0", "7.0", "CentOS-7.6-x86_64-1907", "centos", "7.0"),
    ("Rhel7.7", None, "rhel83", "rhel", "7.7"),
    ("rhel8.3", None, "Test_Delete_VM_Snapshot", "rhel", "8.3"),
    ("rhel", None, "sample-ppc64-centos8", "rhel", None),
    # what no rule knows stays as delivered; what says nothing is nothing
    ("MikroTik", "RouterOS 7.1", "x", "mikrotik", "7.1"),
    ("linux", None, "web", None, None),
    ("Other", "Other(64 bit) 64bit", "cirros-0.6.2-x86_64-disk", "cirros", "0.6"),
]


@pytest.mark.parametrize(("key", "version", "name", "distro", "release"), GLANCE)
def test_glance(
    systems: Systems, key: str, version: str | None, name: str, distro: str | None, release: str | None
) -> None:
    assert told(systems, **glance(key, version, name))[:2] == (distro, release)


NAMES = [
    ("Standard_Ubuntu_22.04_latest", "ubuntu", "22.04"),
    ("Standard_Ubuntu_22.04_20240129_0", "ubuntu", "22.04"),
    ("Enterprise_RedHat_8_20231109-0", "rhel", "8"),
    ("Ubuntu 14.04 LTS (Trusty Tahr) (PV)", "ubuntu", "14.04"),
    ("JS-API-Featured-Ubuntu18-Latest", "ubuntu", "18.04"),
    ("ubuntu2204", "ubuntu", "22.04"),
    ("noble-server-cloudimg-amd64", "ubuntu", "24.04"),
    ("debian-12-generic-amd64-20240211-1654", "debian", "12"),
    ("Debian 10 (Buster) (PVHVM)", "debian", "10"),
    ("Rocky-9-GenericCloud-Base-9.3-20231113.0.x86_64", "rocky", "9"),
    ("CentOS-7-x86_64-GenericCloud-1907", "centos", "7"),
    ("CentOS Stream 9", "centos-stream", "9"),
    ("F17-x86_64-cfntools", "fedora", "17"),
    ("Fedora-Cloud-Base-39-1.5.x86_64", "fedora", "39"),
    ("B_SUSE_11_SP4_Server", "sles", "11.4"),
    ("SLES 12 SP1 for HANA", "sles", "12.1"),
    ("SLES 15SP4", "sles", "15.4"),
    ("openSUSE Leap 15.3", "opensuse", "15.3"),
    ("openSUSE Tumbleweed", "opensuse", "tumbleweed"),
    ("win2012-r2-CURRENT", "windows", "2012-r2"),
    ("Windows Server 2012R2", "windows", "2012-r2"),
    ("Huawei Cloud EulerOS 2.0 Standard 64 bit for KAE", "hce", "2.0"),
    ("cirros-0.3.4-x86_64-uec", "cirros", "0.3"),
    ("Oracle Linux 8.8", "oraclelinux", "8.8"),
    ("Flatcar 3510.2.8", "flatcar", "3510.2"),
    ("amazon-linux-2023", "amazon", "2023"),
    ("Ubuntu 20240129", "ubuntu", None),
    ("web 2012 r2", None, None),
    ("snap-test", None, None),
    ("cold-storage", None, None),
    ("测试镜像_20240101", None, None),
]


@pytest.mark.parametrize(("name", "distro", "release"), NAMES)
def test_names_without_keys(systems: Systems, name: str, distro: str | None, release: str | None) -> None:
    assert told(systems, name=name)[:2] == (distro, release)


@pytest.mark.parametrize(
    ("keys", "arch"),
    [
        ({"architecture": "x86_64"}, "x86_64"),
        ({"architecture": "AMD64"}, "x86_64"),
        ({"architecture": "arm64"}, "aarch64"),
        ({"architecture": "s390x"}, "s390x"),
        ({"architecture": "ppc64le"}, "ppc64le"),
        ({"architecture": "sparc"}, "sparc"),
        ({"os_architecture": "amd64"}, "x86_64"),
        ({"org.openstack__1__architecture": "x64"}, "x86_64"),
        ({"__support_arm": "true", "__os_bit": "64"}, "aarch64"),
        ({"__support_arm": "false", "__os_bit": "64"}, "x86_64"),
        ({"__os_bit": "32"}, "i686"),
        ({"name": "Kylin V10 ARM", "__os_bit": "64"}, "aarch64"),
        ({"name": "CentOS-7-x86_64-GenericCloud"}, "x86_64"),
        ({"name": "Alarm"}, None),
        ({}, None),
    ],
)
def test_architectures(systems: Systems, keys: dict[str, Any], arch: str | None) -> None:
    assert told(systems, **keys)[2] == arch


@pytest.mark.parametrize(
    ("keys", "purpose"),
    [
        ({"os_purpose": "minimal"}, "minimal"),
        ({"os_purpose": "oldgeneric", "name": "Ubuntu 22.04 GPU"}, "oldgeneric"),
        ({"os_purpose": "k8snode"}, "k8s"),
        ({"os_purpose": " Network "}, "network"),
        ({"os_purpose": "custom"}, "custom"),
        ({"name": "ubuntu-2204-kube-v1.29.3"}, "k8s"),
        ({"name": "Ubuntu 22.04 Minimal"}, "minimal"),
        ({"name": "Windows Server 2016 V100 vGPU"}, "gpu"),
        ({"name": "CentOS 7.3 64bit vivado"}, "fpga"),
        ({"name": "SLES 12 SP1 for HANA"}, "sap"),
        ({"name": "amphora-x64-haproxy"}, "network"),
        ({"name": "Ubuntu 22.04"}, "generic"),
        ({}, "generic"),
    ],
)
def test_purposes(systems: Systems, keys: dict[str, Any], purpose: str) -> None:
    assert told(systems, **keys)[3] == purpose
