"""`catalog files`: what comes with the product, copied to a folder."""

from __future__ import annotations

from tests.acceptance.cli.conftest import CHECKOUT, Desk


def test_the_files_are_copied_and_nothing_is_replaced(desk: Desk) -> None:
    done = desk.run("files", "examples")
    assert (done.code, done.err) == (0, "")
    copied = {str(f.relative_to(desk.folder / "examples")) for f in (desk.folder / "examples").rglob("*.*")}
    assert {
        "deploy/README.md",
        "deploy/kubernetes.yaml",
        "deploy/prometheus-rules.yml",
        "grafana.json",
    } <= copied
    ours, theirs = CHECKOUT / "docs" / "grafana.json", desk.folder / "examples" / "grafana.json"
    assert ours.read_bytes() == theirs.read_bytes()
    theirs.write_text("mine")
    again = desk.run("files", "examples")
    assert again.code == 2
    assert again.error.endswith("is there already; name another folder")
    assert theirs.read_text() == "mine"
