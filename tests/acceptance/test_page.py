"""`catalog report --html`: a page that stands alone, tells the truth, and can be read by anyone.

The last part looks at it in headless Chromium, where that is installed (Debian's package `chromium`).
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from html import unescape
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, ClassVar

import psycopg
import pytest
from psycopg.rows import dict_row

from catalog.errors import UsageError
from catalog.report.html import make_page
from catalog.store.db.connection import Database
from tests.integration.views.conftest import Shelf
from tests.support.markup import Outline

NOW = datetime.now(UTC)
HOSTILE = "<script>alert(1)</script>\"'&\u202egpj.\x1b[31m<img src=//evil.example/x onerror=alert(2)>"


def ago(**units: float) -> datetime:
    return NOW - timedelta(**units)


@pytest.fixture
def shelf(database_url: str, database: Database) -> Iterator[Shelf]:
    with psycopg.connect(database_url, autocommit=True, row_factory=dict_row) as connection:
        yield Shelf(connection, database)


def stock(shelf: Shelf) -> None:
    """Two sources in use and a retired one; births, a change, a death; a name that means harm."""
    cloud = shelf.source(
        "cloud",
        kind="ims",
        expected_seconds=900,
        last_complete_at=ago(minutes=5),
        observed_since=ago(days=100),
    )
    lab = shelf.source(
        HOSTILE,
        expected_seconds=900,
        last_complete_at=ago(hours=5),
        observed_since=ago(days=90),
        failing_since=ago(hours=4),
        error_kind="login",
    )
    old = shelf.source("old", retired_at=ago(days=1))
    shelf.image(old, "left")
    for number in range(3):
        image_id = f"u{number}"
        born = ago(days=40 * number + 1)
        flags = {"kvm": number > 0} | ({"fc_inject": False} if number == 0 else {})
        shelf.image(cloud, image_id, platform="Ubuntu", image_size=2**40, created_at=born, flags=flags)
        shelf.revision(cloud, image_id, born, change="created", platform="Ubuntu")
        shelf.spell(cloud, image_id, "active", born)
    harm: dict[str, Any] = {"name": HOSTILE, "platform": HOSTILE, "status": HOSTILE}
    shelf.image(lab, "h", created_at=ago(days=3), tags=[HOSTILE], flags={HOSTILE: True}, **harm)
    shelf.revision(lab, "h", ago(days=3), ago(days=2), "created", **harm)
    shelf.revision(
        lab, "h", ago(days=2), changed={"name": ["calm", HOSTILE], HOSTILE: [["a"], [HOSTILE]]}, **harm
    )
    shelf.spell(lab, "h", HOSTILE, ago(days=3))
    shelf.image(lab, "gone", deleted_at=ago(days=1), deletion_reason="not_found")
    shelf.revision(
        lab, "gone", ago(days=1), change="deleted", deleted_at=ago(days=1), deletion_reason="not_found"
    )


def page(shelf: Shelf, folder: Path, **options: Any) -> str:
    file = folder / "page.html"
    with shelf.database.transaction(read_only=True) as connection:
        file.write_text(make_page(connection, now=NOW, **options), encoding="utf-8")
    return file.read_text(encoding="utf-8")


def words(markup: str) -> str:
    """The words of a part of the page, blanks evened out."""
    return " ".join(unescape(re.sub(r"<[^>]*>", " ", markup)).split())


def section(text: str, heading: str) -> str:
    return words(text.split(f"<h2>{heading}</h2>")[1].split("</section>")[0])


def test_it_loads_nothing_and_runs_nothing(shelf: Shelf, tmp_path: Path) -> None:
    stock(shelf)
    text = page(shelf, tmp_path)
    outline = Outline(text)
    tags = {tag for tag, _ in outline.tags}
    assert not tags & {"script", "img", "iframe", "object", "embed", "form", "base", "audio", "video"}
    for tag, attributes in outline.tags:
        assert not any(name.startswith("on") for name in attributes), tag
        assert "src" not in attributes
        assert attributes.get("href", "data:,") == "data:,"
    assert not re.search(r"@import|@font-face|url\(", text)
    assert any("default-src 'none'" in (attributes.get("content") or "") for _, attributes in outline.tags)


def test_what_a_cloud_says_is_text_and_what_hides_is_seen(shelf: Shelf, tmp_path: Path) -> None:
    stock(shelf)
    text = page(shelf, tmp_path)
    shown = HOSTILE.replace("\u202e", r"\u202e").replace("\x1b", r"\x1b")
    assert "\u202e" not in text
    assert "\x1b" not in text
    assert Outline(text).words.count(shown) >= 6, "source, platform, status, capability, name, change"


def test_its_numbers_are_those_of_the_catalog(shelf: Shelf, tmp_path: Path) -> None:
    stock(shelf)
    text = page(shelf, tmp_path)
    top = words(text.split("<header>")[1].split("</section>")[0])
    assert "from 2 sources (1 retired left out)" in top
    assert "4 live images 3.0 TiB stored, as far as known 2 arrived in 7 days 1 changed in 7 days" in top
    assert "1 gone in 7 days 1 source out of date" in top
    sources = section(text, "Sources")
    assert "cloud IMS 3 fresh" in sources
    assert re.search(r"Glance 1 stale login .* 5 h 15 min 0", sources)
    assert "ubuntu 3" in section(text, "Operating systems and sources")
    assert section(text, "Age of live images").endswith("under a week 2 to 30 days 0 to 90 days 2")
    capabilities = section(text, "Capabilities")
    assert re.search(r"kvm hypervisor 67", capabilities)
    assert re.search(r"fc_inject cloud init 67", capabilities), "silence means support"
    changes = section(text, "Latest changes")
    assert changes.index("not found") < changes.index("calm →") < changes.index("created u1")
    assert re.search(r"active 3 0 – – 81 d", section(text, "Time spent in each status"))
    assert re.search(r"current .* 3 – deactivated .* 1 0 all 4 0$", section(text, "Where images stand"))


def test_the_states_add_up_to_all_live_images(shelf: Shelf, tmp_path: Path) -> None:
    source = shelf.source("cloud", observed_since=ago(days=1))
    for number, status in enumerate(("queued", "saving", "active", "deactivated", "killed")):
        shelf.image(source, f"i{number}", name=f"name{number}", status=status)
    shelf.image(source, "gone", deleted_at=ago(days=1))
    states = section(page(shelf, tmp_path), "Where images stand")
    assert re.search(r"current .* 1 – deactivated .* 1 0 unfinished .* 3 – all 5 0$", states)


def test_a_change_says_whose_the_image_is_and_its_id(shelf: Shelf, tmp_path: Path) -> None:
    source = shelf.source("cloud")
    shelf.insert("projects", {"source_id": source, "project_id": "p", "name": "Shop", "seen_at": NOW})
    shelf.revision(source, "an-id", ago(days=1), change="created", name="web", owner="p")
    assert "created web cloud , of Shop an-id" in section(page(shelf, tmp_path), "Latest changes")


def test_a_young_catalog_has_no_long_empty_plot(shelf: Shelf, tmp_path: Path) -> None:
    source = shelf.source("cloud", observed_since=ago(days=9))
    shelf.image(source, "i")
    shelf.revision(source, "i", ago(days=8), change="created")
    text = page(shelf, tmp_path)
    days = text.split('<div class="days">')[1].split("</div>")[0]
    assert words(days).split()[0] == str(ago(days=9).date())


def test_an_empty_catalog_has_a_page_too(shelf: Shelf, tmp_path: Path) -> None:
    text = page(shelf, tmp_path)
    assert "run catalog sync" in words(text)
    assert "Nothing happened yet" in text
    assert re.findall("<h2>(.*?)</h2>", text) == ["Sources", "Latest changes"], "no card without contents"


def test_it_can_be_of_some_sources_only(shelf: Shelf, tmp_path: Path) -> None:
    stock(shelf)
    text = page(shelf, tmp_path, sources=["cl*", "old"])
    assert "evil.example" not in text
    assert "retired" in section(text, "Sources")
    with pytest.raises(UsageError, match="no source is called 'x'"):
        page(shelf, tmp_path, sources=["x"])


def test_a_page_that_cannot_be_made_leaves_the_old_one_and_no_rest(shelf: Shelf, tmp_path: Path) -> None:
    (tmp_path / "page.html").write_text("old")
    with pytest.raises(UsageError):
        page(shelf, tmp_path, sources=["x"])
    assert [file.name for file in tmp_path.iterdir()] == ["page.html"]
    assert (tmp_path / "page.html").read_text() == "old"
    with pytest.raises(FileNotFoundError):
        page(shelf, tmp_path / "no such folder")


FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-proxy-server",
    "--enable-logging=stderr",
)
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")

# A frame as wide as a telephone, or a desk; the title tells what became of the page in it.
FRAME = """<!doctype html><body><iframe id=f src=/page.html width={width} height=900></iframe><script>
f.onload = () => {{ const d = f.contentDocument, cards = [...d.querySelectorAll('.card')]; document.title =
JSON.stringify({{ scroll: d.documentElement.scrollWidth, room: d.documentElement.clientWidth,
paper: getComputedStyle(d.body).backgroundColor, ink: getComputedStyle(d.body).color,
cut: [...d.querySelectorAll('.scroll')].filter(e => e.scrollWidth > e.clientWidth).length,
columns: new Set(cards.map(c => c.getBoundingClientRect().left)).size,
bars: [...d.querySelectorAll('.track i')].filter(i => i.getBoundingClientRect().width > 0).length }}) }}
</script>"""


class Server(ThreadingHTTPServer):
    """Serves the page and its frames on loopback, and remembers what was asked for."""

    pages: ClassVar[dict[str, str]] = {}

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.asked: list[str] = []


class Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        assert isinstance(self.server, Server)
        self.server.asked.append(self.path)
        body = self.server.pages.get(self.path, "").encode()
        self.send_response(200 if body else 404)
        self.send_header("Content-Type", "text/html; charset=utf-8")
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        pass


@pytest.mark.skipif(CHROMIUM is None, reason="Chromium is not installed")
@pytest.mark.parametrize(("width", "columns"), [(390, 1), (1280, 2)])
@pytest.mark.parametrize(("scheme", "dark"), [("1", False), ("0", True)])
def test_a_browser_shows_it_in_both_themes_and_widths_without_a_word_of_complaint(
    shelf: Shelf, tmp_path: Path, width: int, columns: int, scheme: str, dark: bool
) -> None:
    stock(shelf)
    server = Server()
    server.pages["/page.html"] = page(shelf, tmp_path)
    server.pages["/frame.html"] = FRAME.format(width=width)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        result = subprocess.run(
            [
                str(CHROMIUM),
                *FLAGS,
                "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
                f"--user-data-dir={tmp_path / 'profile'}",
                f"--blink-settings=preferredColorScheme={scheme}",
                "--dump-dom",
                f"http://127.0.0.1:{server.server_port}/frame.html",
            ],
            capture_output=True,
            text=True,
            timeout=120,
        )
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
    assert result.returncode == 0, result.stderr
    complaints = [line for line in result.stderr.splitlines() if "CONSOLE" in line]
    assert complaints == []
    assert sorted(set(server.asked) - {"/favicon.ico"}) == ["/frame.html", "/page.html"]
    title = re.search(r"<title>(.*)</title>", result.stdout)
    assert title, result.stdout
    seen = json.loads(unescape(title[1]))
    assert seen["scroll"] <= seen["room"], "nothing sticks out to the right"
    assert seen["cut"] == 0, "no table must be moved sideways"
    assert seen["bars"] >= 4
    paper, ink = (sum(map(int, re.findall(r"\d+", seen[key])[:3])) for key in ("paper", "ink"))
    assert (paper < ink) is dark
    assert seen["columns"] == columns
