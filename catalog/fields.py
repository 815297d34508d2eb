"""The column of each upstream key: the one table behind mapping, schema, column comments and documentation.

Sources: "Querying Images" of the Image Management Service (response parameters), the Glance v2 API
reference, and Glance's common image properties. One table serves both services, because some Glance
clouds carry the keys of the other.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Conversion = Literal["text", "integer", "bigint", "boolean", "timestamp"]


@dataclass(frozen=True, slots=True)
class Field:
    """One typed column of `images` and the upstream keys that fill it.

    `keys` stand in order of precedence: the first that is delivered with a value fills the column.
    `opens_revision` is false for links that carry no meaning of their own.
    """

    column: str
    keys: tuple[str, ...]
    conversion: Conversion
    meaning: str
    unit: str = ""
    opens_revision: bool = True

    @property
    def comment(self) -> str:
        """The SQL COMMENT of the column: meaning, unit, upstream keys."""
        unit = f" Unit: {self.unit}." if self.unit else ""
        keys = f" Upstream: {', '.join(self.keys)}." if self.keys else ""
        return f"{self.meaning}{unit}{keys}"


FIELDS: tuple[Field, ...] = (
    Field("name", ("name",), "text", "Name of the image; not unique."),
    Field("status", ("status",), "text", "Status as the cloud last said it; an open set (queued, active, ...)."),
    Field("visibility", ("visibility",), "text", "Who may see the image: public, private, shared, community, ..."),
    Field("owner", ("owner",), "text", "Project (tenant) that owns the image."),
    Field("protected", ("protected",), "boolean", "True: the cloud refuses to delete the image."),
    Field("hidden", ("os_hidden",), "boolean", "True: left out of default listings, usable by id."),
    Field("container_format", ("container_format",), "text", "Container format, e.g. bare."),
    Field("disk_format", ("disk_format",), "text", "Disk format; an open set (qcow2, raw, zvhd2, iso, ...)."),
    Field("size", ("size",), "bigint", "Size as delivered; the Image Management Service sends a placeholder.", "bytes"),
    Field("virtual_size", ("virtual_size",), "bigint", "Size of the virtual disk as delivered.", "bytes"),
    Field("image_size", ("__image_size",), "bigint", "Size of the image file.", "bytes"),
    Field("checksum", ("checksum",), "text", "Checksum as delivered; never an identity."),
    Field("hash_algo", ("os_hash_algo",), "text", "Algorithm of hash_value, e.g. sha512."),
    Field("hash_value", ("os_hash_value",), "text", "Hash of the image data by hash_algo."),
    Field("min_ram", ("min_ram",), "integer", "Smallest memory that runs the image.", "MB"),
    Field("min_disk", ("min_disk",), "integer", "Smallest disk that holds the image.", "GB"),
    Field("max_ram", ("max_ram",), "integer", "Largest memory that the image supports; 0 = no limit.", "MB"),
    Field("image_type", ("__imagetype",), "text",
          "Kind in the Image Management Service: gold, private, shared, market."),
    Field("image_kind", ("image_type",), "text", "Kind in Glance: snapshot, backup; nothing for an uploaded image."),
    Field("platform", ("__platform", "os_distro"), "text", "Operating system platform or distribution."),
    Field("os_type", ("__os_type", "os_type"), "text", "Operating system type: Linux, Windows, Other, ..."),
    Field("os_version", ("__os_version", "os_version"), "text", "Operating system version; text, never a number."),
    Field("os_bit", ("__os_bit",), "integer", "Word width of the operating system.", "bit"),
    Field("architecture", ("architecture",), "text", "Processor architecture: x86_64, aarch64, ..."),
    Field("virtual_env_type", ("virtual_env_type",), "text",
          "Where it is used: FusionCompute, Ironic, DataImage, IsoImage."),
    Field("hw_firmware_type", ("hw_firmware_type",), "text", "Boot mode: bios or uefi."),
    Field("image_source_type", ("__image_source_type",), "text", "Storage type behind the image, e.g. uds."),
    Field("is_registered", ("__isregistered",), "boolean", "True: registered and so ready for use."),
    Field("is_off_shelved", ("__is_offshelved",), "boolean", "True: taken off the marketplace's shelf."),
    Field("is_whole_image", ("__whole_image",), "boolean", "True: an image of a whole server, with its data disks."),
    Field("lazy_loading", ("__lazyloading",), "boolean", "True: supports lazy loading."),
    Field("description", ("__description", "description"), "text", "Description by the image's owner."),
    Field("parent_image_id", ("__originalimagename", "base_image_ref"), "text",
          "Image this one was made from; may be gone, or be the image itself."),
    Field("source_server_id", ("instance_uuid",), "text",
          "Server this image was made from (also from __data_origin where it reads instance,ID)."),
    Field("backup_id", ("__backup_id",), "text", "Backup this image was made from."),
    Field("product_code", ("__productcode",), "text", "Product of the marketplace."),
    Field("data_origin", ("__data_origin",), "text", "Where the data came from, as delivered."),
    Field("encryption_key_id", ("__system__cmkid", "cinder_encryption_key_id"), "text", "Key that encrypts the image."),
    Field("enterprise_project_id", ("enterprise_project_id",), "text", "Enterprise project; 0 = default."),
    Field("file_url", ("file",), "text", "Path of the image file; opens no revision.", opens_revision=False),
    Field("self_url", ("self",), "text", "Path of the image; opens no revision.", opens_revision=False),
    Field("schema_url", ("schema",), "text", "Path of the image's schema; opens no revision.", opens_revision=False),
    Field("created_at", ("created_at",), "timestamp", "When the cloud says the image was created.", "UTC"),
    Field("updated_at", ("updated_at",), "timestamp", "When the cloud says the image was last updated.", "UTC"),
)  # fmt: skip
"""Columns of `images`: the first release's, in its order, then each later one. `deleted_at` is judged, not copied."""

ID_KEY = "id"
Role = Literal["id", "deleted", "deleted_at", "tags", "set", "column", "second", "capability", "property"]
ROLES: dict[str, Role] = {
    ID_KEY: "id", "deleted": "deleted", "deleted_at": "deleted_at", "tags": "tags", "image_tags": "tags",
    "locations": "set", "stores": "set",
}  # fmt: skip
"""Keys that are neither columns nor properties alone. `set`: a list whose order means nothing."""
LINK_KEYS = frozenset(key for field in FIELDS if not field.opens_revision for key in field.keys)
COLUMNS = tuple(field.column for field in FIELDS)
REVISION_FIELDS = tuple(field for field in FIELDS if field.opens_revision)
REVISION_FIELD_COLUMNS = tuple(field.column for field in REVISION_FIELDS)
INDEX = {column: position for position, column in enumerate(COLUMNS)}

CAPABILITY_PREFIX = "__support_"
CapabilityFamily = Literal[
    "hypervisor", "gpu", "fpga", "hana", "network", "size", "cpu", "agent", "cloud_init", "other"
]


@dataclass(frozen=True, slots=True)
class Capability:
    """One documented `__support_*` key. `inverted`: the upstream true means "not supported"."""

    capability: str
    family: CapabilityFamily
    description: str
    value_kind: Literal["flag", "models"] = "flag"
    inverted: bool = False

    @property
    def upstream_key(self) -> str:
        return CAPABILITY_PREFIX + self.capability


CAPABILITIES: tuple[Capability, ...] = (
    Capability("kvm", "hypervisor", "Runs on KVM."),
    Capability("xen", "hypervisor", "Runs on Xen."),
    Capability("xen_hana", "hana", "Runs HANA servers on Xen."),
    Capability("largememory", "size", "Runs on large-memory servers."),
    Capability("diskintensive", "size", "Runs on disk-intensive servers."),
    Capability("highperformance", "size", "Runs on high-performance servers."),
    Capability("kvm_infiniband", "network", "Has the driver of InfiniBand cards on KVM."),
    Capability("arm", "cpu", "Made for ARM processors."),
    Capability("amd", "cpu", "Runs on AMD processors."),
    Capability("xen_gpu_type", "gpu", "GPU models supported on Xen.", "models"),
    Capability("kvm_gpu_type", "gpu", "GPU models supported on KVM.", "models"),
    Capability("kvm_fpga_type", "fpga", "FPGA models supported on KVM.", "models"),
    Capability("agent_list", "agent", "Agents that the image carries, e.g. hss, ces.", "models"),
    Capability("fc_inject", "cloud_init",
               "Password and key injection by Cloud-Init; upstream true means NOT supported.", inverted=True),
    Capability("kvm_hi1822_hisriov", "network", "SR-IOV of the Hi1822 network card on KVM."),
    Capability("kvm_hi1822_hivirtionet", "network", "Virtio-net of the Hi1822 network card on KVM."),
    Capability("kvm_hi1822_hiovs", "network", "Open vSwitch offload of the Hi1822 network card on KVM."),
    Capability("kvm_nvme_spdk", "other", "NVMe by SPDK on KVM."),
    Capability("nvme_highio", "size", "High-I/O servers with NVMe disks."),
    Capability("gpu_t4", "gpu", "GPU model T4."),
    Capability("kvm_ascend_310", "gpu", "Ascend 310 accelerators on KVM."),
    Capability("live_resize", "other", "Resized without a stop."),
    Capability("o3s", "other", "Undocumented; seen in real bodies."),
)  # fmt: skip
"""Documented or seen capabilities; any other `__support_*` key joins the table `capabilities` when first seen."""
