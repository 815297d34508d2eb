"""The pages in a real browser: Chromium, by Playwright. Skipped where either is missing."""

from __future__ import annotations

import itertools
import re
import shutil
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

import httpx
import pytest

from tests.integration.views.conftest import Shelf, ago
from tests.integration.web.conftest import PATIENCE
from tests.integration.web.test_pages import HOSTILE, SHOWN, hostile, stock

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="Chromium is not installed")
playwright = pytest.importorskip("playwright.sync_api", reason="Playwright is not installed")
axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="axe-core is not installed")

WIDE, NARROW = 1280, 390
RULES = ("color-contrast", "link-in-text-block", "scrollable-region-focusable", "target-size")
"""Those that depend on width and colours; the others are tried once a page."""
PAGES = (
    "/images",
    "/images?text=ubuntu&tag=golden&sort=-name",
    "/images?deleted=true",
    "/images?text=nothing",
    "/images/s-one/u0",
    "/images/s-one/gone",
    "/changes?since=90d",
    "/compare",
    "/compare?a=one&b=two",
    "/sources",
    "/report",
    "/nothing",
)


@pytest.fixture(scope="module")  # no longer: while the driver runs, nothing else may start an event loop
def browser() -> Iterator[Any]:
    with playwright.sync_playwright() as driver:
        # root may start it only so; what it opens is our own
        running = driver.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield running
        running.close()


@pytest.fixture
def view(browser: Any, site: httpx.Client) -> Iterator[Any]:
    """An empty page. The test fails if a page asked for anything elsewhere, or complained of something."""
    context = browser.new_context(
        base_url=str(site.base_url), color_scheme="light", viewport={"width": WIDE, "height": 900}
    )
    opened = context.new_page()
    opened.set_default_timeout(PATIENCE * 1000)
    said: list[str] = []
    opened.on("dialog", lambda dialog: (said.append(dialog.message), dialog.dismiss()))
    opened.on("pageerror", lambda error: said.append(str(error)))
    opened.on("console", lambda message: said.append(message.text))
    opened.on("request", lambda asked: asked.url.startswith(str(site.base_url)) or said.append(asked.url))
    yield opened
    context.close()
    assert [each for each in said if "the server responded with a status of" not in each] == []


def heading(view: Any) -> str:
    return " ".join(view.locator("h1").inner_text().split())


def address(view: Any) -> str:
    return re.sub(r"^https?://[^/]*", "", view.url)


def test_people_search_filter_open_compare_and_go_back(view: Any, shelf: Shelf) -> None:
    stock(shelf)
    view.goto("/")
    assert heading(view) == "Images 4"
    view.get_by_label("Name or id").fill("UBUNTU-20")
    view.get_by_role("button", name="Search").click()
    assert (heading(view), address(view)) == ("Images 2", "/images?text=UBUNTU-20&as_of=&state=")
    view.get_by_text("Tag", exact=True).click()
    view.get_by_role("link", name="lts", exact=True).click()
    assert heading(view) == "Images 1"
    view.get_by_role("link", name="ubuntu-20.04").click()
    assert (heading(view), address(view)) == ("ubuntu-20.04", "/images/s-two/u0")
    view.go_back()
    assert heading(view) == "Images 1"
    view.get_by_role("link", name="Without tag lts").click()
    assert heading(view) == "Images 2"
    view.get_by_role("link", name="Compare").click()
    view.locator("select[name=a]").select_option("one")
    view.locator("select[name=b]").select_option("two")
    view.get_by_role("button", name="Compare").click()
    assert "only in one" in view.locator("main").inner_text()
    view.get_by_role("link", name="ubuntu-22.04 in one").click()
    assert heading(view) == "ubuntu-22.04"


def test_the_keyboard_alone_is_enough(view: Any, shelf: Shelf) -> None:
    stock(shelf)
    view.goto("/images")

    def focused() -> str:
        return str(view.evaluate("document.activeElement.innerText || document.activeElement.name"))

    def tab_to(wanted: str) -> None:
        for _ in range(60):
            view.keyboard.press("Tab")
            if focused().strip() == wanted:
                visible = "e => getComputedStyle(e).outlineStyle !== 'none'"
                assert view.evaluate(f"({visible})(document.activeElement)"), wanted
                return
        raise AssertionError(f"no way to {wanted}")

    view.keyboard.press("Tab")
    assert focused() == "To the contents"
    view.keyboard.press("Enter")
    tab_to("text")
    view.keyboard.type("ubuntu-20")
    view.keyboard.press("Enter")
    view.wait_for_url("**/images?text=ubuntu-20**")
    tab_to("two")
    view.keyboard.press("Enter")
    view.wait_for_url("**source=two**")
    tab_to("ubuntu-20.04")
    view.keyboard.press("Enter")
    view.wait_for_url("**/images/s-two/u0")
    view.go_back()  # the key for it is the browser's own, and does not come from a page
    assert heading(view) == "Images 1"


def test_no_page_breaks_a_rule_of_accessibility_or_its_frame(view: Any, shelf: Shelf) -> None:
    stock(shelf)
    shelf.revision("s-one", "gone", ago(1), change="deleted", name="old", deleted_at=ago(1))
    faults = []
    for page in PAGES:
        view.goto(page)
        view.evaluate(axe.Axe().axe_script)
        for width, scheme in itertools.product((WIDE, NARROW), ("light", "dark")):
            view.set_viewport_size({"width": width, "height": 900})
            view.emulate_media(color_scheme=scheme)
            if view.evaluate("document.documentElement.scrollWidth") > width:
                faults.append((page, width, scheme, "wider than the screen", ""))
            rules = {} if (width, scheme) == (WIDE, "light") else {"runOnly": RULES}
            found = view.evaluate("options => axe.run(options)", {"resultTypes": ["violations"], **rules})
            faults += [
                (page, width, scheme, each["id"], each["nodes"][0]["html"][:200])
                for each in found["violations"]
            ]
    assert faults == []


def test_what_a_cloud_says_is_seen_as_text(view: Any, shelf: Shelf) -> None:
    hostile(shelf)
    view.goto("/images")
    assert view.locator("tbody bdi").first.inner_text() == SHOWN
    view.get_by_role("link", name=SHOWN).last.click()
    for page in ("/changes?since=90d", "/sources", "/report", f"/images/{quote(f's-{HOSTILE}', safe='')}/h"):
        view.set_viewport_size({"width": NARROW, "height": 900})
        view.goto(page)
        assert SHOWN in view.locator("body").inner_text(), page
        assert view.evaluate("document.documentElement.scrollWidth") <= NARROW, page
        assert view.locator("script, img, iframe").count() == 0


def test_a_printed_page_holds_what_was_found_and_no_controls(view: Any, shelf: Shelf) -> None:
    stock(shelf)
    view.goto("/images?sort=name")
    view.emulate_media(media="print")
    assert view.get_by_text("Created").is_visible()
    assert not view.get_by_role("navigation", name="Pages").is_visible()
    assert not view.get_by_role("button", name="Search").is_visible()
    view.goto("/images/s-one/u0")
    assert view.locator("svg rect").first.is_visible()
