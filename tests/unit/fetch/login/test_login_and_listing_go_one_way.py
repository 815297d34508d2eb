"""Login and listing take the same proxy, or none: the one that clouds.yaml or the environment names."""

from __future__ import annotations

import threading
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

import pytest

from catalog.config.settings import SourceSettings
from catalog.deadline import Deadline
from catalog.demo.cloud import Cloud
from catalog.fetch.http.proxies import proxy_for
from catalog.fetch.listing.service import open_service
from tests.identity import IdentityService, service_entry
from tests.support.cloud_server import CloudServer
from tests.unit.fetch.login.connecting import CloudsYaml, connect

BOTH = {"/v3/auth/tokens", "/v2/images"}


class Proxy(ThreadingHTTPServer):
    """Passes on what it is asked for, and remembers the paths."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Passing)
        self.paths: set[str] = set()

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.server_address[1]}"


class _Passing(BaseHTTPRequestHandler):
    server: Proxy

    def do_GET(self) -> None:
        self.server.paths.add(urlsplit(self.path).path)
        content = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        headers = {
            name: self.headers[name] for name in ("Content-Type", "X-Auth-Token") if name in self.headers
        }
        asked = urllib.request.Request(self.path, content or None, headers, method=self.command)
        direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with direct.open(asked) as answer:
            body = answer.read()
            self.send_response(answer.status)
            for name in ("Content-Type", "X-Subject-Token"):
                if name in answer.headers:
                    self.send_header(name, answer.headers[name])
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_POST = do_GET

    def log_message(self, format: str, *args: object) -> None:
        """Silent."""


@contextmanager
def running(proxy: Proxy) -> Iterator[Proxy]:
    thread = threading.Thread(target=proxy.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield proxy
    finally:
        proxy.shutdown()
        proxy.server_close()
        thread.join()


@pytest.fixture
def proxy() -> Iterator[Proxy]:
    with running(Proxy()) as proxy:
        yield proxy


@pytest.fixture(autouse=True)
def images(identity: IdentityService) -> Iterator[CloudServer]:
    """The image service of the catalogue, which takes the login's token alone."""
    with CloudServer(Cloud("glance", [{"id": "a", "status": "active"}]), tokens=["token-1"]) as server:
        identity.catalogue = [service_entry("image", north=server.endpoint)]
        yield server


def listed(source: SourceSettings) -> int:
    """Logs in and lists: how many images there are."""
    service = open_service(source, Deadline(20), connect(source))
    try:
        listing = service.listing("listed")
        assert sum(len(page.records) for page in listing) == listing.records
        assert listing.error is None
        return listing.records
    finally:
        service.close()


@pytest.mark.parametrize(
    ("no_proxy", "through"),
    [
        (None, BOTH),
        ("10.0.0.0/8,[::1],fd00::/8,.cluster.local", BOTH),
        ("localhost", {"/v2/images"}),
        ("localhost,127.0.0.1", set()),
        ("localhost, 127.0.0.0/8", set()),
        ("*", set()),
    ],
)
@pytest.mark.parametrize("scheme", ["http://", ""])
def test_no_proxy_means_the_same_to_both(
    cloud: CloudsYaml,
    proxy: Proxy,
    monkeypatch: pytest.MonkeyPatch,
    scheme: str,
    no_proxy: str | None,
    through: set[str],
) -> None:
    """A listing that took the proxy alone would show it the token."""
    monkeypatch.setenv("HTTP_PROXY", scheme + proxy.address)
    if no_proxy is not None:
        monkeypatch.setenv("NO_PROXY", no_proxy)
    assert listed(cloud()) == 1
    assert proxy.paths & BOTH == through


@pytest.mark.parametrize("no_proxy", ["fd00::/8", "[::1]", "[", "10.0.0.0/8,::1"])
def test_no_proxy_without_a_proxy_harms_nobody(
    cloud: CloudsYaml, monkeypatch: pytest.MonkeyPatch, no_proxy: str
) -> None:
    monkeypatch.setenv("NO_PROXY", no_proxy)
    assert listed(cloud()) == 1


@pytest.mark.parametrize("scheme", ["http://", ""])
def test_the_proxy_of_clouds_yaml_beats_the_environments(
    cloud: CloudsYaml, proxy: Proxy, monkeypatch: pytest.MonkeyPatch, scheme: str
) -> None:
    with running(Proxy()) as other:
        monkeypatch.setenv("HTTP_PROXY", f"http://{other.address}")
        assert listed(cloud({"proxy": scheme + proxy.address})) == 1
        assert (proxy.paths & BOTH, other.paths) == (BOTH, set())


def test_no_proxy_speaks_of_the_environments_proxy_alone(
    cloud: CloudsYaml, proxy: Proxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NO_PROXY", "*")
    assert listed(cloud({"proxy": f"http://{proxy.address}"})) == 1
    assert proxy.paths & BOTH == BOTH


def test_a_source_that_needs_no_login_reads_it_alike(
    images: CloudServer, proxy: Proxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TOKEN", "token-1")
    monkeypatch.setenv("all_proxy", f"http://{proxy.address}")
    source = SourceSettings("s", "glance", endpoint=images.endpoint, auth="token", token_env="TOKEN")
    for no_proxy, through in (("127.0.0.0/8", set()), ("", {"/v2/images"})):
        monkeypatch.setenv("no_proxy", no_proxy)
        assert listed(source) == 1
        assert proxy.paths == through


@pytest.mark.parametrize(
    ("url", "no_proxy"),
    [
        ("http://127.0.0.1:9292", "127.0.0.1:9292"),
        ("http://127.0.0.1:9292", "x.example, http://127.0.0.1:9292"),
        ("https://u:p@Images.example:9292/v2", "https://images.example"),
        ("http://[::1]:9292", "[::1]"),
        ("http://[fd00::5]", "10.0.0.0/8,fd00::/8"),
        ("http://[fd00::5]", "fd00::5"),
        ("http://images.example", ".example"),
    ],
)
def test_what_no_proxy_names_in_any_spelling_goes_direct(
    monkeypatch: pytest.MonkeyPatch, url: str, no_proxy: str
) -> None:
    """Some library reads each of them; the token must not be shown to the proxy because another one does not."""
    for name in ("HTTP_PROXY", "HTTPS_PROXY"):
        monkeypatch.setenv(name, "http://proxy.example:3128")
    assert proxy_for(url) == "http://proxy.example:3128"
    monkeypatch.setenv("NO_PROXY", no_proxy)
    assert proxy_for(url) is None
    monkeypatch.setenv("NO_PROXY", "other.example,fd01::/16,10.0.0.0/8,http://127.0.0.1:1")
    assert proxy_for(url) == "http://proxy.example:3128"
