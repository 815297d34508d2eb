"""An export into a bucket, on a real S3 server (moto's) on loopback."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from typing import Any

import boto3
import httpx
import pytest
from moto.server import ThreadedMotoServer
from pyarrow import parquet

from catalog.errors import CatalogError, UsageError
from catalog.export.tables import KEYS
from tests.integration.export.conftest import AWKWARD, Catalog

KEYS_OF_NOBODY = {"aws_access_key_id": "made-up", "aws_secret_access_key": "made-up"}


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    for name, value in KEYS_OF_NOBODY.items():
        monkeypatch.setenv(name.upper(), value)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    server = ThreadedMotoServer("127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"{host}:{port}"
    server.stop()


@pytest.fixture
def s3(server: str) -> Any:
    httpx.post(f"http://{server}/moto-api/reset").raise_for_status()  # its state is one for the process
    client = boto3.client("s3", endpoint_url=f"http://{server}", region_name="eu-de", **KEYS_OF_NOBODY)
    client.create_bucket(Bucket="bucket", CreateBucketConfiguration={"LocationConstraint": "eu-de"})
    return client


def contents(s3: Any) -> dict[str, bytes]:
    found = s3.list_objects_v2(Bucket="bucket").get("Contents", [])
    # a folder that something was deleted from is marked by an empty object
    return {o["Key"]: s3.get_object(Bucket="bucket", Key=o["Key"])["Body"].read() for o in found if o["Size"]}


def address(server: str, folder: str = "bucket/lake") -> str:
    return f"s3://{folder}?scheme=http&endpoint_override={server}&region=eu-de"


def test_a_bucket_holds_what_the_manifest_names(catalog: Catalog, server: str, s3: Any) -> None:
    assert len(catalog.export(address(server)).written) == 2
    objects = contents(s3)
    told = json.loads(objects.pop("lake/manifest.json"))
    named = {
        f"lake/{f['path']}": f for s in told["sources"] for t in s["tables"].values() for f in t["files"]
    }
    assert set(objects) == set(named)
    assert len(named) == 2 * len(KEYS)
    for key, file in named.items():
        assert parquet.read_table(io.BytesIO(objects[key])).num_rows == file["rows"]
    assert catalog.export(address(server)).written == []
    catalog.one.sweep()
    done = catalog.export(address(server))
    assert (done.written, done.unchanged) == (["one"], [AWKWARD])
    after = contents(s3)
    assert len(after) == len(objects) + 1
    assert {key for key in objects if "source=one/" not in key} <= set(after)


def test_a_manifest_that_another_export_wrote_meanwhile_stays(catalog: Catalog, server: str, s3: Any) -> None:
    def beside(rows: int) -> None:
        if not others:
            others.append(rows)
            catalog.export(address(server))
            others.append(s3.get_object(Bucket="bucket", Key="lake/manifest.json")["Body"].read())

    others: list[Any] = []
    with pytest.raises(CatalogError, match="another export wrote there meanwhile"):
        catalog.export(address(server), progress=beside)
    objects = contents(s3)
    assert objects["lake/manifest.json"] == others[1]
    told = json.loads(others[1])
    assert {
        f"lake/{f['path']}" for s in told["sources"] for t in s["tables"].values() for f in t["files"]
    } <= set(objects)


@pytest.mark.usefixtures("s3")
def test_a_bucket_that_is_not_there_is_one_line(catalog: Catalog, server: str) -> None:
    with pytest.raises(CatalogError, match=r"^s3://other/lake: .*check address, region and keys$") as raised:
        catalog.export(address(server, "other/lake"))
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize(
    "target",
    [
        "s3://key:secret@bucket/lake",
        "s3://",
        "s3:///lake",
        "s3://bucket/lake?access_key=secret",
        "gs://bucket/lake",
    ],
)
def test_addresses_with_keys_in_them_are_refused(catalog: Catalog, target: str) -> None:
    with pytest.raises(UsageError) as raised:
        catalog.export(target)
    assert "secret" not in str(raised.value)
