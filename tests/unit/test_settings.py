"""Configuration: what the file and the environment say becomes settings, and every fault is one line."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from catalog.config.load import load_settings, with_only_cloud
from catalog.config.selection import select_sources
from catalog.config.settings import Settings, SourceSettings, configured_source
from catalog.errors import ConfigurationError, UsageError

CLOUDS = """
clouds:
  meadow:
    auth: {auth_url: "https://iam.meadow.test/v3", username: ann, project_name: hay}
    regions: [north, south]
  pond:
    auth: {auth_url: "https://iam.pond.test/v3", username: ben, project_name: reed}
"""
ENDPOINT = 'kind = "glance"\nendpoint = "https://image.test"\nauth = "none"\n'
MEADOW = '[[sources]]\nname = "meadow"\nkind = "glance"\ncloud = "meadow"\n'

Load = Callable[..., Settings]


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working directory with a clouds.yaml, and nothing of the person who runs the tests."""
    folder = tmp_path / "work"
    folder.mkdir()
    (folder / "clouds.yaml").write_text(CLOUDS)
    monkeypatch.chdir(folder)
    monkeypatch.setenv("HOME", str(tmp_path))
    return folder


@pytest.fixture
def load(home: Path) -> Load:
    def load(
        toml: str | None = None, environ: Mapping[str, str] | None = None, database_url: str | None = None
    ) -> Settings:
        if toml is not None:
            (home / "catalog.toml").write_text(toml)
        return load_settings(None, {"HOME": str(home.parent)} | dict(environ or {}), database_url)

    return load


def source(load: Load, entry: str, defaults: str = "") -> SourceSettings:
    (only,) = load(f'{defaults}\n[[sources]]\nname = "one"\n{entry}').sources
    return only


def refusal(load: Load, toml: str | None, environ: Mapping[str, str] | None = None) -> str:
    with pytest.raises(ConfigurationError) as caught:
        load(toml, environ)
    message = str(caught.value)
    assert "\n" not in message
    assert caught.value.exit_code == 2
    return message


def test_nothing_configured_means_embedded_database_and_no_source(load: Load, home: Path) -> None:
    settings = load()
    assert settings.sources == ()
    assert settings.path is None
    assert settings.database.url is None
    assert settings.database.data_dir == home.parent / ".local/share/catalog"
    assert settings.http_bind == "127.0.0.1:9477"


@pytest.mark.parametrize(
    ("written", "folder"), [("~/data", "{home}/data"), ("data", "{work}/data"), ("/data", "/data")]
)
def test_the_data_folder_is_named_as_a_shell_would_read_it(
    load: Load, home: Path, written: str, folder: str
) -> None:
    """systemd and compose expand no tilde."""
    found = load(environ={"CATALOG_DATA_DIR": written}).database.data_dir
    assert str(found) == folder.format(home=home.parent, work=home)


def test_an_example_with_every_default_loads(load: Load) -> None:
    settings = load(
        """
        [database]
        url = "postgresql://catalog@db/catalog"
        schema = "catalog"
        [defaults]
        interval = "15m"
        deadline = "10m"
        page_size = 1000
        max_pages = 10000
        lookup_limit = 200
        deletion_limit_percent = 25
        deletion_limit_count = 10
        archive = "archive/"
        ignore = ["os_glance_*"]
        redact = []
        [daemon]
        parallel_sources = 8
        [[sources]]
        name = "meadow"
        kind = "ims"
        cloud = "meadow"
        region = "north"
        interface = "public"
        passes = ["listed", "pending"]
        filters = {}
        project_names = false
        """
    )
    (only,) = settings.sources
    assert (only.kind, only.cloud, only.auth, only.region) == ("ims", "meadow", "cloud", "north")
    assert (only.interval, only.deadline, only.deletion_limit_percent) == (900.0, 600.0, 25.0)
    assert only.archive is not None
    assert only.archive.is_absolute()
    assert settings.parallel_sources == 8
    assert settings.database.schema == "catalog"


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ('"15m"', 900),
        ('"90s"', 90),
        ('"1h"', 3600),
        ('"2d"', 172_800),
        ('"1.5h"', 5400),
        ('"1w"', 604_800),
        ("45", 45),
        ("0.5", 0.5),
    ],
)
def test_durations_are_numbers_of_seconds_or_carry_a_unit(load: Load, text: str, seconds: float) -> None:
    assert source(load, f"{ENDPOINT}deadline = {text}").deadline == seconds


@pytest.mark.parametrize(
    "text", ['"15 minutes"', '"-1m"', "0", "-5", "inf", "nan", '""', "1e300", '"400000d"']
)
def test_other_durations_are_refused(load: Load, text: str) -> None:
    message = refusal(load, f'[[sources]]\nname = "one"\n{ENDPOINT}deadline = {text}')
    assert "catalog.toml: sources[0].deadline (source 'one'): expected a duration" in message


def test_a_source_overrides_the_defaults_key_by_key(load: Load) -> None:
    only = source(load, f"{ENDPOINT}page_size = 7", defaults='[defaults]\npage_size = 5\ncron = "0 3 * * *"')
    assert (only.page_size, only.cron) == (7, "0 3 * * *")


def test_an_interval_in_a_source_beats_a_cron_in_the_defaults(load: Load) -> None:
    only = source(load, f'{ENDPOINT}interval = "1h"', defaults='[defaults]\ncron = "0 3 * * *"')
    assert (only.interval, only.cron) == (3600.0, None)


@pytest.mark.parametrize("cron", ["0 3 * * 7", "0 3 * * 1-7", "0 3 1 * mon", "*/5 9-17 * * 1-5"])
def test_what_a_schedule_keeps_the_configuration_takes(load: Load, cron: str) -> None:
    assert source(load, f'{ENDPOINT}cron = "{cron}"').cron == cron


@pytest.mark.parametrize("cron", ["0 0 30 2 *", "0 3 * * 8", "0 3 * *", "0 0 3 * * *"])
def test_what_no_schedule_keeps_the_configuration_refuses(load: Load, cron: str) -> None:
    assert "sources[0].cron" in refusal(load, f'[[sources]]\nname = "one"\n{ENDPOINT}cron = "{cron}"')


@pytest.mark.parametrize(
    ("kind", "passes"), [("glance", ("listed", "hidden")), ("ims", ("listed", "pending"))]
)
def test_passes_default_to_those_of_the_kind(load: Load, kind: str, passes: tuple[str, ...]) -> None:
    only = source(load, f'kind = "{kind}"\nendpoint = "https://image.test"\nauth = "none"')
    assert only.passes == passes


def test_market_is_a_pass_of_ims_on_request(load: Load) -> None:
    only = source(
        load, 'kind = "ims"\nendpoint = "https://i.test"\nauth = "none"\npasses = ["listed", "market"]'
    )
    assert only.passes == ("listed", "market")


def test_filters_become_text_as_a_query_carries_them(load: Load) -> None:
    only = source(load, f'{ENDPOINT}filters = {{ protected = true, min_ram = 512, owner = "p" }}')
    assert only.filters == {"protected": "true", "min_ram": "512", "owner": "p"}


@pytest.mark.parametrize(
    "key",
    ["status", "visibility", "owner", "os_hidden", "__imagetype", "deleted_at", "updated_at", "created_at"],
)
@pytest.mark.parametrize("stretch", ["", "*"])
@pytest.mark.parametrize("table", ["[defaults]", f"[[sources]]\nname = 'r'\n{ENDPOINT}"])
def test_what_decides_on_deletions_and_dates_is_not_redacted(
    load: Load, key: str, stretch: str, table: str
) -> None:
    with pytest.raises(ConfigurationError, match=rf"redact\b.*: expected no pattern that fits {key}"):
        load(f'{table}\nredact = ["note", "{key}{stretch}"]')


@pytest.mark.parametrize("key", ["visibility", "owner", "os_hidden", "__imagetype"])
def test_a_change_of_who_is_shown_an_image_is_not_ignored(load: Load, key: str) -> None:
    for glob in (key, key[:3] + "*"):
        with pytest.raises(ConfigurationError, match=rf"ignore: expected no pattern that fits {key}"):
            load(f'[defaults]\nignore = ["note", "{glob}"]')
    assert load('[defaults]\nignore = ["status", "updated_at", "created_at"]')


def test_one_entry_makes_a_source_a_region_and_project(load: Load) -> None:
    settings = load(f'{MEADOW}regions = ["north", "south"]\nprojects = ["a", "b"]')
    assert [(s.name, s.region, s.project) for s in settings.sources] == [
        ("meadow/north/a", "north", "a"),
        ("meadow/north/b", "north", "b"),
        ("meadow/south/a", "south", "a"),
        ("meadow/south/b", "south", "b"),
    ]


def test_a_name_pattern_is_filled_in(load: Load) -> None:
    toml = MEADOW.replace('"meadow"', '"{project}@{region}"', 1)
    settings = load(f'{toml}region = "north"\nprojects = ["a"]')
    assert [s.name for s in settings.sources] == ["a@north"]


def test_all_projects_stay_a_placeholder_until_the_cloud_is_asked(load: Load) -> None:
    (only,) = load(f'{MEADOW}regions = ["north"]\nprojects = "*"').sources
    assert (only.name, only.all_projects, only.project) == ("meadow/north/{project}", True, None)


def test_regions_fill_the_placeholder_of_an_endpoint(load: Load) -> None:
    entry = ENDPOINT.replace("image.test", "ims.{region}.test")
    settings = load(f'[[sources]]\nname = "r"\n{entry}regions = ["x", "y"]')
    assert [s.endpoint for s in settings.sources] == ["https://ims.x.test", "https://ims.y.test"]


def test_paths_are_relative_to_the_file(home: Path) -> None:
    folder = home / "etc"
    folder.mkdir()
    (folder / "project").write_text("p-1\n")
    (folder / "c.toml").write_text(
        '[[sources]]\nname = "k"\nkind = "ims"\nendpoint = "https://i.test"\nauth = "aksk"\n'
        'access_key_env = "AK"\nsecret_key_file = "sk"\nproject_id_file = "project"\narchive = "kept"\n'
    )
    (only,) = load_settings(Path("etc/c.toml"), {}, None).sources
    assert only.secret_key_file == folder / "sk"
    assert only.archive == folder / "kept"
    assert only.project_id == "p-1"


def test_the_file_is_searched_in_the_documented_order(home: Path) -> None:
    def write(path: Path, number: int) -> Path:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"[daemon]\nparallel_sources = {number}")
        return path

    def number(path: Path | None, environ: Mapping[str, str]) -> int:
        return load_settings(path, {"HOME": str(home)} | dict(environ), None).parallel_sources

    write(home / ".config/catalog/catalog.toml", 1)
    assert number(None, {}) == 1
    write(home / "catalog.toml", 2)
    assert number(None, {}) == 2
    by_variable = {"CATALOG_CONFIG": str(write(home / "v.toml", 3))}
    assert number(None, by_variable) == 3
    assert number(write(home / "o.toml", 4), by_variable) == 4


def test_a_file_of_another_user_is_obeyed_only_if_it_is_named(
    load: Load, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As git does it; else whoever may write to the folder decides where passwords are sent."""
    load("[daemon]\nparallel_sources = 7")
    if os.getuid() != 0:
        monkeypatch.setattr("os.geteuid", lambda: os.getuid() + 1)
    else:
        for path in (home / "catalog.toml", home / "clouds.yaml"):
            os.chown(path, 4711, 4711)
    message = refusal(load, None)
    assert (
        message == "catalog.toml belongs to another user; if you trust it, name it: --config ./catalog.toml"
    )
    named = load_settings(Path("catalog.toml"), {"HOME": str(home.parent)}, None)
    assert named.parallel_sources == 7
    (home / "catalog.toml").unlink()
    assert "clouds.yaml belongs to another user" in refusal(load, None, {"OS_CLOUD": "pond"})
    monkeypatch.setenv("OS_CLIENT_CONFIG_FILE", str(home / "clouds.yaml"))
    assert [source.name for source in load(environ={"OS_CLOUD": "pond"}).sources] == ["pond"]


def test_a_link_of_another_user_is_not_followed(
    load: Load, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (home / "own.toml").write_text("")
    (home / "catalog.toml").symlink_to("own.toml")
    assert load().path is not None
    if os.getuid() == 0:
        os.chown(home / "catalog.toml", 4711, 4711, follow_symlinks=False)
        assert "belongs to another user" in refusal(load, None)
        monkeypatch.setenv("SUDO_UID", "4711")
        assert load().path is not None


def test_a_named_file_that_is_missing_is_an_error(home: Path) -> None:
    with pytest.raises(
        ConfigurationError, match=r"--config: expected a configuration file; no\.toml is not a file"
    ):
        load_settings(Path("no.toml"), {}, None)


def test_a_database_named_outside_the_file_beats_it(load: Load, home: Path) -> None:
    toml = '[database]\nurl = "postgresql://a@file/x"\nmigration_url = "postgresql://m@file/x"\nschema = "s"'
    (home / "url").write_text("postgresql://a@secret/x\n")
    by_variable = {"CATALOG_DATABASE_URL": "postgresql://a@variable/x"}
    assert load(toml).database.url == "postgresql://a@file/x"
    assert load(toml, {"CATALOG_DATABASE_URL_FILE": "url"}).database.url == "postgresql://a@secret/x"
    database = load(toml, by_variable).database
    assert (database.url, database.migration_url) == ("postgresql://a@variable/x", None)
    assert database.schema == "s"
    assert load(toml, by_variable, "postgresql://a@option/x").database.url == "postgresql://a@option/x"


def test_a_missing_file_with_the_address_is_named(load: Load) -> None:
    with pytest.raises(
        ConfigurationError, match=r"^CATALOG_DATABASE_URL_FILE: expected a readable file; \S*nowhere: "
    ):
        load("", {"CATALOG_DATABASE_URL_FILE": "nowhere"})


def test_a_password_file_completes_the_addresses_of_its_user(load: Load, home: Path) -> None:
    (home / "pw").write_text("p@ss/w:rd%\n")
    database = load(
        '[database]\nurl = "postgresql://ann@db:5433/x?sslmode=require"\npassword_file = "pw"\n'
        'migration_url = "postgresql://owner@db/x"'
    ).database
    assert database.url == "postgresql://ann:p%40ss%2Fw%3Ard%25@db:5433/x?sslmode=require"
    assert database.migration_url == "postgresql://owner@db/x"


def test_the_environments_cloud_is_the_source_when_nothing_is_configured(
    load: Load, monkeypatch: pytest.MonkeyPatch
) -> None:
    (only,) = load(None, {"OS_CLOUD": "pond"}).sources
    assert (only.name, only.cloud, only.kind) == ("pond", "pond", "glance")
    monkeypatch.setenv("OS_AUTH_URL", "https://iam.eu-de.otc.t-systems.com/v3")
    (only,) = load(None, {"OS_AUTH_URL": "set"}).sources
    assert (only.name, only.kind, only.passes) == ("envvars", "ims", ("listed", "pending"))


def test_the_environments_cloud_is_ignored_when_sources_are_configured_and_that_is_said(load: Load) -> None:
    settings = load(MEADOW, {"OS_CLOUD": "pond"})
    assert [s.name for s in settings.sources] == ["meadow/north", "meadow/south"]
    assert len(settings.notes) == 1
    assert "OS_CLOUD=pond does not count" in settings.notes[0]
    assert "catalog.toml" in settings.notes[0]
    assert load(MEADOW, {"OS_CLOUD": "meadow"}).notes == ()
    assert load("[daemon]\nparallel_sources = 2", {"OS_CLOUD": "pond"}).notes == ()


def told_regions(settings: Settings) -> list[tuple[str, str | None, bool]]:
    return [(source.name, source.region, source.all_regions) for source in settings.sources]


def test_the_region_of_the_environment_counts_beside_its_cloud(load: Load, home: Path) -> None:
    (home / "clouds.yaml").write_text(
        json.dumps(
            {
                "clouds": {
                    "bare": {},
                    "one": {"region_name": "north"},
                    "list": {"regions": ["north", {"name": "south", "values": {}}]},
                }
            }
        )
    )
    for cloud, region, expected in (
        ("bare", "", [("bare", None, True)]),
        ("bare", "south", [("bare", "south", True)]),
        ("one", "", [("one", None, False)]),
        ("one", "north", [("one", "north", False)]),
        ("one", "south", [("one", "south", True)]),
        ("list", "", [("list/north", "north", False), ("list/south", "south", False)]),
        ("list", "south", [("list/south", "south", False)]),
    ):
        settings = load(None, {"OS_CLOUD": cloud, "OS_REGION_NAME": region})
        assert told_regions(settings) == expected, cloud
    with pytest.raises(ConfigurationError, match=r"OS_REGION_NAME.*'west'.*north, south"):
        load(None, {"OS_CLOUD": "list", "OS_REGION_NAME": "west"})


def test_a_source_without_a_region_is_one_for_each_that_clouds_yaml_names(load: Load, home: Path) -> None:
    clouds = {"bare": {}, "one": {"region_name": "north"}, "list": {"regions": ["north", {"name": "south"}]}}
    (home / "clouds.yaml").write_text(json.dumps({"clouds": clouds}))
    for cloud, more, expected in (
        ("bare", "", [("x", None, True)]),
        ("bare", 'region = "east"', [("x", "east", False)]),
        ("one", "", [("x", "north", False)]),
        ("list", "", [("x/north", "north", False), ("x/south", "south", False)]),
        ("list", 'region = "south"', [("x", "south", False)]),
        ("list", 'projects = ["p"]', [("x/north/p", "north", False), ("x/south/p", "south", False)]),
        ("bare", 'projects = ["p"]', [("x/p", None, True)]),
    ):
        settings = load(f'[[sources]]\nname = "x"\nkind = "glance"\ncloud = "{cloud}"\n{more}')
        assert told_regions(settings) == expected, (cloud, more)
    patterned = '[[sources]]\nname = "{region}-x"\nkind = "glance"\ncloud = "%s"\n'
    for cloud, expected in (
        ("bare", [("{region}-x", None, True)]),
        ("one", [("north-x", "north", False)]),
        ("list", [("north-x", "north", False), ("south-x", "south", False)]),
    ):
        assert told_regions(load(patterned % cloud)) == expected
    found = configured_source(load(patterned % "bare"), "east-x")
    assert found is not None
    assert (found.region, found.is_template) == ("east", False)


def test_the_only_cloud_of_clouds_yaml_needs_no_variable(load: Load, home: Path) -> None:
    assert with_only_cloud(load(None)).sources == ()  # two clouds
    (home / "clouds.yaml").write_text(json.dumps({"clouds": {"only": {"region_name": "north"}}}))
    assert told_regions(with_only_cloud(load(None))) == [("only", None, False)]
    assert load(None).sources == ()  # commands that sweep nothing do not ask
    (home / "clouds.yaml").unlink()
    assert with_only_cloud(load(None)).sources == ()


def test_a_source_of_a_region_is_known_by_its_name(load: Load, home: Path) -> None:
    (home / "clouds.yaml").write_text(json.dumps({"clouds": {"only": {}}}))
    settings = load(None, {"OS_CLOUD": "only"})
    found = configured_source(settings, "only/north")
    assert found is not None
    assert (found.cloud, found.region, found.all_regions) == ("only", "north", False)
    assert configured_source(settings, "other/north") is None


def test_the_environment_says_where_the_daemon_answers(load: Load) -> None:
    assert load(None, {"CATALOG_HTTP_BIND": "[::1]:80"}).http_bind == "[::1]:80"
    assert "CATALOG_HTTP_BIND: expected" in refusal(load, None, {"CATALOG_HTTP_BIND": "host:99999"})


@pytest.mark.parametrize(
    ("toml", "told"),
    [
        ("sources = 3", "sources: expected a list, found a whole number"),
        ("[datebase]", "datebase: expected a known key, such as 'database'"),
        ("[database]\nurl = 5", "database.url: expected a text, found a whole number"),
        ('[database]\nurl = "mysql://x:hush@h/d"', "database.url: expected a URL such as"),
        ("[defaults]\npage_sise = 1", "defaults.page_sise: expected a known key, such as 'page_size'"),
        ("[defaults]\npage_size = 0", "defaults.page_size: expected a number from 1 to 10000; found 0"),
        (
            "[defaults]\ndeletion_limit_percent = 101",
            "defaults.deletion_limit_percent: expected a number from 0",
        ),
        ('[defaults]\ntimezone = "Mars"', "defaults.timezone: expected an IANA time zone"),
        ('[defaults]\ntimezone = "Europe"', "defaults.timezone: expected an IANA time zone"),
        ('[defaults]\ncron = "61 * * * *"', "defaults.cron: expected five fields such as"),
        ('[defaults]\ncron = "* * * * *"\ninterval = 5', "defaults.cron: expected either interval or cron"),
        ("[defaults]\nignore = [1]", "defaults.ignore[0]: expected a text, found a whole number"),
        ("[daemon]\nparallel_sources = 0", "daemon.parallel_sources: expected a number from 1"),
        (f'{MEADOW}kind2 = ""', "sources[0].kind2 (source 'meadow'): expected a known key, such as 'kind'"),
        (
            MEADOW.replace('"glance"', '"swift"'),
            'sources[0].kind (source \'meadow\'): expected "glance" or "ims"',
        ),
        (MEADOW.replace('kind = "glance"', ""), "sources[0].kind (source 'meadow'): expected"),
        (
            MEADOW + MEADOW,
            "sources[1].name (source 'meadow'): expected a unique name; 'meadow/north' stands at sources[0]",
        ),
        (
            MEADOW.replace('cloud = "meadow"', 'cloud = "medow"'),
            "sources[0].cloud (source 'meadow'): expected a cloud of clouds.yaml, not 'medow'; known: meadow",
        ),
        (
            f'{MEADOW}passes = ["pending"]',
            "expected one or more of listed, hidden, each once, for kind 'glance'",
        ),
        (
            f'{MEADOW}filters = {{ marker = "x" }}',
            "sources[0].filters.marker (source 'meadow'): expected a filter",
        ),
        (
            f'{MEADOW}endpoint = "https://h"',
            "sources[0].endpoint (source 'meadow'): expected either cloud or",
        ),
        (f'{MEADOW}auth = "none"', "sources[0].auth (source 'meadow'): expected no auth beside cloud"),
        (f'{MEADOW}token_env = "T"', "sources[0].token_env (source 'meadow'): expected no token_env"),
        (
            f'{MEADOW}projects = "all"',
            "sources[0].projects (source 'meadow'): expected a list of names, or \"*\"",
        ),
        (
            f'{MEADOW}region = "a"\nregions = ["b"]',
            "sources[0].regions (source 'meadow'): expected either region",
        ),
        (f'{MEADOW}interface = "outer"', "sources[0].interface (source 'meadow'): expected \"public\""),
        (
            '[[sources]]\nname = "e"\nkind = "ims"',
            "sources[0].cloud (source 'e'): expected a cloud of clouds.yaml",
        ),
        (
            '[[sources]]\nname = "e"\nkind = "ims"\nendpoint = "https://h"',
            "sources[0].auth (source 'e'): expected",
        ),
        (
            f'[[sources]]\nname = "e"\n{ENDPOINT}'.replace("none", "token"),
            "sources[0].token_env (source 'e'): expected one of token_env and token_file",
        ),
        (f'[[sources]]\nname = "e"\n{ENDPOINT}'.replace("none", "aksk"), "expected one of access_key_env"),
        (f'[[sources]]\nname = "e"\n{ENDPOINT}regions = ["a"]', "expected an endpoint that holds {region}"),
        (f"[[sources]]\n{ENDPOINT}", "sources[0].name: expected a name"),
        (f'[[sources]]\nname = "{{zone}}"\n{ENDPOINT}', "expected nothing in braces; found {zone}"),
        (
            f'[[sources]]\nname = "e"\n{ENDPOINT}'.replace("image.test", "u:hush@h"),
            "expected an address such as",
        ),
        ("a = [1,", "expected TOML; "),
        ("\n\nx = = 1", "(at line 3, column 5)"),
    ],
)
def test_a_fault_is_one_line_that_names_file_key_and_what_was_expected(
    load: Load, toml: str, told: str
) -> None:
    message = refusal(load, toml)
    assert message.startswith("catalog.toml: ")
    assert told in message
    assert "hush" not in message


def test_an_unreadable_clouds_yaml_is_named_without_its_text(load: Load, home: Path) -> None:
    (home / "clouds.yaml").write_text("clouds:\n  meadow:\n    auth: {password: hush\n  x: [")
    message = refusal(load, MEADOW)
    assert "clouds.yaml: line 4: expected YAML; " in message
    assert "hush" not in message


def test_an_unknown_cloud_of_the_environment_is_named(load: Load) -> None:
    message = refusal(load, "", {"OS_CLOUD": "puddle"})
    assert message == "OS_CLOUD: expected a cloud of clouds.yaml, not 'puddle'; known: meadow, pond"


def test_sources_are_picked_by_glob_in_the_order_of_the_file(load: Load) -> None:
    sources = load(f'{MEADOW}regions = ["north", "south"]\nprojects = ["a", "b"]').sources
    assert select_sources(sources) == sources
    picked = select_sources(sources, ["*/b", "meadow/south/*"])
    assert [s.name for s in picked] == ["meadow/north/b", "meadow/south/a", "meadow/south/b"]


def test_a_glob_that_matches_nothing_lists_the_known_names(load: Load) -> None:
    sources = load(MEADOW).sources
    with pytest.raises(UsageError, match="no source is called 'pond\\*'; known: meadow"):
        select_sources(sources, ["pond*"])
    with pytest.raises(ConfigurationError, match="no source is configured"):
        select_sources(())
