"""`catalog sources --check` tells of every source, whatever befalls one."""

from __future__ import annotations

import httpx
import pytest

from catalog.config.settings import SourceSettings
from catalog.demo.cloud import Cloud
from catalog.sync.source_check import check
from tests.support.cloud_server import CloudServer


def test_a_fault_of_ours_is_one_sources_result(monkeypatch: pytest.MonkeyPatch) -> None:
    def fault(*_: object, **__: object) -> httpx.Response:
        raise ZeroDivisionError

    with CloudServer(Cloud("glance")) as server:
        source = SourceSettings("lab", "glance", endpoint=server.endpoint, auth="none")
        assert check(source).ok
        monkeypatch.setattr(httpx.Client, "send", fault)
        checked = check(source)
    assert (checked.ok, checked.error_kind) == (False, "upstream")
    assert str(checked.error).startswith("unexpected ZeroDivisionError, a bug in catalog")
