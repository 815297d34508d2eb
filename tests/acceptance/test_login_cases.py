"""The cases of public fault reports that begin with a login: an identity service on loopback, scripted."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from catalog.config.settings import SourceSettings
from catalog.deadline import Deadline
from catalog.fetch.auth.login import connect
from catalog.mapping.values import timestamp
from catalog.store.db.connection import Database
from catalog.sync.sweep import sweep
from tests.acceptance.casework import Stage, load

LOGIN = "POST /v3/auth/tokens"
CATALOGUE = [
    {
        "type": "image",
        "endpoints": [{"interface": "internal", "region": "r2", "url": "http://127.0.0.1:9/image"}],
    }
]


class Identity:
    """Answers logins from a script, and keeps what was sent and with which token."""

    def __init__(self, answers: list[dict[str, Any]]) -> None:
        self.logins: list[dict[str, Any]] = []
        self.tokens: list[str | None] = []
        identity = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                asked = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                identity.logins.append(json.loads(asked))
                identity.tokens.append(self.headers.get("X-Auth-Token"))
                scripted = self.path == "/v3/auth/tokens" and len(identity.logins) <= len(answers)
                entry = answers[len(identity.logins) - 1] if scripted else {"status": 404, "body": {}}
                self._answer(entry)

            def do_GET(self) -> None:
                self._answer({"status": 404, "body": {}})

            def _answer(self, entry: dict[str, Any]) -> None:
                body = json.dumps(entry["body"]).encode()
                self.send_response(entry["status"])
                for name, value in {**entry.get("headers", {}), "Content-Length": str(len(body))}.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, format: str, *args: Any) -> None:
                """Nothing on standard error."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,))
        self._thread.start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}/v3"

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


@pytest.fixture
def identities(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    monkeypatch.setenv("CASE_TOKEN", "unused")
    opened: list[Identity] = []

    def open_identity(answers: list[dict[str, Any]]) -> Identity:
        opened.append(Identity(answers))
        return opened[-1]

    yield open_identity
    for identity in opened:
        identity.close()


def write_cloud(
    folder: Path, monkeypatch: pytest.MonkeyPatch, identity: Identity, image: str | None = None
) -> SourceSettings:
    cloud = {
        "auth": {
            "auth_url": identity.url,
            "username": "u",
            "password": "p",
            "project_name": "p1",
            "user_domain_name": "Default",
            "project_domain_name": "Default",
        },
        **({"image_endpoint_override": image} if image else {}),
    }
    path = folder / "clouds.yaml"
    path.write_text(json.dumps({"clouds": {"x": cloud}}))
    monkeypatch.setenv("OS_CLIENT_CONFIG_FILE", str(path))
    return SourceSettings("S1", "glance", cloud="x", region="r1", deadline=20.0)


def test_b47_a_token_that_ends_in_mid_listing_is_renewed(
    database: Database, identities: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One new login, without the old token, and the same page again."""
    case = load("B47")
    (step,) = case["steps"]
    shift = datetime.now(UTC) - (timestamp(step["at"]) or datetime.now(UTC))
    answers = [entry for entry in step["exchange"] if entry["request"].startswith(LOGIN)]
    for entry in answers:
        ends = (timestamp(entry["body"]["token"]["expires_at"]) or datetime.now(UTC)) + shift
        entry["body"]["token"]["expires_at"] = ends.strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    identity = identities(answers)
    stage = Stage(database, case)
    try:
        stage.scripts["S1"].begin([e for e in step["exchange"] if not e["request"].startswith(LOGIN)])
        source = write_cloud(tmp_path, monkeypatch, identity, stage.servers["S1"].origin)
        run = sweep(database, source)
        assert (run.outcome, run.error) == ("complete", None)
        assert len(stage.images()) == case["expect"]["image_count"]
        assert len(identity.logins) == case["expect"]["logins"]
        assert identity.tokens == [None, None]
        assert stage.scripts["S1"].unanswered == []
    finally:
        stage.close()


def test_b54_the_layers_of_clouds_yaml_and_secure_yaml(
    identities: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The password of secure.yaml arrives as it stands there, with the entry's user, project and region."""
    case = load("B54")
    token = {
        "expires_at": (datetime.now(UTC) + timedelta(hours=1)).strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
        "project": {"id": "p9", "name": "p", "domain": {"id": "default", "name": "Default"}},
        "catalog": CATALOGUE,
    }
    identity = identities([{"status": 201, "body": {"token": token}, "headers": {"X-Subject-Token": "A"}}])
    text = case["clouds.yaml"].replace("https://iam.example.test/v3", identity.url)
    (tmp_path / "clouds.yaml").write_text(text)
    (tmp_path / "secure.yaml").write_text(case["secure.yaml"])
    monkeypatch.setenv("OS_CLIENT_CONFIG_FILE", str(tmp_path / "clouds.yaml"))
    monkeypatch.setenv("OS_CLIENT_SECURE_FILE", str(tmp_path / "secure.yaml"))
    for name, value in case["env"].items():
        monkeypatch.setenv(name, value)
    connection = connect(SourceSettings("S1", "glance", cloud=case["env"]["OS_CLOUD"]), Deadline(20))
    (login,) = identity.logins
    user, expect = login["auth"]["identity"]["password"]["user"], case["expect"]
    assert (user["password"], user["name"]) == (expect["login_body_password"], expect["login_username"])
    assert login["auth"]["scope"]["project"]["name"] == expect["scope_project"]
    assert connection.region == expect["region"]
    assert connection.endpoint == CATALOGUE[0]["endpoints"][0]["url"]  # type: ignore[index]


def test_b55_a_token_that_is_tied_to_no_project_fails_before_it_lists(
    database: Database, identities: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    case = load("B55")
    (step,) = case["steps"]
    (entry,) = step["exchange"]
    entry["body"]["token"]["expires_at"] = (datetime.now(UTC) + timedelta(hours=1)).isoformat()
    identity = identities([entry])
    stage = Stage(database, case)
    try:
        stage.scripts["S1"].begin([])
        source = write_cloud(tmp_path, monkeypatch, identity, stage.servers["S1"].origin)
        run = sweep(database, source)
        assert case["expect"]["runs"] == ["failed"]
        assert (run.outcome, run.error_kind) == ("failed", "login")
        assert stage.servers["S1"].requests == []
    finally:
        stage.close()
