"""The whole chain against a real Keystone and a real Glance: login, catalogue, listing, revoked tokens."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from catalog.config.settings import SourceSettings
from catalog.deadline import Deadline
from catalog.errors import CatalogError, ConfigurationError, LoginError
from catalog.fetch.auth import login
from catalog.fetch.http.connection import Connection
from catalog.fetch.listing.service import open_service
from catalog.model import ImageService, Page
from catalog.store.db.connection import Database
from catalog.sync.sweep import sweep
from tests.real_cloud.conftest import REGION, Cloud

pytestmark = pytest.mark.real_cloud

PASSWORD = "p$a'b\"c%d{x}"


@dataclass(frozen=True)
class Member:
    """A user with one project, who is no administrator there."""

    name: str
    user: str
    project: str
    token: str


@pytest.fixture
def member(real_cloud: Cloud) -> Member:
    name = f"m-{uuid.uuid4().hex[:8]}"
    keystone = real_cloud.keystone
    user = keystone.create("user", name=name, password=PASSWORD, domain_id="default")
    project = keystone.create("project", name=name, domain_id="default")
    keystone.grant(user, project, "member", "reader")
    return Member(name, user, project, keystone.log_in(name, PASSWORD, name))


WriteClouds = Callable[..., SourceSettings]


@pytest.fixture
def clouds(real_cloud: Cloud, member: Member, tmp_path: Path) -> WriteClouds:
    """Writes clouds.yaml and secure.yaml for the member; `source` changes the source's settings."""

    def write(
        entry: dict[str, Any] | None = None, secret: dict[str, Any] | None = None, **source: Any
    ) -> SourceSettings:
        auth = {
            "auth_url": real_cloud.keystone.url,
            "username": member.name,
            "project_name": member.name,
            "user_domain_name": "Default",
            "project_domain_name": "Default",
        }
        whole: dict[str, Any] = {"auth": auth, "region_name": REGION, **(entry or {})}
        secure = {"auth": secret or {"password": PASSWORD}}
        (tmp_path / "clouds.yaml").write_text(json.dumps({"clouds": {"real": whole}}))
        (tmp_path / "secure.yaml").write_text(json.dumps({"clouds": {"real": secure}}))
        return SourceSettings(**({"name": "real", "kind": "glance", "cloud": "real"} | source))

    return write


Open = Callable[[SourceSettings], ImageService]


@pytest.fixture
def opened() -> Iterator[Open]:
    services: list[ImageService] = []

    def open_it(source: SourceSettings) -> ImageService:
        deadline = Deadline(60)
        services.append(open_service(source, deadline, login.connect(source, deadline)))
        return services[-1]

    yield open_it
    for service in services:
        service.close()


def connect(source: SourceSettings) -> Connection:
    return login.connect(source, Deadline(30))


def ids_of(page: Page) -> list[str]:
    return [json.loads(bytes(record))["id"] for record in page.records]


def listed(service: ImageService) -> set[str]:
    listing = service.listing("listed")
    found = {image_id for page in listing for image_id in ids_of(page)}
    assert (listing.verdict, listing.error) == ("complete", None)
    return found


def refusal(source: SourceSettings, kind: type[CatalogError]) -> str:
    with pytest.raises(kind) as caught:
        connect(source)
    message = str(caught.value)
    assert "\n" not in message
    assert PASSWORD not in message
    return message


def test_clouds_yaml_with_secure_yaml_lists_the_members_images(
    real_cloud: Cloud, member: Member, clouds: WriteClouds, opened: Open
) -> None:
    mine = real_cloud.glance.create(member.token, visibility="private")
    foreign = real_cloud.glance.create(real_cloud.keystone.admin_token, visibility="private")
    service = opened(clouds())
    assert (service.region, service.project_id) == (REGION, member.project)
    assert service.endpoint == real_cloud.glance.url
    found = listed(service)
    assert mine in found
    assert foreign not in found


def test_an_application_credential_logs_in(
    real_cloud: Cloud, member: Member, clouds: WriteClouds, opened: Open
) -> None:
    path = f"/users/{member.user}/application_credentials"
    made = real_cloud.keystone.request(
        "POST",
        path,
        {"application_credential": {"name": "sync", "roles": [{"name": "reader"}]}},
        member.token,
    )["application_credential"]
    auth = {"auth_url": real_cloud.keystone.url, "application_credential_id": made["id"]}
    source = clouds(
        {"auth_type": "v3applicationcredential", "auth": auth},
        {"application_credential_secret": made["secret"]},
    )
    image = real_cloud.glance.create(member.token)
    service = opened(source)
    assert service.project_id == member.project
    assert image in listed(service)
    real_cloud.keystone.request("DELETE", f"{path}/{made['id']}", token=member.token)
    message = refusal(source, LoginError)
    assert "login refused" in message
    assert made["secret"] not in message


def test_a_token_logs_in(real_cloud: Cloud, member: Member, clouds: WriteClouds, opened: Open) -> None:
    auth = {"auth_url": real_cloud.keystone.url, "project_id": member.project}
    image = real_cloud.glance.create(member.token)
    assert image in listed(opened(clouds({"auth_type": "v3token", "auth": auth}, {"token": member.token})))


def test_the_environment_alone_logs_in(
    real_cloud: Cloud, member: Member, opened: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in {
        "AUTH_URL": real_cloud.keystone.url,
        "USERNAME": member.name,
        "PASSWORD": PASSWORD,
        "PROJECT_NAME": member.name,
        "USER_DOMAIN_NAME": "Default",
        "PROJECT_DOMAIN_NAME": "Default",
        "REGION_NAME": REGION,
    }.items():
        monkeypatch.setenv(f"OS_{name}", value)
    image = real_cloud.glance.create(member.token)
    assert image in listed(opened(SourceSettings(name="envvars", kind="glance", cloud="envvars")))


def test_a_token_revoked_in_mid_listing_costs_one_login_and_no_image(
    real_cloud: Cloud, member: Member, clouds: WriteClouds
) -> None:
    made = {real_cloud.glance.create(member.token) for _ in range(6)}
    source, deadline = clouds(page_size=1), Deadline(60)
    connection = login.connect(source, deadline)
    assert connection.auth is not None
    service = open_service(source, deadline, connection)
    import httpx

    def token() -> str:
        assert connection.auth is not None
        request = next(connection.auth.sync_auth_flow(httpx.Request("GET", service.endpoint)))
        return request.headers["X-Auth-Token"]

    first = token()
    listing = service.listing("listed")
    found: set[str] = set()
    for number, page in enumerate(listing):
        found |= set(ids_of(page))
        if number == 0:
            real_cloud.keystone.revoke(first)
    service.close()
    assert (listing.verdict, listing.error) == ("complete", None)
    assert made <= found
    assert token() != first


def test_each_project_of_the_user_becomes_a_source(
    real_cloud: Cloud, member: Member, clouds: WriteClouds, opened: Open
) -> None:
    keystone = real_cloud.keystone
    second = keystone.create("project", name=f"{member.name}-2", domain_id="default")
    keystone.grant(member.user, second, "member", "reader")
    image = real_cloud.glance.create(
        keystone.log_in(member.name, PASSWORD, f"{member.name}-2"), visibility="private"
    )
    marked = clouds(name="real/{project}", all_projects=True)
    expansion = login.expand_projects([marked])
    assert [source.name for source in expansion.sources] == [f"real/{member.name}", f"real/{member.name}-2"]
    one, two = (opened(source) for source in expansion.sources)
    assert (one.project_id, two.project_id) == (member.project, second)
    assert image in listed(two) - listed(one)


def test_project_names_are_the_users_own_or_all_of_an_administrators(
    real_cloud: Cloud, member: Member, clouds: WriteClouds, opened: Open
) -> None:
    assert opened(clouds()).project_names() == [(member.project, member.name, "Default")]
    auth = {"auth_url": real_cloud.keystone.url, "username": "admin", "project_name": "admin"}
    auth |= {"user_domain_id": "default", "project_domain_id": "default"}
    from tests.real_cloud.services import ADMIN_PASSWORD

    names = opened(clouds({"auth": auth}, {"password": ADMIN_PASSWORD})).project_names()
    assert {"admin", "service", member.name} <= {name for _, name, _ in names}


def test_a_sweep_names_the_owners_of_real_images(
    real_cloud: Cloud, member: Member, clouds: WriteClouds, database: Database
) -> None:
    """Once: the second sweep has no names to ask for."""
    mine = real_cloud.glance.create(member.token, visibility="private")
    source = clouds(project_names=True)
    asked = []
    for _ in range(2):
        run = sweep(database, source)
        assert (run.outcome, run.error) == ("complete", None)
        with database.transaction() as connection:
            asked += connection.execute("SELECT projects_asked_at FROM sources").fetchall()
    with database.transaction() as connection:
        owner = connection.execute(
            "SELECT owner_name FROM image_overview WHERE image_id = %s", (mine,)
        ).fetchall()
        names = connection.execute("SELECT project_id, name, domain_name FROM projects").fetchall()
    assert owner == [(member.name,)]
    assert names == [(member.project, member.name, "Default")]
    assert asked[0] == asked[1] != (None,)


def test_a_role_that_is_withdrawn_deletes_no_image_of_other_projects(
    real_cloud: Cloud, member: Member, clouds: WriteClouds, database: Database
) -> None:
    """Without `admin` five of twenty images are neither listed nor found: held, until the role is back."""
    keystone, glance = real_cloud.keystone, real_cloud.glance
    keystone.grant(member.user, member.project, "admin")
    mine = [glance.create(member.token, visibility="private") for _ in range(15)]
    foreign = [glance.create(keystone.admin_token, visibility="private") for _ in range(5)]
    source = clouds()
    first = sweep(database, source)
    assert (first.outcome, first.listed >= 20) == ("complete", True)
    keystone.withdraw(member.user, member.project, "admin")
    for _ in range(2):
        run = sweep(database, source)
        assert (run.outcome, run.deleted, run.error) == ("complete", 0, None)
        assert run.held >= 5
        assert "no longer role admin" in str(run.note)
    with database.transaction() as connection:
        held = dict(connection.execute("SELECT image_id, reason FROM held_deletions WHERE decision = 'open'"))
    assert {held.get(image_id) for image_id in foreign} == {"login_changed"}
    keystone.grant(member.user, member.project, "admin")
    glance.delete(member.token, mine[0])
    run = sweep(database, source)
    assert (run.deleted, run.held, run.note) == (1, 0, None)


def test_the_credential_is_described(member: Member, clouds: WriteClouds) -> None:
    credential = login.describe_credential(connect(clouds()))
    assert (credential.project_id, credential.project_name) == (member.project, member.name)
    assert credential.region == REGION
    left = credential.seconds_left(datetime.now(UTC))
    assert left is not None
    assert 0 < left <= 3600


def test_a_wrong_password_is_told(clouds: WriteClouds) -> None:
    message = refusal(clouds(secret={"password": "wrong-made-up"}), LoginError)
    assert "login refused" in message
    assert "wrong-made-up" not in message


def test_a_project_of_others_is_told(clouds: WriteClouds) -> None:
    assert "no role in the project" in refusal(clouds(project="admin"), LoginError)


def test_a_login_without_project_is_told(real_cloud: Cloud, member: Member, clouds: WriteClouds) -> None:
    auth = {"auth_url": real_cloud.keystone.url, "username": member.name, "user_domain_name": "Default"}
    assert "not tied to a project" in refusal(clouds({"auth": auth}), LoginError)


def test_an_unknown_region_is_told_with_the_known_one(clouds: WriteClouds) -> None:
    assert f"not 'south'; known: {REGION}" in refusal(clouds(region="south"), ConfigurationError)
