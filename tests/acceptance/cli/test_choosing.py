"""`latest`, `announce`, `support`, as people and tools use them; the recipes of docs/choosing.md."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import hcl2
import pytest
import yaml

from catalog.demo import Cloud
from tests.acceptance.cli.conftest import CHECKOUT, Desk, Finished

PAGE = (CHECKOUT / "docs" / "choosing.md").read_text(encoding="utf-8")
RECIPES = dict(re.findall(r"<!-- recipe: (\w+) -->\n```\w+\n(.*?)```", PAGE, flags=re.DOTALL))
NEWEST = "00000000-0000-4000-8000-000000000002"


def ubuntu(number: int, **keys: Any) -> dict[str, Any]:
    return {
        "id": f"00000000-0000-4000-8000-{number:012}",
        "name": f"Ubuntu 22.04 2026010{number}",
        "status": "active",
        "visibility": "public",
        "os_distro": "ubuntu",
        "os_version": "22.04",
        "architecture": "x86_64",
        "created_at": f"2026-01-0{number}T00:00:00Z",
        "updated_at": f"2026-01-0{number}T00:00:00Z",
        "tags": ["golden"],
        **keys,
    }


@pytest.fixture
def swept(desk: Desk) -> Desk:
    for name in ("lab", "other"):
        cloud = Cloud("glance")
        for number in (1, 2):
            cloud.add(ubuntu(number))
        cloud.add(ubuntu(3, architecture="aarch64", name="Ubuntu 22.04 ${arm} %{x}"))
        desk.add_source(name, cloud)
    assert desk.run("sync").code == 0
    return desk


def failed(done: Finished, code: int) -> str:
    assert (done.code, done.out) == (code, "")
    return done.error


# ---- latest -------------------------------------------------------------------------------------------


def test_each_format_names_the_newest_of_each_source(swept: Desk) -> None:
    question = ("latest", "--os", "ubuntu-22.04", "--arch", "x86_64")
    assert swept.run(*question, "--format", "id").out == f"{NEWEST}\n{NEWEST}\n"
    rows = swept.run(*question, "--format", "json").rows
    assert [(row["source"], row["image_id"]) for row in rows] == [("lab", NEWEST), ("other", NEWEST)]
    assert list(map(json.loads, swept.run(*question, "--format", "jsonl").out.splitlines())) == rows
    assert swept.run(*question, "--format", "csv").out.splitlines()[1].startswith(f"lab,{NEWEST},")
    assert NEWEST in swept.run(*question).out
    tfvars = swept.run(*question, "--format", "tfvars").out
    assert tfvars == f'image_ids = {{\n  "lab" = "{NEWEST}"\n  "other" = "{NEWEST}"\n}}\n'


def test_one_line_says_which_condition_leaves_none(swept: Desk) -> None:
    line = failed(swept.run("latest", "--visibility", "public", "--tag", "golden", "--purpose", "gpu"), 1)
    assert line == "error: no image fits: --purpose gpu leaves none of the 6 that are offered"
    assert "no source is called 'nowhere'" in failed(swept.run("latest", "--source", "nowhere"), 2)


def test_the_answer_of_a_moment_is_repeated(desk: Desk) -> None:
    cloud = Cloud("glance")
    cloud.add(ubuntu(2))
    desk.add_source("lab", cloud)
    assert desk.run("sync").code == 0
    ((then,),) = desk.query("SELECT now()")
    cloud.add(ubuntu(4))
    assert desk.run("sync").code == 0
    question = ("latest", "Ubuntu 22.04", "--arch", "x86_64", "--format", "id")
    assert desk.run(*question).out == "00000000-0000-4000-8000-000000000004\n"
    assert desk.run(*question, "--as-of", then.isoformat()).out == f"{NEWEST}\n"


# ---- recipes ------------------------------------------------------------------------------------------


def bin_of(desk: Desk) -> Path:
    """A folder with a `catalog` in it, as installed."""
    folder = desk.folder / "bin"
    folder.mkdir(exist_ok=True)
    command = folder / "catalog"
    command.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m catalog "$@"\n')
    command.chmod(0o755)
    return folder


def as_people_do(desk: Desk, arguments: list[str] | str, input: str = "") -> Finished:
    environment = desk.environment(PATH=f"{bin_of(desk)}:{Path(sys.executable).parent}:{os.environ['PATH']}")
    done = subprocess.run(
        arguments,
        shell=isinstance(arguments, str),
        cwd=desk.folder,
        env=environment,
        input=input,
        capture_output=True,
        text=True,
        timeout=240,
    )
    return Finished(done.returncode, done.stdout, done.stderr)


def unquoted(value: Any) -> Any:
    return json.loads(value) if isinstance(value, str) and value.startswith('"') else value


@pytest.mark.skipif(shutil.which("jq") is None, reason="the recipe needs jq")
def test_the_recipe_lists_the_servers_of_images_that_are_to_be_left(desk: Desk) -> None:
    cloud = Cloud("glance", [ubuntu(number) for number in (1, 2, 3)])
    desk.add_source("lab", cloud)
    assert desk.run("sync").code == 0
    cloud.delete(ubuntu(1)["id"])
    assert desk.run("sync").code == 0
    volume = "N/A (booted from volume)"
    images = {"old": ubuntu(1)["id"], "web": ubuntu(2)["id"], "new": ubuntu(3)["id"], "db": volume, "x": None}
    servers = [{"ID": f"id-{name}", "Name": name, "Image ID": image} for name, image in images.items()]
    (desk.folder / "servers.json").write_text(json.dumps(servers))
    openstack = bin_of(desk) / "openstack"
    openstack.write_text("#!/bin/sh\nexec cat servers.json\n")
    openstack.chmod(0o755)
    done = as_people_do(desk, RECIPES["servers"])
    assert [line.split("\t") for line in done.out.splitlines()] == [
        ["id-old", "old", "Ubuntu 22.04 20260101", "gone", ubuntu(3)["id"]],
        ["id-web", "web", "Ubuntu 22.04 20260102", "superseded", ubuntu(3)["id"]],
    ], done.err


def test_the_recipe_for_terraform(swept: Desk) -> None:
    """What its external data source does: the program of the recipe, the query as JSON on standard input."""
    (data,) = hcl2.loads(RECIPES["terraform"])["data"]
    (external,) = data.values()
    (block,) = external.values()
    program = [unquoted(word) for word in block["program"]]
    query = {unquoted(key): unquoted(value) for key, value in block["query"].items()}
    done = as_people_do(swept, program, input=json.dumps(query))
    assert done.code == 0, done.err
    result = json.loads(done.out)
    assert all(isinstance(value, str) for value in result.values())
    assert (result["image_id"], result["source"], result["region"]) == (NEWEST, "lab", "")


@pytest.mark.parametrize(
    ("question", "code", "error"),
    [
        ('{"os": "ubuntu"}', 1, "2 sources have such an image (lab, other): name one as `source`"),
        ('{"os": "ubuntu-26.04", "source": "lab"}', 1, "--os ubuntu-26.04 leaves none"),
        ('{"operating_system": "x"}', 2, "expected a JSON object of texts with keys among family, os,"),
        ('{"os": 22}', 2, "found 'os': 22"),
        ("[]", 2, "expected a JSON object"),
        ("{", 2, "expected a JSON object"),
    ],
)
def test_what_terraform_is_told_if_there_is_no_answer(
    swept: Desk, question: str, code: int, error: str
) -> None:
    done = swept.run("latest", "--format", "external", input=question)
    assert error in failed(done, code)


def test_terraform_may_ask_for_several_tags(swept: Desk) -> None:
    tags = json.dumps({"tag": '["golden"]', "arch": "x86_64", "source": '["la*"]', "os": ""})
    assert json.loads(swept.run("latest", "--format", "external", input=tags).out)["image_id"] == NEWEST
    twice = swept.run("latest", "--os", "ubuntu", "--format", "external", input='{"os": "debian"}')
    assert "'os' is asked for twice" in failed(twice, 2)


def test_the_recipe_for_packer(swept: Desk) -> None:
    done = as_people_do(swept, RECIPES["packer"])
    assert (done.code, done.err) == (0, "")
    told = hcl2.loads((swept.folder / "image.auto.pkrvars.hcl").read_text())
    values = {key: unquoted(value) for key, value in told.items() if not key.startswith("__")}
    assert values["image_id"] == NEWEST
    assert {unquoted(key): unquoted(value) for key, value in values["image_ids"].items()} == {"lab": NEWEST}
    # the template of the page declares what the file sets
    declared = re.findall(r'^variable "(\w+)"', PAGE, flags=re.MULTILINE)
    assert set(declared) == set(values)


def test_no_text_of_a_cloud_is_a_template_of_terraform(swept: Desk) -> None:
    swept.query("UPDATE sources SET name = %s WHERE name = 'lab'", "l${a}%{b}")
    out = swept.run("latest", "--arch", "aarch64", "--source", "l*", "--format", "tfvars").out
    assert '"l$${a}%%{b}" = "' in out


def test_the_recipe_for_ansible(swept: Desk) -> None:
    play = yaml.safe_load(RECIPES["ansible"])
    play[0]["tasks"].append({"ansible.builtin.debug": {"var": "image"}})
    (swept.folder / "play.yml").write_text(yaml.safe_dump(play))
    # by default below the home of the user in the system's list, which is not there for nobody
    (swept.folder / "ansible.cfg").write_text("[defaults]\nremote_tmp = ansible\n")
    python = f"ansible_python_interpreter={sys.executable}"
    done = as_people_do(
        swept, ["ansible-playbook", "-i", "localhost,", "-c", "local", "-e", python, "play.yml"]
    )
    assert done.code == 0, done.out + done.err
    assert f'"image": "{NEWEST}"' in done.out


# ---- announce and support -----------------------------------------------------------------------------


def test_an_announcement_is_made_shown_obeyed_and_withdrawn(swept: Desk) -> None:
    instead = "00000000-0000-4000-8000-000000000001"
    made = swept.run(
        "announce", NEWEST, "--source", "lab", "--deprecated", "2026-02-01", "--use-instead", instead,
        "--note", "bad kernel", "--format", "json",
    )  # fmt: skip
    assert made.code == 0, made.err
    (row,) = made.rows
    assert (row["source"], row["scope"], row["subject"], row["deprecated_at"], row["note"]) == (
        "lab", "image", NEWEST, "2026-02-01T00:00:00Z", "bad kernel",
    )  # fmt: skip
    assert row["announced_by"]
    (shown,) = swept.run("announce", "--format", "json").rows
    assert shown == row
    state = "SELECT state, use_instead_id FROM image_lifecycle WHERE source = 'lab' AND image_id = %s"
    assert swept.query(state, NEWEST) == [("deprecated", instead)]
    question = ("latest", "--arch", "x86_64", "--source", "lab", "--format", "id")
    assert swept.run(*question).out == f"{instead}\n"
    assert swept.run("announce", NEWEST, "--source", "lab", "--withdraw").code == 0
    assert swept.run(*question).out == f"{NEWEST}\n"
    assert "nothing is announced of" in failed(swept.run("announce", NEWEST, "--withdraw"), 2)
    kept = swept.query("SELECT withdrawn_at IS NOT NULL, withdrawn_by IS NOT NULL FROM image_announcements")
    assert kept == [(True, True)]


def test_what_to_use_instead_is_an_image_that_lives(desk: Desk) -> None:
    """Older ones of the name, which are gone, are not what is meant."""
    cloud = Cloud("glance", [ubuntu(1), ubuntu(2, name="Rocky 9")])
    desk.add_source("lab", cloud)
    assert desk.run("sync").code == 0
    cloud.delete(NEWEST)
    cloud.add(ubuntu(3, name="Rocky 9"))
    assert desk.run("sync").code == 0
    family = ("announce", "--family", "Ubuntu 22.04", "--use-instead")
    assert f"no live image has the id or the name '{NEWEST}'" in failed(desk.run(*family, NEWEST), 2)
    (row,) = desk.run(*family, "rocky 9", "--format", "json").rows
    assert row["use_instead_id"] == "00000000-0000-4000-8000-000000000003"


def test_a_family_is_announced_in_every_source_that_has_it(swept: Desk) -> None:
    done = swept.run("announce", "--family", "ubuntu 22.04", "--obsolete", "2026-02-01", "--format", "json")
    assert [(row["source"], row["scope"], row["subject"]) for row in done.rows] == [
        ("lab", "family", "Ubuntu 22.04"),
        ("other", "family", "Ubuntu 22.04"),
    ]
    states = swept.query("SELECT DISTINCT state FROM image_lifecycle WHERE family = 'Ubuntu 22.04'")
    assert states == [("obsolete",)]


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        (["x", "--family", "y", "--note", "z"], "exclude each other"),
        (["x"], "say --deprecated, --obsolete, --use-instead or --note"),
        (["--note", "z"], "name an IMAGE, or a --family"),
        (["x", "--withdraw", "--note", "z"], "--withdraw takes back"),
        (["x", "--deprecated", "2026-03-01", "--obsolete", "2026-02-01"], "--obsolete comes before"),
        (["x", "--deprecated", "soon"], "expected a date"),
        (["nothing", "--note", "z"], "no image has the id or the name 'nothing'"),
        (["--family", "nothing", "--note", "z"], "no image is of the family 'nothing'"),
        ([NEWEST, "--use-instead", "nothing"], "no live image has the id or the name 'nothing'"),
    ],
)
def test_what_can_not_be_announced(swept: Desk, arguments: list[str], error: str) -> None:
    done = swept.run("announce", *arguments)
    assert done.code == 2
    assert error in done.err
    assert swept.query("SELECT count(*) FROM image_announcements") == [(0,)]


OLDER = [
    {
        "cycle": "30.04",
        "support": "2031-01-01",
        "eol": "2035-04-30",
        "extendedSupport": "2040-04-30",
        "lts": True,
    },
    {"cycle": "29.10", "support": True, "eol": False, "extendedSupport": False},
    {"cycle": "28.04", "support": False, "eol": True, "extendedSupport": True},
]
NEWER = {
    "schema_version": "1.2.0",
    "result": {
        "name": "debian",
        "releases": [
            {
                "name": "14",
                "isEol": False,
                "eolFrom": "2030-08-09",
                "isEoes": False,
                "eoesFrom": "2032-06-30",
            },
            {"name": "6", "isEol": True, "eolFrom": None, "isEoes": None, "eoesFrom": None},
        ],
    },
}


def phases(desk: Desk, distro: str, *releases: str) -> dict[tuple[str, str], tuple[str | None, bool]]:
    rows = desk.query(
        "SELECT release, phase, ends_on::text, over FROM os_support WHERE distro = %s AND release = ANY (%s)",
        distro,
        list(releases),
    )
    return {(release, phase): (ends_on, over) for release, phase, ends_on, over in rows}


def test_support_is_read_in_both_forms_of_endoflife_date(desk: Desk) -> None:
    (desk.folder / "ubuntu.json").write_text(json.dumps(OLDER))
    (desk.folder / "debian.json").write_text(json.dumps(NEWER))
    done = desk.run("support", "load", "ubuntu.json")
    assert (done.code, done.out) == (0, "ubuntu.json: 8 phases of ubuntu read, 8 rows changed\n")
    assert desk.run("support", "load", "ubuntu.json").out.endswith(" 0 rows changed\n")
    assert desk.run("support", "load", "debian.json").code == 0
    assert phases(desk, "ubuntu", "30.04", "29.10", "28.04") == {
        ("30.04", "active"): ("2031-01-01", False),
        ("30.04", "security"): ("2035-04-30", False),
        ("30.04", "extended"): ("2040-04-30", False),
        ("29.10", "active"): (None, False),
        ("29.10", "security"): (None, False),
        ("28.04", "active"): (None, True),
        ("28.04", "security"): (None, True),
        ("28.04", "extended"): (None, False),
    }
    assert phases(desk, "debian", "14", "6") | {("6", "lts"): None} == {
        ("14", "security"): ("2030-08-09", False),
        ("14", "lts"): ("2032-06-30", False),  # free: what follows Debian's own updates is the community's
        ("6", "security"): (None, True),
        ("6", "lts"): None,
    }
    told = desk.query("SELECT DISTINCT source FROM os_support WHERE distro = 'ubuntu' AND NOT builtin")
    assert told == [("endoflife.date/ubuntu, loaded from ubuntu.json",)]


def test_a_file_of_all_products_is_read(desk: Desk) -> None:
    products = [
        NEWER["result"],
        {"name": "rocky-linux", "releases": [{"name": "11", "eolFrom": "2038-05-31", "isEol": False}]},
    ]
    (desk.folder / "full.json").write_text(json.dumps({"result": products}))
    assert desk.run("support", "load", "full.json").out.startswith(
        "full.json: 4 phases of debian, rocky read"
    )
    assert phases(desk, "rocky", "11") == {("11", "security"): ("2038-05-31", False)}


@pytest.mark.parametrize(
    ("content", "error"),
    [
        (None, "ubuntu.json: No such file or directory"),
        ("<html>", "is not JSON"),
        ("{}", "is not in the form of endoflife.date"),
        ("[]", "holds no release with an end of support"),
        ('[{"cycle": "1", "eol": 7}]', "holds no release with an end of support"),
    ],
)
def test_what_is_not_a_file_of_endoflife_date(desk: Desk, content: str | None, error: str) -> None:
    if content is not None:
        (desk.folder / "ubuntu.json").write_text(content)
    assert error in failed(desk.run("support", "load", "ubuntu.json"), 2)
