"""Which settings hold for a source that a command names: an entry's, a pattern's (`projects = "*"`), `[defaults]`."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator

import pytest

from catalog.demo import Cloud
from catalog.demo.cloud import Record
from tests.acceptance.cli.conftest import Desk
from tests.identity import PASSWORD, IdentityService, service_entry
from tests.support.cloud_server import CloudServer

Make = Callable[..., Record]
SAVED = "images-2026-03-01T000000Z.json"
HUSH = "hush-hush"
DEFAULTS = '[defaults]\nredact = ["owner_user_name"]\nignore = ["noise"]\ndeletion_limit_count = 1\n'
PATTERN = '[[sources]]\nname = "meadow/{project}"\nkind = "glance"\ncloud = "meadow"\nprojects = "*"\n'
OF_ITS_OWN = 'redact = ["note"]\nignore = ["os_glance_*"]\ndeletion_limit_count = 10\n'


@pytest.fixture
def identity() -> Iterator[IdentityService]:
    """An identity service with the projects "hay" and "straw"."""
    with IdentityService().running() as service:
        yield service


@pytest.fixture
def meadow(desk: Desk, identity: IdentityService, record: Make) -> Desk:
    """A cloud of several projects that no entry names, and a listing in a file."""
    server = desk.stack.enter_context(CloudServer(Cloud("glance", [record(1)])))
    identity.catalogue = [service_entry("image", north=server.endpoint)]
    account = {"auth_url": identity.url, "username": "ann", "password": PASSWORD, "project_name": "hay",
               "user_domain_name": "Default", "project_domain_name": "Default"}  # fmt: skip
    clouds = {"clouds": {"meadow": {"auth": account, "region_name": "north"}}}
    (desk.folder / "clouds.yaml").write_text(json.dumps(clouds))
    write(desk, record(1, owner_user_name=HUSH, note=HUSH), record(2), record(3), record(4))
    return desk


def write(desk: Desk, *records: Record, day: str = "2026-03-01") -> str:
    name = SAVED.replace("2026-03-01", day)
    (desk.folder / name).write_text(json.dumps({"images": list(records)}))
    return name


def configure(desk: Desk, *parts: str) -> None:
    desk.entries = list(parts)
    desk.write_configuration()


def hashed(desk: Desk) -> set[str]:
    """The keys of image-001 that are stored as a hash."""
    ((document,),) = desk.query(
        "SELECT document::text FROM revision_documents WHERE document::jsonb->>'id' = %s", "image-001"
    )
    return {key for key, value in json.loads(document).items() if str(value).startswith("sha256:")}


@pytest.mark.parametrize(
    ("name", "parts", "expected"),
    [
        ("meadow/hay", (DEFAULTS, PATTERN), {"owner_user_name"}),
        ("meadow/hay", (DEFAULTS, PATTERN, OF_ITS_OWN), {"note"}),
        ("elsewhere", (DEFAULTS, PATTERN, OF_ITS_OWN), {"owner_user_name"}),
    ],
)
def test_what_is_redacted_in_a_source_by_pattern_or_defaults_is_loaded_as_its_hash_only(
    meadow: Desk, name: str, parts: tuple[str, ...], expected: set[str]
) -> None:
    """An entry's `redact` replaces that of `[defaults]`, which holds for a source that no entry means."""
    configure(meadow, *parts)
    kind = [] if name.startswith("meadow/") else ["--kind", "glance"]
    done = meadow.run("backfill", name, SAVED, *kind)
    assert done.code == 0, done.err
    assert hashed(meadow) == expected


@pytest.mark.parametrize("name", ["meadow/hay", "elsewhere"])
def test_what_is_redacted_stays_so_in_what_is_loaded_later(meadow: Desk, record: Make, name: str) -> None:
    """The source is known to the database by then, and `--kind` is not needed."""
    configure(meadow, DEFAULTS, PATTERN)
    assert meadow.run("backfill", name, SAVED, "--kind", "glance").code == 0
    later = write(meadow, record(5, owner_user_name="later secret"), day="2026-03-02")
    assert meadow.run("backfill", name, later).code == 0
    documents = meadow.query("SELECT document::text FROM revision_documents")
    assert (len(documents), "later secret" in str(documents)) == (5, False)
    values = meadow.query("SELECT value::text FROM image_properties WHERE name = 'owner_user_name'")
    assert (len(values), "later secret" in str(values)) == (2, False)


@pytest.mark.parametrize("name", ["meadow/hay", "elsewhere"])
def test_ignored_keys_and_deletion_limits_hold_as_well(meadow: Desk, record: Make, name: str) -> None:
    """Three of four images missing are more than one and a quarter: held; `noise` opens no revision."""
    configure(meadow, DEFAULTS, PATTERN)
    assert meadow.run("backfill", name, SAVED, "--kind", "glance").code == 0
    revisions = meadow.query("SELECT count(*) FROM revisions")
    later = write(meadow, record(2, noise="louder"), day="2026-03-02")
    assert meadow.run("backfill", name, later, "--complete").code == 4
    assert meadow.query("SELECT count(*) FROM held_deletions WHERE decision = 'open'") == [(3,)]
    assert meadow.query("SELECT count(*) FROM revisions") == revisions


@pytest.mark.parametrize("name", ["meadow/hay", "elsewhere"])
def test_remap_goes_by_the_same_settings(meadow: Desk, name: str) -> None:
    """What was loaded before a key was redacted has its hash as the property afterwards."""
    assert meadow.run("backfill", name, SAVED, "--kind", "glance").code == 0
    value = "SELECT value #>> '{}' FROM image_properties WHERE name = 'owner_user_name'"
    assert meadow.query(value) == [(HUSH,)]
    configure(meadow, DEFAULTS, PATTERN)
    assert meadow.run("remap", name).code == 0
    ((after,),) = meadow.query(value)
    assert after.startswith("sha256:")


def test_a_source_by_pattern_is_of_the_patterns_kind(meadow: Desk) -> None:
    """Another is refused before anything is written; none need be given. The pattern itself is no source."""
    configure(meadow, PATTERN)
    refused = meadow.run("backfill", "meadow/hay", SAVED, "--kind", "ims")
    assert (refused.code, "kind 'glance', not 'ims'" in refused.error) == (2, True)
    for name in ("meadow/{project}", "", "other*"):
        wrong = meadow.run("backfill", name, SAVED, "--kind", "glance")
        assert (wrong.code, wrong.error[:7]) == (2, "error: "), name
    assert meadow.query("SELECT FROM sources") == []
    assert meadow.run("backfill", "meadow/hay", SAVED).code == 0
    assert meadow.query("SELECT name, kind, cloud FROM sources") == [("meadow/hay", "glance", "meadow")]


def test_a_source_by_pattern_that_was_of_another_kind_is_swept_once_it_is_adopted(meadow: Desk) -> None:
    assert meadow.run("backfill", "meadow/hay", SAVED, "--kind", "ims").code == 0
    configure(meadow, PATTERN)
    refused = meadow.run("sync", "meadow/hay", "--format", "json")
    assert (refused.code, "adopt meadow/hay" in refused.results["meadow/hay"]["error"]) == (2, True)
    assert meadow.run("sources", "adopt", "meadow/hay").code == 0
    assert meadow.query("SELECT kind FROM sources") == [("glance",)]
    swept = meadow.run("sync", "meadow/hay", "--format", "json").results["meadow/hay"]
    assert (swept["outcome"], swept["error"]) == ("complete", None)


def test_a_source_is_renamed_to_nothing_that_the_configuration_refuses_or_a_glob(meadow: Desk) -> None:
    """A glob would mean other sources too; only the configuration, or a cloud's project, may have brought it."""
    configure(meadow, PATTERN)
    assert meadow.run("backfill", "lab", SAVED, "--kind", "glance").code == 0
    for new in ("", "x*", "meadow/{project}", "\udcff"):
        refused = meadow.run("sources", "rename", "lab", new)
        assert (refused.code, "expected" in refused.error) == (2, True), new
    assert meadow.query("SELECT name FROM sources") == [("lab",)]
    assert meadow.run("sources", "rename", "lab", "meadow/hay [old]").code == 0
