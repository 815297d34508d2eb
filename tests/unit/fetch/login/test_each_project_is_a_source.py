"""Each project that a user may enter is a source of its own, and projects have names."""

from __future__ import annotations

from catalog.config.settings import SourceSettings
from catalog.errors import LoginError
from catalog.fetch.auth import login
from tests.identity import IdentityService
from tests.unit.fetch.login.connecting import CloudsYaml, connect


def test_each_project_that_the_user_may_enter_becomes_a_source(cloud: CloudsYaml) -> None:
    marked = cloud(name="meadow/north/{project}", region="north", all_projects=True)
    other = SourceSettings(name="other", kind="glance", endpoint="http://x", auth="none")
    expansion = login.expand_projects([marked, other])
    assert [(s.name, s.project_id, s.all_projects) for s in expansion.sources] == [
        ("meadow/north/hay", "1" * 32, False),
        ("meadow/north/straw", "2" * 32, False),
        ("other", None, False),
    ]
    assert expansion.failures == {}


def test_projects_of_one_name_are_told_apart_by_id(identity: IdentityService, cloud: CloudsYaml) -> None:
    identity.projects[1]["name"] = "hay"
    expansion = login.expand_projects([cloud(name="{project}", all_projects=True)])
    assert [source.name for source in expansion.sources] == ["1" * 32, "2" * 32]


def test_no_two_sources_have_one_name(identity: IdentityService, cloud: CloudsYaml) -> None:
    """An entry of the very name comes first, wherever it stands; then the first pattern. All else is told."""
    first = cloud(name="m/{project}", region="north", all_projects=True)
    second = cloud(name="{project}", region="north", all_projects=True)
    identity.projects.append({"id": "4" * 32, "name": "m/straw", "enabled": True})
    named = SourceSettings(name="m/hay", kind="glance", endpoint="http://x", auth="none")
    expansion = login.expand_projects([first, second, named])
    assert [(source.name, source.cloud) for source in expansion.sources] == [
        ("m/m/straw", "meadow"),
        ("m/straw", "meadow"),
        ("hay", "meadow"),
        ("straw", "meadow"),
        ("m/hay", None),
    ]
    assert expansion.sources[1].project == "straw"
    left_out = [(one.name, one.entry) for one in expansion.left_out]
    assert left_out == [("m/hay", "m/{project}"), ("m/straw", "{project}")]
    assert "'m/{project}' has taken" in expansion.left_out[1].reason
    assert expansion.failures == {}


def test_an_entry_for_one_of_the_projects_says_how_it_is_swept(
    identity: IdentityService, cloud: CloudsYaml
) -> None:
    """It is the same place, so nothing is left out; of another region it would be."""
    every = cloud(name="m/{project}", region="north", all_projects=True)
    one = cloud(name="m/hay", region="north", project="hay", interval=60.0)
    expansion = login.expand_projects([every, one])
    assert {source.name: source.interval for source in expansion.sources} == {
        "m/hay": 60.0,
        "m/straw": every.interval,
    }
    assert expansion.left_out == ()
    elsewhere = cloud(name="m/hay", region="south", project="hay")
    assert [one.name for one in login.expand_projects([every, elsewhere]).left_out] == ["m/hay"]


def test_a_user_that_may_enter_no_project_is_a_failed_login(
    identity: IdentityService, cloud: CloudsYaml
) -> None:
    identity.projects = identity.projects[2:]
    marked = cloud(name="m/{project}", all_projects=True)
    failure = login.expand_projects([marked]).failures["m/{project}"]
    assert isinstance(failure, LoginError)
    assert "may enter no project" in str(failure)


def test_a_cloud_that_refuses_leaves_the_other_sources_alone(
    identity: IdentityService, cloud: CloudsYaml
) -> None:
    identity.password = "another"
    other = SourceSettings(name="other", kind="glance", endpoint="http://x", auth="none")
    expansion = login.expand_projects([cloud(name="m/{project}", all_projects=True), other])
    assert expansion.sources == (other,)
    assert isinstance(expansion.failures["m/{project}"], LoginError)


def test_project_names_are_those_of_all_projects_or_of_the_users_own(
    identity: IdentityService, cloud: CloudsYaml
) -> None:
    auth = connect(cloud()).auth
    assert auth is not None
    own = [("1" * 32, "hay", "Default"), ("2" * 32, "straw", None)]
    assert auth.project_names() == own
    identity.may_list_all = True
    identity.projects.reverse()
    identity.projects[0]["enabled"] = True
    assert [name for _, name, _ in auth.project_names()] == ["mud", "straw"]
