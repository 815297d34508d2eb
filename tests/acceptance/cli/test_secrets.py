"""No secret is written anywhere: known ones are planted in every place that may hold one, then everything that
was printed, logged, stored or archived is searched for them."""

from __future__ import annotations

import base64
import gzip
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import quote

import psycopg
import pytest

from catalog.demo import Cloud
from catalog.demo.cloud import Record
from tests.acceptance.cli.conftest import Desk, Finished
from tests.identity import IdentityService
from tests.support.cloud_server import CloudServer
from tests.support.faults import status

PLANTED = {
    "password": "planted-Password-1",
    "token": "planted-Token-2",
    "access key": "PLANTEDACCESS3",
    "secret key": "planted-SecretKey-4",
    "store credential": "planted-store-5",
    "signature": "planted-signature-6",
    "redacted value": "planted-redacted-7",
    "database password": "planted-db-8",
}


@pytest.fixture
def identity() -> Iterator[IdentityService]:
    service = IdentityService()
    service.password = PLANTED["password"]
    with service.running():
        yield service


def with_secrets(record: Record) -> Record:
    """A record as careless clouds deliver it."""
    store, signature = PLANTED["store credential"], PLANTED["signature"]
    return {
        **record,
        "direct_url": f"swift+https://user:{store}@store.test/v1/images?temp_url_sig={signature}",
        "locations": [{"url": f"https://user:{store}@store.test/i?sig={signature}", "metadata": {}}],
        "note": f"see https://ann:{store}@wiki.test/page",
        "owner_user_name": PLANTED["redacted value"],
    }


@pytest.fixture
def written(desk: Desk, identity: IdentityService, record: Callable[..., Record]) -> str:
    """All that a day of use writes: output, logs, the database, archives, dumps, the page."""
    assert desk.database_url is not None
    cloud = Cloud("glance")
    for number in range(3):
        cloud.add(with_secrets(record(number)))
    cloud.add({"id": "", "location": f"https://x:{PLANTED['store credential']}@store.test/"})
    common = {"archive": "archive/", "redact": ["owner_user_name"], "deadline": "20s"}
    tokened = desk.add_source("tokened", cloud, auth="token", token_env="LAB_TOKEN", **common)
    tokened.tokens = {PLANTED["token"]}
    keyed = {"auth": "aksk", "access_key_env": "AK", "secret_key_env": "SK", "project_id": "p"}
    desk.add_source("keyed", Cloud("ims"), kind="ims", **keyed, **common)
    broken = desk.add_source("broken", Cloud("glance"), auth="token", token_env="LAB_TOKEN", **common)
    broken.faults.add(status(401), times=100)
    logged_in = desk.stack.enter_context(CloudServer(cloud))
    identity.catalogue = [
        {"id": "i", "type": "image", "name": "glance", "endpoints": [
            {"id": "e", "interface": "public", "region": "north", "region_id": "north", "url": logged_in.endpoint}
        ]}
    ]  # fmt: skip
    account = {"auth_url": identity.url, "username": "ann", "project_name": "hay",
               "user_domain_name": "Default", "project_domain_name": "Default"}  # fmt: skip
    clouds = {
        "good": {"auth": account, "region_name": "north"},
        "bad": {"auth": {**account, "password": "planted-Password-1-not"}},
    }
    (desk.folder / "clouds.yaml").write_text(json.dumps({"clouds": clouds}))
    secure = {"clouds": {"good": {"auth": {"password": PLANTED["password"]}}}}
    (desk.folder / "secure.yaml").write_text(json.dumps(secure))
    for name in ("good", "bad"):
        told = {"name": f"cloud-{name}", "kind": "glance", "cloud": name, **common}
        desk.entries.append("[[sources]]\n" + "".join(f"{k} = {json.dumps(told[k])}\n" for k in told))
    desk.write_configuration()
    secrets = {"LAB_TOKEN": PLANTED["token"], "AK": PLANTED["access key"], "SK": PLANTED["secret key"]}
    url = psycopg.conninfo.conninfo_to_dict(desk.database_url)
    odd = (
        f"postgresql://nobody:{PLANTED['database password']}@/{url['dbname']}?host={quote(str(url['host']))}"
    )
    done = [
        desk.run("-vv", "sync", **secrets),
        desk.run("-vv", "sync", "--format", "json", **secrets),
        desk.run("sync", "--plan", **secrets),
        desk.run("-vv", "sources", "--check", **secrets),
        desk.run("runs", "--format", "json"),
        desk.run("report", "changes", "--format", "csv"),
        desk.run("report", "--html", "page.html"),
        desk.run("db", "dump", "dump.gz"),
        desk.run("-vv", "--database-url", odd, "db", "url"),
        desk.run("-vv", "--database-url", odd.replace("host=", "host=/nowhere"), "runs"),
        desk.run("-vv", "--database-url", odd, "db", "check"),
        desk.run(
            "backfill", "tokened", *[str(p) for p in sorted((desk.folder / "archive").rglob("*.gz"))[:1]]
        ),
    ]
    # the credentials were used, or there would be nothing to find
    results = done[1].results
    assert [results[name]["outcome"] for name in ("tokened", "keyed", "cloud-good")] == ["complete"] * 3
    assert [results[name]["error_kind"] for name in ("broken", "cloud-bad")] == ["login", "login"]
    return everything(desk, done)


def everything(desk: Desk, done: list[Finished]) -> str:
    parts = [one.out + one.err for one in done]
    for path in sorted(desk.folder.rglob("*")):
        if path.is_file() and path.name not in ("clouds.yaml", "secure.yaml"):
            parts.append(readable(path))
    assert desk.database_url is not None
    with psycopg.connect(desk.database_url) as connection:
        tables = connection.execute(
            "SELECT c.oid::regclass::text FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace"
            " WHERE c.relkind IN ('r', 'v') AND n.nspname = 'public'"
        ).fetchall()
        for (table,) in tables:
            rows = connection.execute(f"SELECT t::text FROM {table} t".encode()).fetchall()
            parts.extend(row[0] for row in rows)
    return "\n".join(parts)


def readable(path: Path) -> str:
    content = path.read_bytes()
    if content[:2] == b"\x1f\x8b":
        content = gzip.decompress(content)
    return content.decode(errors="replace")


def test_no_planted_secret_is_found_in_anything_written(written: str) -> None:
    """Neither as it is, nor percent-encoded, nor in base64."""
    assert "image-001" in written
    assert "store.test" in written
    for what, secret in PLANTED.items():
        for form in (secret, quote(secret, safe=""), base64.b64encode(secret.encode()).decode().rstrip("=")):
            assert form not in written, what
