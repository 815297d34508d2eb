"""The cookbook of docs/reporting.md: each question's SQL, as it stands there, on a catalog with known contents."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import psycopg
import pytest
import yaml
from psycopg import sql

from catalog.settings import DatabaseSettings
from catalog.store import rights
from catalog.store.database import Database
from tests.integration.views.conftest import T0, Shelf, days

PAGE = (Path(__file__).parents[3] / "docs" / "reporting.md").read_text(encoding="utf-8")
COOKBOOK = dict(re.findall(r"^### ([^\n]+)\n\n```sql\n(.*?)^```$", PAGE, flags=re.DOTALL | re.MULTILINE))
"""Question to SQL."""

GIB = 2**30
NOW = datetime.now(UTC).replace(microsecond=0)
_checked: list[str] = []


def ago(number: float) -> datetime:
    """So many days before the tests began; questions such as "last week" count from now."""
    return NOW - timedelta(days=number)


def asked(question: str) -> pytest.MarkDecorator:
    """The SQL of a question, as the argument `answer_by`. A question that the page does not hold is an error."""
    _checked.append(question)
    return pytest.mark.parametrize("answer_by", [pytest.param(COOKBOOK[question], id="sql")])


def told(shelf: Shelf, query: str, *columns: str) -> list[tuple[Any, ...]]:
    """The answer, in its order, cut to these columns."""
    return [tuple(row[column] for column in columns) for row in shelf.ask(query)]


@contextmanager
def reader(database_url: str) -> Iterator[psycopg.Connection[Any]]:
    """A connection with no more rights than `catalog db grant ROLE --as reader` gives, READ ONLY."""
    role = f"reader_{os.getpid()}"
    with Database(DatabaseSettings(url=database_url, data_dir=Path())) as database:
        dsn = database.libpq_url
        with psycopg.connect(dsn, autocommit=True) as owner:
            owner.execute(sql.SQL("CREATE ROLE {} NOLOGIN").format(sql.Identifier(role)))
            try:
                rights.grant(database, role, "reader")
                with psycopg.connect(dsn, autocommit=True) as connection:
                    connection.execute(sql.SQL("SET ROLE {}").format(sql.Identifier(role)))
                    connection.execute("SET default_transaction_read_only = on")
                    yield connection
            finally:
                owner.execute(sql.SQL("DROP OWNED BY {}").format(sql.Identifier(role)))
                owner.execute(sql.SQL("DROP ROLE {}").format(sql.Identifier(role)))


# ---- the page -------------------------------------------------------------------------------------------


def test_every_question_of_the_page_is_checked_here_and_says_its_columns() -> None:
    assert sorted(_checked) == sorted(COOKBOOK)
    assert len(COOKBOOK) >= 20
    columns = re.findall(r"^### .+\n\n```sql\n(?:(?!```).*\n)*```\n\n→ `[^`]+`", PAGE, flags=re.MULTILINE)
    assert len(columns) == len(COOKBOOK)


def test_a_role_that_only_reads_can_ask_all_of_them(shelf: Shelf, database_url: str) -> None:
    source = shelf.source()
    shelf.image(source, "a")
    with reader(database_url) as connection:
        for query in COOKBOOK.values():
            connection.execute(query.encode())
        with pytest.raises(psycopg.errors.ReadOnlySqlTransaction):
            connection.execute("DELETE FROM images")
        connection.execute("SET default_transaction_read_only = off")
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            connection.execute("DELETE FROM images")


def test_what_tools_are_told_to_read_is_there(shelf: Shelf) -> None:
    views = set(shelf.column("SELECT viewname FROM pg_views WHERE schemaname = 'public'"))
    documents = [yaml.safe_load(block) for block in re.findall(r"```yaml\n(.*?)```", PAGE, flags=re.DOTALL)]
    (dbt,) = (document["sources"][0] for document in documents if "sources" in document)
    assert {table["name"] for table in dbt["tables"]} <= views
    (listed,) = re.findall(r"leave\s+the views: ((?:`\w+`[,\s]*)+)", PAGE)
    assert set(re.findall(r"`(\w+)`", listed)) <= views
    for column, view in re.findall(r"`(\w+)` of\s+`(\w+)`", PAGE):
        shelf.ask(f"SELECT {column} FROM {view}")


# ---- choose an image ------------------------------------------------------------------------------------


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


# ---- move away in time ----------------------------------------------------------------------------------


@asked("Which images should I move away from, and where to?")
def test_move_away(shelf: Shelf, answer_by: str) -> None:
    source = shelf.source()
    shelf.image(source, "new", name="Debian 12", created_at=days(9))
    shelf.image(source, "old", name="Debian 12 (old20260101)", created_at=days(1))
    shelf.image(source, "unlisted", name="Debian 12 (20251201)", unlisted_since=days(10))
    shelf.image(source, "gone", name="Debian 12 (20251101)", deleted_at=days(2))
    shelf.image(source, "alone", name="CentOS 7", status="deactivated")
    assert told(
        shelf, answer_by, "image_id", "state", "state_since", "use_instead_id", "use_instead_name"
    ) == [
        ("alone", "deactivated", None, None, None),
        ("old", "superseded", days(9), "new", "Debian 12"),
        ("unlisted", "unlisted", days(10), "new", "Debian 12"),
    ]


@asked("What ends within 90 days?")
def test_what_ends(shelf: Shelf, answer_by: str) -> None:
    source = shelf.source()
    today = shelf.one("SELECT (now() AT TIME ZONE 'UTC')::date AS today")["today"]

    def promised(image_id: str, in_days: int, **columns: Any) -> None:
        until = (today + timedelta(days=in_days)).isoformat()
        shelf.image(source, image_id, properties={"provided_until": until}, **columns)

    promised("overdue", -3)
    promised("last", 90)
    promised("later", 91)
    promised("gone", 5, deleted_at=days(1))
    promised("old_20260101", 30, name="web_20260101", created_at=days(1))
    shelf.image(source, "new", name="web_20260201", created_at=days(2))
    shelf.image(source, "notice", properties={"provided_until": "notice"})
    assert told(shelf, answer_by, "image_id", "state", "days_left", "use_instead_id") == [
        ("overdue", "current", -3, None),
        ("old_20260101", "superseded", 30, "new"),
        ("last", "current", 90, None),
    ]


@asked("What was the life of a family?")
def test_the_life_of_a_family(shelf: Shelf, answer_by: str) -> None:
    source = shelf.source()
    common: dict[str, Any] = {"owner": "cloud", "architecture": "x86_64"}
    shelf.image(
        source, "first", name="Ubuntu 22.04 (20260101)", created_at=days(1), deleted_at=days(30), **common
    )
    shelf.image(source, "second", name="Ubuntu 22.04 (20260201)", created_at=days(10), **common)
    shelf.image(source, "third", name="Ubuntu 22.04", created_at=days(20), **common)
    shelf.image(
        source, "arm", name="Ubuntu 22.04", created_at=days(15), owner="cloud", architecture="aarch64"
    )
    shelf.image(source, "snap", name="Ubuntu 22.04", created_at=days(16), image_kind="snapshot", **common)
    shelf.image(source, "other", name="Ubuntu 24.04", created_at=days(17), **common)
    shelf.revision(source, "second", days(10), days(11), "created")
    shelf.revision(
        source, "second", days(11), days(20), changed={"name": ["Ubuntu 22.04 beta", "Ubuntu 22.04"]}
    )
    shelf.revision(source, "second", days(20), changed={"name": ["Ubuntu 22.04", "Ubuntu 22.04 (20260201)"]})
    assert told(
        shelf,
        answer_by,
        "image_id",
        "former_names",
        "born_at",
        "followed_at",
        "deleted_at",
        "state",
        "state_since",
    ) == [
        ("arm", None, days(15), None, None, "current", days(15)),
        ("first", None, days(1), days(10), days(30), "gone", days(30)),
        ("second", "Ubuntu 22.04 beta, Ubuntu 22.04", days(10), days(20), None, "superseded", days(20)),
        ("third", None, days(20), None, None, "current", days(20)),
    ]


@asked("Which of our images are built on one that is superseded, withdrawn or gone?")
def test_built_on_something_old(shelf: Shelf, answer_by: str) -> None:
    source = shelf.source()
    shelf.image(source, "new", name="Debian 12", created_at=days(9))
    shelf.image(source, "old", name="Debian 12 (old20260101)", created_at=days(1))
    shelf.image(source, "up_to_date", parent_image_id="new")
    shelf.image(source, "behind", parent_image_id="old", owner="p")
    shelf.image(source, "grandchild", parent_image_id="behind")
    shelf.image(source, "orphan", parent_image_id="never seen")
    shelf.image(source, "self", parent_image_id="self")
    shelf.image(source, "dead", parent_image_id="old", deleted_at=days(3))
    shelf.image(source, "of_dead", parent_image_id="dead")
    assert told(shelf, answer_by, "image_id", "ancestor_id", "depth", "ancestor_state", "use_instead_id") == [
        ("behind", "old", 1, "superseded", "new"),
        ("grandchild", "old", 2, "superseded", "new"),
        ("of_dead", "dead", 1, "gone", None),
        ("of_dead", "old", 2, "superseded", "new"),
        ("orphan", "never seen", 1, "missing", None),
    ]


# ---- look back ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("zone", ["UTC", "America/Los_Angeles"])
@asked("What was in the catalog at the end of a day in Berlin, and how sure is that?")
def test_the_end_of_a_day_in_berlin(shelf: Shelf, answer_by: str, zone: str) -> None:
    """29 March 2026 has 23 hours in Berlin and ends at 22:00 UTC."""
    end = datetime(2026, 3, 29, 22, tzinfo=UTC)
    instant, hour = timedelta(microseconds=1), timedelta(hours=1)
    shelf.connection.execute(f"SET timezone = '{zone}'")
    source = shelf.source("one")
    young = shelf.source("young", observed_since=end + hour)
    for image_id in ("stays", "renamed", "goes", "went", "comes"):
        shelf.image(source, image_id)
    shelf.revision(source, "stays", T0, change="created", owner="p", platform="Ubuntu")
    shelf.revision(source, "renamed", T0, end - instant, "created", name="before")
    shelf.revision(source, "renamed", end - instant, name="at last")
    shelf.revision(source, "goes", T0, end, "created")
    shelf.revision(source, "goes", end, change="deleted", deleted_at=end)
    shelf.revision(source, "went", T0, end - instant, "created")
    shelf.revision(source, "went", end - instant, change="deleted", deleted_at=end - instant)
    shelf.revision(source, "comes", end, change="created")
    shelf.image(young, "told")
    shelf.revision(young, "told", end + hour, change="created", valid_from=days(1))
    for at, complete in ((-5, True), (-1, True), (-0.5, False), (0.5, False), (2, True), (3, True)):
        shelf.observation(source, end + at * hour, complete=complete)
    shelf.observation(young, end + hour)
    assert told(
        shelf, answer_by, "source", "image_id", "name", "complete_before", "complete_after", "observed"
    ) == [
        ("one", "renamed", "at last", end - hour, end + 2 * hour, True),
        ("one", "goes", "goes", end - hour, end + 2 * hour, True),
        ("one", "stays", "stays", end - hour, end + 2 * hour, True),
        ("young", "told", "told", None, end + hour, False),
    ]


@asked("What differs between two moments?")
def test_two_moments(shelf: Shelf, answer_by: str) -> None:
    source = shelf.source()
    before, between, later = days(-10), days(10), days(20)
    shelf.revision(source, "same", before, change="created")
    shelf.revision(source, "renamed", before, between, "created", name="old")
    shelf.revision(source, "renamed", between, name="new")
    shelf.revision(source, "gone", before, between, "created")
    shelf.revision(source, "gone", between, change="deleted", deleted_at=between)
    shelf.revision(source, "came", between, change="created")
    shelf.revision(source, "back", before - timedelta(1), before, "created")
    shelf.revision(source, "back", before, between, "deleted", deleted_at=before)
    shelf.revision(source, "back", between, change="restored")
    shelf.revision(source, "flash", between, later, "created")
    shelf.revision(source, "flash", later, change="deleted", deleted_at=later)
    shelf.revision(source, "long_gone", before - timedelta(1), before, "created")
    shelf.revision(source, "long_gone", before, between, change="deleted", deleted_at=before)
    shelf.revision(source, "long_gone", between, change="deleted", deleted_at=before)
    shelf.revision(source, "too_late", days(40), change="created")
    assert told(shelf, answer_by, "image_id", "name", "difference", "old_name", "since") == [
        ("back", "back", "came", "back", between),
        ("came", "came", "came", None, between),
        ("renamed", "new", "changed", "old", between),
        ("gone", "gone", "gone", "gone", between),
    ]


@asked("What changed last week, counted once and not once a project?")
def test_changes_are_counted_once(shelf: Shelf, answer_by: str) -> None:
    """Three projects of one cloud see the same public image; the service of another cloud has the same id."""
    first = shelf.source("a", cloud="otc", region="eu-de", project_id="pa")
    owner = shelf.source("b", cloud="otc", region="eu-de", project_id="pb")
    late = shelf.source("c", cloud="otc", region="eu-de", project_id="pc")
    other = shelf.source("d", cloud="elsewhere", region="eu-de", project_id="pd")
    for source, seen in ((first, ago(50)), (owner, ago(40)), (late, ago(1)), (other, ago(30))):
        shelf.image(source, "gold", owner="cloud", first_seen_at=seen)
        change = "created" if source == late else "updated"
        shelf.revision(
            source,
            "gold",
            ago(2) if source == late else ago(3),
            change=change,
            changed={"status": ["active", "deactivated"], "updated_at": ["x", "y"]},
        )
    for source in (first, owner):
        shelf.image(source, "shared", owner="pb", first_seen_at=ago(50) if source == first else ago(10))
        shelf.revision(source, "shared", ago(10), ago(5), "created")
    shelf.revision(first, "shared", ago(5), change="deleted", deleted_at=ago(5))
    shelf.revision(owner, "shared", ago(5), ago(4), changed={"min_ram": [1, 2]})
    shelf.revision(owner, "shared", ago(4), ago(2), changed={"min_ram": [2, 1]})
    shelf.revision(owner, "shared", ago(2), changed={"min_ram": [1, 2]})
    shelf.image(first, "early", first_seen_at=ago(8))
    shelf.revision(first, "early", ago(8), change="created")
    columns = (
        "changed_at",
        "source",
        "image_id",
        "change",
        "field",
        "old_text",
        "new_text",
        "seen_by_sources",
    )
    assert told(shelf, answer_by, *columns) == [
        (ago(2), "b", "shared", "updated", "min_ram", "1", "2", 2),
        (ago(3), "a", "gold", "updated", "status", "active", "deactivated", 3),
        (ago(3), "d", "gold", "updated", "status", "active", "deactivated", 1),
        (ago(4), "b", "shared", "updated", "min_ram", "2", "1", 2),
        (ago(5), "b", "shared", "updated", "min_ram", "1", "2", 2),
    ]


@asked("How many images come and go each week?")
def test_weeks(shelf: Shelf, answer_by: str) -> None:
    one, two = (shelf.source(name, cloud="otc", region="r") for name in ("one", "two"))
    monday = datetime(2026, 3, 2, tzinfo=UTC)
    week = timedelta(weeks=1)
    instant = timedelta(microseconds=1)
    shelf.image(one, "sunday", created_at=monday - instant)
    for source, left in ((one, monday + week), (two, monday + 2 * week)):
        shelf.image(source, "both", created_at=monday, first_seen_at=monday + week, deleted_at=left)
    shelf.image(one, "stays_in_two", created_at=monday, deleted_at=monday)
    shelf.image(two, "stays_in_two", created_at=monday)
    shelf.image(two, "dateless", created_at=None, first_seen_at=monday + 2 * week)
    assert told(shelf, answer_by, "week_from", "came", "went") == [
        (date(2026, 3, 16), 1, 1),
        (date(2026, 3, 2), 2, 0),
        (date(2026, 2, 23), 1, 0),
    ]


@asked("How many images of each platform were there, month by month?")
def test_platforms_by_month(shelf: Shelf, answer_by: str) -> None:
    source = shelf.source()
    months = [
        row["m"]
        for row in shelf.ask(
            "SELECT date_trunc('month', now(), 'UTC') AS this, (date_trunc('month', now() AT TIME ZONE 'UTC')"
            " - make_interval(months => back)) AT TIME ZONE 'UTC' AS m FROM generate_series(0, 12) AS back"
        )
    ]
    shelf.revision(source, "a", months[1], change="created", platform="Ubuntu")
    shelf.revision(source, "b", months[1] + timedelta(seconds=1), change="created", platform="Ubuntu")
    shelf.revision(source, "nameless", months[1], change="created")
    shelf.revision(source, "dead", months[2], months[1], "created", platform="Debian")
    shelf.revision(source, "dead", months[1], change="deleted", platform="Debian", deleted_at=months[1])
    rows = told(shelf, answer_by, "month_from", "platform", "images")
    assert [(month.replace(tzinfo=UTC), platform, images) for month, platform, images in rows] == [
        (months[2], "Debian", 1),
        (months[1], "(none)", 1),
        (months[1], "Ubuntu", 1),
        (months[0], "Ubuntu", 2),
        (months[0], "(none)", 1),
    ]


@asked("Who opened an image to others?")
def test_opened(shelf: Shelf, answer_by: str) -> None:
    source = shelf.source()
    shelf.image(source, "a", owner="p", visibility="private")
    shelf.revision(source, "a", T0, days(1), changed={"visibility": ["private", "public"]})
    shelf.revision(source, "a", days(1), changed={"visibility": ["public", "private"]})
    columns = ("changed_at", "image_id", "owner", "was", "became", "is_now")
    assert told(shelf, answer_by, *columns) == [(T0, "a", "p", "private", "public", "private")]


@asked("What did a key of one image hold, and when?")
def test_a_key_over_time(shelf: Shelf, answer_by: str) -> None:
    source, image_id = shelf.source(), "7f0c4f52-0b5e-4f0e-9d43-6a2b7d4b1f10"
    for start, end, bus in ((T0, days(1), "scsi"), (days(1), None, "virtio")):
        shelf.revision(source, image_id, start, end)
        document = {"id": image_id, "hw_disk_bus": bus}
        key = {"source_id": source, "image_id": image_id, "observed_at": start}
        shelf.insert("revision_documents", key | {"document": document})
    shelf.revision(source, "another", T0)
    assert told(shelf, answer_by, "source", "valid_from", "valid_to", "hw_disk_bus") == [
        ("one", T0, days(1), "scsi"),
        ("one", days(1), None, "virtio"),
    ]


# ---- tidy up --------------------------------------------------------------------------------------------


@asked("How much storage does each project use?")
def test_storage(shelf: Shelf, answer_by: str) -> None:
    one, two = (shelf.source(name, cloud="otc", region="r") for name in ("one", "two"))
    shelf.insert("projects", {"source_id": two, "project_id": "p", "name": "shop", "seen_at": T0})
    for source in (one, two):
        shelf.image(source, "seen_twice", owner="p", size=GIB)
    shelf.image(one, "half", owner="p", size=GIB // 2)
    shelf.image(one, "stub", owner="p", size=0)
    shelf.image(one, "dead", owner="p", size=GIB, deleted_at=days(1))
    shelf.image(two, "q", owner="q", size=4 * GIB)
    shelf.image(two, "unknown", owner="r")
    columns = ("owner", "owner_name", "images", "size_gib", "images_of_unknown_size")
    assert told(shelf, answer_by, *columns) == [
        ("q", None, 1, Decimal("4.00"), 0),
        ("p", "shop", 3, Decimal("1.50"), 1),
        ("r", None, 1, None, 1),
    ]


@asked("Which old snapshots have no descendants?")
def test_old_snapshots(shelf: Shelf, answer_by: str) -> None:
    source, other = shelf.source(), shelf.source("other")
    old: dict[str, Any] = {"image_kind": "snapshot", "created_at": ago(181)}
    shelf.image(source, "idle", size=GIB, **old)
    shelf.image(source, "of_a_server", source_server_id="srv", created_at=ago(200), protected=True)
    shelf.image(source, "its_own_parent", parent_image_id="its_own_parent", size=2 * GIB, **old)
    shelf.image(source, "young", image_kind="snapshot", created_at=ago(179))
    shelf.image(source, "uploaded", created_at=ago(999))
    shelf.image(source, "used", **old)
    shelf.image(source, "dead_child", parent_image_id="used", deleted_at=days(1))
    shelf.image(source, "grandchild", parent_image_id="dead_child")
    shelf.image(source, "used_elsewhere", **old)
    shelf.image(other, "used_elsewhere", **old)
    shelf.image(other, "child", parent_image_id="used_elsewhere")
    shelf.image(source, "only_dead_child", size=GIB // 2, **old)
    shelf.image(source, "dead", parent_image_id="only_dead_child", deleted_at=days(1))
    assert told(shelf, answer_by, "image_id", "age_days", "size_gib", "protected") == [
        ("its_own_parent", 181, Decimal("2.00"), None),
        ("idle", 181, Decimal("1.00"), None),
        ("only_dead_child", 181, Decimal("0.50"), None),
        ("of_a_server", 200, None, True),
    ]


@asked("Which images are stored more than once?")
def test_same_content(shelf: Shelf, answer_by: str) -> None:
    one, two = (shelf.source(name, cloud="otc", region="r") for name in ("one", "two"))
    for source in (one, two):
        shelf.image(source, "seen_twice", hash_value="h1", size=GIB)
    for number in range(3):
        shelf.image(
            one, f"copy{number}", name=f"n{number % 2}", owner=f"p{number}", hash_value="h2", size=GIB
        )
    shelf.image(one, "old1", checksum="c", size=GIB // 2)
    shelf.image(one, "old2", checksum="c", size=GIB // 2)
    shelf.image(one, "empty1", checksum="d41d8", size=0)
    shelf.image(one, "empty2", checksum="d41d8", size=0)
    assert told(shelf, answer_by, "content", "images", "names", "owners", "spare_gib") == [
        ("h2", 3, "n0, n1", 3, Decimal("2.00")),
        ("c", 2, "old1, old2", 0, Decimal("0.50")),
    ]


@asked("Which of our images lack a tag that they should have?")
def test_untagged(shelf: Shelf, answer_by: str) -> None:
    source = shelf.source()
    shelf.image(source, "bare")
    shelf.image(source, "other", visibility="shared", tags=["envy", "my env=x", "team=web"])
    shelf.image(source, "tagged", visibility="private", tags=["env=prod"])
    shelf.image(source, "public", visibility="public")
    assert told(shelf, answer_by, "image_id", "tags_text") == [
        ("bare", ""),
        ("other", "envy, my env=x, team=web"),
    ]


@asked("Which values does a property have?")
def test_property_values(shelf: Shelf, answer_by: str) -> None:
    source = shelf.source()
    values: dict[str, Any] = {"a": "scsi", "b": "scsi", "c": ["virtio", "ide"], "dead": "scsi"}
    for image_id, value in values.items():
        shelf.image(source, image_id, deleted_at=days(1) if image_id == "dead" else None)
        for name in ("hw_disk_bus", "another"):
            shelf.connection.execute(
                "INSERT INTO image_properties VALUES (%s, %s, %s, %s)",
                (source, image_id, name, psycopg.types.json.Jsonb(value)),
            )
    assert told(shelf, answer_by, "property", "value", "images") == [
        ("hw_disk_bus", "scsi", 2),
        ("hw_disk_bus", "virtio, ide", 1),
    ]


@asked("How long do images live?")
def test_life_spans(shelf: Shelf, answer_by: str) -> None:
    source = shelf.source()
    for number, platform in ((1, "Ubuntu"), (2, "Ubuntu"), (9, "Ubuntu"), (4.5, None)):
        shelf.image(source, f"i{number}", platform=platform, deleted_at=days(number))
    shelf.image(source, "alive", platform="Debian")
    assert told(shelf, answer_by, "platform", "images", "median_days", "longest_days") == [
        ("Ubuntu", 3, 2, 9),
        ("(none)", 1, Decimal("4.5"), Decimal("4.5")),
    ]


# ---- trust the answer -----------------------------------------------------------------------------------


@asked("Which images are stuck on their way?")
def test_stuck(shelf: Shelf, answer_by: str) -> None:
    source = shelf.source()
    shelf.spell(source, "stuck", "queued", ago(1), ago(0.5))
    shelf.spell(source, "stuck", "saving", ago(0.5))
    shelf.spell(source, "coming", "saving", ago(0.5 / 24))
    shelf.spell(source, "ready", "saving", ago(1), ago(0.5))
    shelf.spell(source, "ready", "active", ago(0.5))
    rows = told(shelf, answer_by, "image_id", "status", "entered_at", "hours")
    assert [row[:3] for row in rows] == [("stuck", "saving", ago(0.5))]
    assert 12 <= rows[0][3] < 13


@asked("How old is what the catalog says?")
def test_freshness(shelf: Shelf, answer_by: str) -> None:
    shelf.source("fresh", last_complete_at=ago(0), expected_seconds=900.0)
    failing = {"failing_since": ago(1), "error_kind": "login"}
    old = shelf.source("old", last_complete_at=ago(2), expected_seconds=900.0, **failing)
    shelf.source("retired", last_complete_at=ago(100), retired_at=ago(99))
    held = {"source_id": old, "image_id": "a", "run_id": "00000000-0000-4000-8000-000000000001"}
    shelf.insert("held_deletions", held | {"observed_at": ago(2), "decision": "open"})
    columns = ("source", "expected_minutes", "stale", "failing_since", "error_kind", "held")
    assert told(shelf, answer_by, *columns) == [
        ("old", 15, True, ago(1), "login", 1),
        ("fresh", 15, False, None, None, 0),
    ]
    assert 2880 <= shelf.ask(answer_by)[0]["age_minutes"] < 2940


@asked("What went wrong in the last day?")
def test_failures(shelf: Shelf, answer_by: str) -> None:
    source = shelf.source()
    for number, (at, outcome, kind, error) in enumerate(
        (
            (ago(0.1), "failed", "login", "401"),
            (ago(0.2), "failed", "login", "refused"),
            (ago(0.3), "partial", "deadline", "cut"),
            (ago(0.05), "complete", None, None),
            (ago(0.01), None, None, None),
            (ago(1.5), "failed", "network", "no route"),
        )
    ):
        run: dict[str, Any] = {
            "run_id": f"00000000-0000-4000-8000-{number:012}",
            "kind": "sync",
            "started_at": at,
        }
        shelf.insert(
            "runs", run | {"source_id": source, "outcome": outcome, "error_kind": kind, "error": error}
        )
    columns = ("source", "outcome", "error_kind", "runs", "last_started_at", "last_error")
    assert told(shelf, answer_by, *columns) == [
        ("one", "failed", "login", 2, ago(0.1), "401"),
        ("one", "partial", "deadline", 1, ago(0.3), "cut"),
    ]
