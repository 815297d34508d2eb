"""README and quick start, followed to the letter with a real Keystone and a real Glance in each of two regions."""

from __future__ import annotations

import json
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from tests.real_cloud import services
from tests.real_cloud.conftest import REGION, Cloud
from tests.support.environment import bare

pytestmark = pytest.mark.real_cloud

PROJECT = Path(__file__).parents[2]
DOCUMENTED_ADDRESS = "postgresql://catalog@db.example.com/catalog"
PASSWORD = "docs-made-up"


@pytest.fixture(scope="module")
def mycloud(real_cloud: Cloud, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, object]]:
    """The entry of clouds.yaml, without a region, of a user with two images in the north and three in the south."""
    keystone = real_cloud.keystone
    user = keystone.create("user", name="docs", password=PASSWORD, domain_id="default")
    project = keystone.create("project", name="docs", domain_id="default")
    keystone.grant(user, project, "member", "reader")
    token = keystone.log_in("docs", PASSWORD, "docs")
    keystone.create("region", id="south")
    with services.glance(tmp_path_factory.mktemp("south") / "data", real_cloud.authtoken) as south:
        offered = real_cloud.offer(south, "south")
        for glance, count in ((real_cloud.glance, 2), (south, 3)):
            for number in range(count):
                glance.create(token, name=f"ubuntu-22.04-{number}", visibility="private", data=b"x")
        auth = {"auth_url": keystone.url, "username": "docs", "password": PASSWORD, "project_name": "docs"}
        yield {"auth": auth | {"user_domain_name": "Default", "project_domain_name": "Default"}}
        for endpoint in offered:  # other tests know one region
            keystone.request("DELETE", f"/endpoints/{endpoint}")


class Reader:
    """Somebody in a folder with a clouds.yaml, who runs blocks of a page's section as they stand there."""

    def __init__(self, folder: Path, entry: Mapping[str, object]) -> None:
        self.folder = folder
        self.exported: list[str] = []
        (folder / "clouds.yaml").write_text(json.dumps({"clouds": {"mycloud": entry}}))

    def section(self, page: str, heading: str, kind: str) -> list[str]:
        text = (PROJECT / page).read_text()
        _, found, rest = text.partition(f"\n## {heading}\n")
        assert found, heading
        return re.findall(rf"```{kind}\n(.*?)```", rest.partition("\n## ")[0], flags=re.DOTALL)

    def follow(self, block: str, *, replacing: Mapping[str, str] | None = None) -> list[tuple[str, int, str]]:
        """Each line with its exit code and output. What is exported or unset holds from then on."""
        done = []
        for line in block.splitlines():
            for text, other in (replacing or {}).items():
                line = line.replace(text, other)
            if re.match(r"export |unset ", line):
                self.exported.append(line)
                continue
            script = "\n".join([*self.exported, line])
            path = f"{Path(sys.executable).parent}:/usr/bin:/bin"
            ran = subprocess.run(
                ["bash", "-c", script],
                cwd=self.folder,
                env=bare() | {"HOME": str(self.folder), "PATH": path},
                capture_output=True,
                text=True,
                check=False,
                timeout=120,
            )
            done.append((line, ran.returncode, ran.stdout + ran.stderr))
        return done


def codes(done: list[tuple[str, int, str]]) -> dict[str, int]:
    return {line.partition("#")[0].strip(): code for line, code, _ in done}


def test_the_readme_reads_a_cloud_of_two_regions(mycloud: dict[str, object], tmp_path: Path) -> None:
    reader = Reader(tmp_path, mycloud)
    own, configured = reader.section("README.md", "Your own cloud", "sh")
    done = reader.follow(own)
    assert set(codes(done).values()) == {0}, done
    images = done[1][2]
    assert images.count("mycloud/north") == 2
    assert images.count("mycloud/south") == 3
    (tmp_path / "catalog.toml").write_text('[[sources]]\nkind = "glance"\ncloud = "mycloud"\n')
    done = reader.follow(configured.replace("catalog daemon", "timeout 5 catalog daemon"))
    assert codes(done) == {
        "catalog sources --check": 0,
        "catalog db upgrade": 0,
        "catalog sync --plan": 0,  # nothing has changed
        "timeout 5 catalog daemon": 124,
    }, done


def test_the_quick_start_leads_from_a_cloud_to_a_daemon_on_a_server(
    mycloud: dict[str, object], tmp_path: Path, database_url: str
) -> None:
    reader = Reader(tmp_path, mycloud)
    (block,) = reader.section("docs/quickstart.md", "3. Read one cloud", "sh")
    done = reader.follow(block)
    assert list(codes(done).values()) == [0, 3, 0, 0], done
    (toml,) = reader.section("docs/quickstart.md", "4. Write a configuration", "toml")
    (tmp_path / "catalog.toml").write_text(toml)
    sources, sync = reader.section("docs/quickstart.md", "4. Write a configuration", "sh")
    done = reader.follow(sources)
    assert set(codes(done).values()) == {0}
    assert [done[0][2].count(f"mycloud/{region}") for region in (REGION, "south")] == [1, 1]
    assert "not configured" not in done[0][2]
    done = reader.follow(sync)
    assert set(codes(done).values()) == {0}
    assert "new images" not in done[0][2]
    (block,) = reader.section("docs/quickstart.md", "5. Move to a server", "sh")
    done = reader.follow(block, replacing={DOCUMENTED_ADDRESS: shlex.quote(database_url)})
    assert set(codes(done).values()) == {0}, done
    (block,) = reader.section("docs/quickstart.md", "6. Keep it running", "sh")
    done = reader.follow(block.replace("catalog daemon", "timeout 5 catalog daemon"))
    assert set(codes(done).values()) == {124}, done
    done = reader.follow("catalog images --format csv")
    assert done[0][2].count("\n") == 1 + 5
