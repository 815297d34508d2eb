"""Choosing an image: the answers of docs/reporting.md, on a catalog with known contents."""

from __future__ import annotations

from datetime import date
from typing import Any

import psycopg

from catalog.report.latest import Wanted, latest_images
from tests.integration.views.conftest import T0, Shelf, days
from tests.integration.views.cookbook import asked, told


@asked("Which operating systems are there?")
def test_the_systems_that_are_there(shelf: Shelf, answer_by: str) -> None:
    one, two = shelf.source("one"), shelf.source("two")
    ims: dict[str, Any] = {"platform": "Ubuntu", "os_version": "Ubuntu 22.04 server 64bit", "os_bit": 64}
    glance: dict[str, Any] = {"platform": "ubuntu", "os_version": "22.04", "architecture": "x86_64"}
    shelf.image(one, "a", **ims)
    shelf.image(one, "b", **glance)
    shelf.image(one, "gone", **glance, deleted_at=days(1))
    shelf.image(two, "c", **glance)
    shelf.image(two, "d", name="backup")
    assert told(shelf, answer_by, "source", "distro", "release", "arch", "images", "support_ends_on") == [
        ("one", "ubuntu", "22.04", "x86_64", 2, date(2027, 4, 1)),
        ("two", "ubuntu", "22.04", "x86_64", 1, date(2027, 4, 1)),
        ("two", None, None, None, 1, None),
    ]


@asked("Which images run on KVM together with a GPU or HANA?")
def test_kvm_with_a_gpu_or_hana(shelf: Shelf, answer_by: str) -> None:
    source = shelf.source()
    shelf.image(source, "both", flags={"kvm": True, "kvm_gpu_type": True, "xen_hana": True})
    shelf.connection.execute(
        "UPDATE image_capabilities SET models = '{P100,T4}' WHERE capability = 'kvm_gpu_type'"
    )
    shelf.image(source, "hana", flags={"kvm": True, "xen_hana": True}, platform="SUSE", os_version="15")
    shelf.image(source, "said_no", flags={"kvm": True, "kvm_gpu_type": False})
    shelf.image(source, "no_kvm", flags={"kvm": False, "xen_gpu_type": True})
    shelf.image(source, "kvm_only", flags={"kvm": True, "largememory": True})
    shelf.image(source, "dead", flags={"kvm": True, "xen_hana": True}, deleted_at=days(1))
    assert told(shelf, answer_by, "image_id", "platform", "os_version", "gpu_or_hana") == [
        ("both", None, None, "kvm_gpu_type: P100, T4; xen_hana"),
        ("hana", "SUSE", "15", "xen_hana"),
    ]


@asked("Which images start on a server with 2 GB of memory and a disk of 20 GB?")
def test_what_fits(shelf: Shelf, answer_by: str) -> None:
    source = shelf.source()
    shelf.image(source, "fits", min_ram=2048, min_disk=20)
    shelf.image(source, "silent")
    shelf.image(source, "hungry", min_ram=2049, min_disk=1)
    shelf.image(source, "wide", min_ram=1, min_disk=21)
    shelf.image(source, "hid", hidden=True)
    assert told(shelf, answer_by, "image_id", "min_ram_mb", "min_disk_gb") == [
        ("fits", 2048, 20),
        ("silent", None, None),
    ]


@asked("Which image of each family do I take today?")
def test_the_image_to_take(shelf: Shelf, answer_by: str) -> None:
    source = shelf.source()
    public: dict[str, Any] = {"visibility": "public", "owner": "cloud"}
    shelf.image(source, "old", name="Ubuntu 22.04 (20260101)", created_at=days(1), **public)
    shelf.image(source, "new", name="Ubuntu 22.04", created_at=days(2), **public)
    shelf.image(source, "arm", name="Ubuntu 22.04", architecture="aarch64", created_at=days(1), **public)
    shelf.image(source, "debian", name="Debian 12", properties={"provided_until": "2028-06-30"}, **public)
    shelf.image(source, "mine", name="web", visibility="private")
    shelf.image(source, "stopped", name="CentOS 7", status="deactivated", **public)
    assert told(shelf, answer_by, "family", "architecture", "image_id", "state_since", "promised_until") == [
        ("Debian 12", None, "debian", T0, date(2028, 6, 30)),
        ("Ubuntu 22.04", "aarch64", "arm", days(1), None),
        ("Ubuntu 22.04", None, "new", days(2), None),
    ]


@asked("What is the newest Ubuntu 22.04 of a region?")
def test_the_newest_of_a_region(shelf: Shelf, answer_by: str) -> None:
    """The answer of `catalog latest`, too."""
    region, other = shelf.source("otc/eu-de"), shelf.source("otc/eu-nl")
    keys = {"platform": "Ubuntu", "os_version": "Ubuntu 22.04 server 64bit", "os_bit": 64}
    public: dict[str, Any] = {"name": "Ubuntu 22.04", "visibility": "public", **keys}
    shelf.image(region, "old", created_at=days(1), **public)
    shelf.image(region, "first", created_at=days(2), **public)
    shelf.image(region, "second", created_at=days(2), **public)
    for number, reason in enumerate(
        (
            {"visibility": "private"},
            {"hidden": True},
            {"unlisted_since": days(8)},
            {"status": "deactivated"},
            {"deleted_at": days(8)},
            {"is_off_shelved": True},
            {"image_kind": "snapshot"},
            {"architecture": "aarch64"},
            {"os_version": "24.04"},
            {"properties": {"os_purpose": "gpu"}},
            {"properties": {"os_purpose": "oldgeneric"}},
        )
    ):
        shelf.image(region, f"not{number}", created_at=days(5), **public | reason)
    shelf.image(region, "announced", created_at=days(5), **public)
    row = {"source_id": region, "scope": "image", "subject": "announced", "announced_at": days(1)}
    shelf.insert("image_announcements", row | {"deprecated_at": days(2)})
    shelf.image(other, "elsewhere", created_at=days(9), **public)
    assert told(shelf, answer_by, "source", "image_id", "created_at") == [("otc/eu-de", "second", days(2))]
    asked_for = Wanted(
        os="ubuntu-22.04", arch="x86_64", purpose="generic", visibility="public", source=("otc/eu-de",)
    )
    with psycopg.connect(shelf.connection.info.dsn) as connection:
        assert [row["image_id"] for row in latest_images(connection, asked_for).dicts()] == ["second"]


@asked("Is the same system in every region, and how old is it there?")
def test_the_same_system_everywhere(shelf: Shelf, answer_by: str) -> None:
    public: dict[str, Any] = {"platform": "ubuntu", "os_version": "22.04", "visibility": "public"}
    for name, born in (("one", 10), ("two", 2)):
        source = shelf.source(name)
        shelf.image(source, f"{name}-new", created_at=days(born), **public)
        shelf.image(source, f"{name}-old", created_at=days(0), **public)
        shelf.image(source, "gpu", properties={"os_purpose": "gpu"}, created_at=days(20), **public)
        mine = public | {"visibility": "private"}
        shelf.image(source, "of a project", created_at=days(30), **mine)  # hides none that all may use
    assert told(shelf, answer_by, "distro", "source", "image_id", "behind_days") == [
        ("ubuntu", "one", "one-new", 0),
        ("ubuntu", "two", "two-new", 8),
    ]


@asked("Which public images does one region lack that another has?")
def test_what_a_region_lacks(shelf: Shelf, answer_by: str) -> None:
    de, nl = shelf.source("otc/eu-de"), shelf.source("otc/eu-nl")
    shelf.image(de, "a", name="Ubuntu 22.04 (20260101)", visibility="public")
    shelf.image(nl, "b", name="Ubuntu 22.04 latest", visibility="public")
    shelf.image(de, "c", name="Debian 12", visibility="public")
    shelf.image(nl, "d", name="Debian 12", visibility="public", hidden=True)
    shelf.image(nl, "e", name="Rocky 9", visibility="public")
    shelf.image(nl, "f", name="own", visibility="private")
    assert told(shelf, answer_by, "family", "missing_in") == [
        ("Debian 12", "otc/eu-nl"),
        ("Rocky 9", "otc/eu-de"),
    ]


@asked("Which images do not take passwords and keys by Cloud-Init?")
def test_no_injection(shelf: Shelf, answer_by: str) -> None:
    source = shelf.source()
    shelf.image(source, "refuses", flags={"fc_inject": False})
    shelf.image(source, "takes", flags={"fc_inject": True})
    shelf.image(source, "silent")
    assert told(shelf, answer_by, "image_id") == [("refuses",)]
