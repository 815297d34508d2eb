"""Made-up images of the kinds that clouds hold; the same arguments give the same records."""

from __future__ import annotations

import random
import uuid
from datetime import UTC, datetime, timedelta
from typing import Literal

from catalog.demo.cloud import PROJECT, Record

_PROVIDER = "f00df00df00df00df00df00df00d0001"
_NEIGHBOUR = "beefbeefbeefbeefbeefbeefbeef0002"
_BEGINNING = datetime(2024, 1, 8, 6, 0, tzinfo=UTC)

_SYSTEMS = (
    # platform, version, distro, distro version, type, smallest disk in GB
    ("Ubuntu", "Ubuntu 24.04 server 64bit", "ubuntu", "24.04", "Linux", 10),
    ("Ubuntu", "Ubuntu 22.04 server 64bit", "ubuntu", "22.04", "Linux", 10),
    ("Debian", "Debian GNU/Linux 12.0.0 64bit", "debian", "12", "Linux", 10),
    ("RedHat", "Redhat Linux Enterprise 9.10 64bit", "rhel", "9.10", "Linux", 20),
    ("EulerOS", "EulerOS 2.9 64bit", "euleros", "2.9", "Linux", 10),
    ("SUSE", "SUSE Enterprise 15 SP5 64bit", "sles", "15.5", "Linux", 20),
    ("Windows", "Windows Server 2022 Datacenter 64bit", "windows", "2022", "Windows", 40),
    ("Other", "Other(64 bit) 64bit", "cirros", "0.6.2", "Linux", 1),
)
FLAGS = (
    "__support_kvm",
    "__support_xen",
    "__support_largememory",
    "__support_diskintensive",
    "__support_highperformance",
    "__support_xen_hana",
    "__support_kvm_infiniband",
    "__support_arm",
    "__support_kvm_nvme_spdk",
)
_MODELS = {
    "__support_kvm_gpu_type": ("V100_vGPU", "P100", "T4", "P2V_V100"),
    "__support_xen_gpu_type": ("M60_vGPU", "M60"),
    "__support_kvm_fpga_type": ("VU9P", "VU9P_COMMON"),
    "__support_agent_list": ("hss", "ces", "hss,ces"),
}
TAGS = ("team=web", "team=data", "env=prod", "env=test", "golden", "cost-centre=4711", "pci", "nightly")


def example_images(kind: Literal["glance", "ims"], count: int, seed: int = 1) -> list[Record]:
    """`count` records in the order of their creation, of all kinds that the service knows, in turns."""
    dice = random.Random(f"{kind}/{seed}")
    makers = _IMS_KINDS if kind == "ims" else _GLANCE_KINDS
    return [makers[number % len(makers)](dice, number) for number in range(count)]


def _core(dice: random.Random, number: int, name: str, visibility: str, owner: str) -> Record:
    """The keys that both services share. Creation moves on by minutes, so the order is the number's."""
    image_id = str(uuid.UUID(int=dice.getrandbits(128), version=4))
    created = _BEGINNING + timedelta(minutes=7 * number)
    updated = created + timedelta(minutes=dice.randrange(60 * 24 * 30))
    return {
        "id": image_id,
        "name": name,
        "status": "active",
        "visibility": visibility,
        "owner": owner,
        "protected": visibility == "public",
        "tags": [],
        "container_format": "bare",
        "min_ram": dice.choice((0, 512, 1024, 2048)),
        "virtual_size": None,
        "created_at": created.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "updated_at": updated.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "file": f"/v2/images/{image_id}/file",
        "self": f"/v2/images/{image_id}",
        "schema": "/v2/schemas/image",
    }


def _glance(dice: random.Random, number: int, visibility: str, owner: str) -> Record:
    _, _, distro, version, system, disk = _SYSTEMS[number % len(_SYSTEMS)]
    size = dice.randrange(20 * 2**20, 60 * 2**30)
    return _core(dice, number, f"{distro}-{version}-{number:05d}", visibility, owner) | {
        "disk_format": dice.choice(("qcow2", "raw", "vmdk")),
        "min_disk": disk,
        "size": size,
        "virtual_size": size * 2,
        "checksum": f"{dice.getrandbits(128):032x}",
        "os_hash_algo": "sha512",
        "os_hash_value": f"{dice.getrandbits(512):0128x}",
        "os_hidden": False,
        "os_distro": distro,
        "os_version": version,
        "os_type": system.lower(),
        "architecture": dice.choice(("x86_64", "x86_64", "aarch64")),
        "hw_disk_bus": "virtio",
        "hw_qemu_guest_agent": "yes",
    }


def _glance_public(dice: random.Random, number: int) -> Record:
    return _glance(dice, number, "public", _PROVIDER) | {
        "description": "Maintained by the cloud's operator",
        "image_build_date": "2024-01-05",
        "replace_frequency": "monthly",
        "provided_until": "none",
    }


def _glance_private(dice: random.Random, number: int) -> Record:
    return _glance(dice, number, "private", PROJECT) | {"tags": dice.sample(TAGS, number % 4)}


def _glance_snapshot(dice: random.Random, number: int) -> Record:
    server = str(uuid.UUID(int=dice.getrandbits(128), version=4))
    return _glance(dice, number, "private", PROJECT) | {
        "name": f"before-upgrade-{number}",
        "image_type": "snapshot",
        "base_image_ref": str(uuid.UUID(int=dice.getrandbits(128), version=4)),
        "instance_uuid": server,
        "image_state": "available",
        "image_location": "snapshot",
        "user_id": f"{dice.getrandbits(128):032x}",
        "boot_roles": "member,reader",
    }


def _glance_queued(dice: random.Random, number: int) -> Record:
    """An upload that never came: nothing is known of its data."""
    nothing = ("size", "virtual_size", "checksum", "os_hash_algo", "os_hash_value", "disk_format", "name")
    return _glance_private(dice, number) | {"status": "queued", **dict.fromkeys(nothing)}


def _glance_hidden(dice: random.Random, number: int) -> Record:
    return _glance_public(dice, number) | {"os_hidden": True}


def _glance_community(dice: random.Random, number: int) -> Record:
    return _glance(dice, number, "community", _NEIGHBOUR) | {"tags": ["golden"]}


def _glance_shared(dice: random.Random, number: int) -> Record:
    return _glance(dice, number, "shared", _NEIGHBOUR) | {"status": dice.choice(("active", "deactivated"))}


def ims_record(dice: random.Random, number: int, kind: str, owner: str) -> Record:
    platform, version, _, _, system, disk = _SYSTEMS[number % len(_SYSTEMS)]
    visibility = {"gold": "public", "market": "public", "shared": "shared"}.get(kind, "private")
    return _core(dice, number, f"{platform} {number:05d}", visibility, owner) | {
        "disk_format": "zvhd2",
        "min_disk": max(disk, 40),
        "max_ram": "0",
        # size and checksum describe a stub, whatever the image holds
        "size": 2,
        "checksum": "99914b932bd37a50b983c5e7c90ae93b",
        "enterprise_project_id": "0",
        "virtual_env_type": "FusionCompute",
        "hw_firmware_type": dice.choice(("bios", "uefi")),
        "__imagetype": kind,
        "__image_source_type": "uds",
        "__image_size": str(dice.randrange(2**30, 60 * 2**30)),
        "__isregistered": "true",
        "__lazyloading": dice.choice(("true", "True")),
        "__os_type": system,
        "__os_bit": "64",
        "__platform": platform,
        "__os_version": version,
        "__description": "",
        "__originalimagename": str(uuid.UUID(int=dice.getrandbits(128), version=4)),
        "__backup_id": "",
        "__data_origin": "",
        "__productcode": "",
        "__whole_image": "false",
        "__is_offshelved": "false",
    }


def _ims_gold(dice: random.Random, number: int) -> Record:
    record = ims_record(dice, number, "gold", _PROVIDER)
    record.update(dict.fromkeys(dice.sample(FLAGS, 4), "true"))
    models = dice.choice(sorted(_MODELS))
    record[models] = dice.choice(_MODELS[models])
    return record | {
        "__originalimagename": record["id"],
        "__support_fc_inject": dice.choice(("true", "false")),
    }


def _ims_private(dice: random.Random, number: int) -> Record:
    server = str(uuid.UUID(int=dice.getrandbits(128), version=4))
    return ims_record(dice, number, "private", PROJECT) | {
        "tags": dice.sample(TAGS, number % 4),
        "__data_origin": f"instance,{server}",
        "__description": "made from a server",
        "__support_kvm": "true",
        "__support_agent_list": "hss,ces",
        "hw_vif_multiqueue_enabled": "True",
    }


def _ims_backup(dice: random.Random, number: int) -> Record:
    backup = str(uuid.UUID(int=dice.getrandbits(128), version=4))
    return ims_record(dice, number, "private", PROJECT) | {
        "__whole_image": "true",
        "__backup_id": backup,
        "__data_origin": f"server_backup,{backup}",
        "__system__cmkid": str(uuid.UUID(int=dice.getrandbits(128), version=4)),
    }


def _ims_queued(dice: random.Random, number: int) -> Record:
    """The file is still on its way: the keys that describe it are missing."""
    record = ims_record(dice, number, "private", PROJECT) | {"status": "queued", "__image_size": "0"}
    for key in ("checksum", "size", "virtual_size"):
        del record[key]
    return record


def _ims_shared(dice: random.Random, number: int) -> Record:
    return ims_record(dice, number, "shared", _NEIGHBOUR) | {"__support_xen": "True", "__data_origin": None}


def _ims_market(dice: random.Random, number: int) -> Record:
    return ims_record(dice, number, "market", _PROVIDER) | {
        "__productcode": f"{dice.getrandbits(128):032x}",
        "__os_feature_list": '{"nic_hotplug":"true", "user_data": "true"}',
        "__system_support_market": True,
    }


_GLANCE_KINDS = (
    _glance_public,
    _glance_private,
    _glance_snapshot,
    _glance_private,
    _glance_hidden,
    _glance_shared,
    _glance_queued,
    _glance_community,
)
_IMS_KINDS = (
    _ims_gold,
    _ims_private,
    _ims_gold,
    _ims_backup,
    _ims_shared,
    _ims_private,
    _ims_queued,
    _ims_market,
)
