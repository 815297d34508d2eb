"""`catalog latest`: the image to use, for people, scripts, Terraform, Packer and Ansible."""

from __future__ import annotations

import json
import sys
from typing import Any

import click

from catalog.cli.failures import say_error
from catalog.cli.invocation import WHAT_TO_SWEEP, Invocation
from catalog.cli.output import print_rows
from catalog.cli.parameters import past, sources_option
from catalog.errors import ExitCode, UsageError
from catalog.report.latest import Wanted, latest_images, why_none
from catalog.report.queries import Report
from catalog.report.terminal import json_line, plain

FORMATS = ("id", "table", "json", "jsonl", "csv", "tfvars", "external")
TABLE_COLUMNS = ("source", "name", "distro", "release", "arch", "purpose", "created_at", "image_id")
"""For people; the others carry every column."""
_LONGEST_QUESTION = 1 << 20
"""Characters of the object that Terraform sends."""
_QUESTION = ("family", "os", "arch", "purpose", "capability", "tag", "visibility", "source", "as_of")
_SEVERAL = ("capability", "tag", "source")
"""Keys of such an object that may hold a list, as JSON text."""


@click.command(
    epilog="""\b
Example:
  catalog latest "Ubuntu 22.04"
  catalog latest --os ubuntu-22.04 --arch x86_64 --visibility public
  catalog latest --os rocky-9 --capability kvm --tag golden --source otc/eu-de --format id
  catalog latest --os ubuntu-22.04 --as-of 2026-11-01T08:00Z
  catalog latest --os debian-12 --format tfvars > images.auto.tfvars""",
)
@click.argument("family", required=False)
@click.option("--os", metavar="OS", help="Operating system: ubuntu, or with its release: ubuntu-22.04.")
@click.option("--arch", help="Processor architecture: x86_64, aarch64, ...")
@click.option("--purpose", help="generic, minimal, gpu, k8s, ...; oldgeneric only if asked for.")
@click.option("--capability", multiple=True, help="Only images that support it; repeated: all of them.")
@click.option("--tag", multiple=True, help="Only with this tag; repeated: with all of them.")
@click.option("--visibility", help="public, private, shared, community, ...")
@sources_option
@click.option("--as-of", type=past, help="As the catalog knew it then, instead of now.")
@click.option(
    "--format",
    "format",
    type=click.Choice(FORMATS),
    default="table",
    show_default=True,
    help="How to print; external: as Terraform's external data source asks.",
)
@click.pass_obj
def latest(invocation: Invocation, /, format: str, **asked: Any) -> int:
    """Show, per source, the newest image that is offered and meets every condition.

    FAMILY is a name without dates and marks such as latest or old. Offered: active, listed, not hidden, not off the
    shelf, not announced as deprecated or obsolete; snapshots and backups never are. The newest by created_at, then
    id. If there is none: exit 1.

    With --format external the question may come as a JSON object of texts on standard input, and exactly one
    image must fit.
    """
    if format == "external":
        asked = _with_question(asked)
    wanted = Wanted(**asked)
    with invocation.reading() as connection:
        found = latest_images(connection, wanted)
        reason = None if found.rows else why_none(connection, wanted)
    if reason is not None and invocation.never_swept:
        reason = WHAT_TO_SWEEP
    if reason is not None:
        say_error(reason)
        return ExitCode.FAILED
    return _print(found, format)


def _print(found: Report, format: str) -> int:
    rows = found.dicts()
    if format == "id":
        for row in rows:
            click.echo(row["image_id"])
    elif format == "tfvars":
        click.echo(_tfvars(rows), nl=False)
    elif format == "external":
        if len(rows) > 1:
            names = ", ".join(row["source"] for row in rows)
            say_error(f"{len(rows)} sources have such an image ({names}): name one as `source`")
            return ExitCode.FAILED
        texts = {name: "" if value is None else str(_as_json(value)) for name, value in rows[0].items()}
        click.echo(json_line(texts))
    elif format == "table":
        print_rows(TABLE_COLUMNS, [tuple(row[name] for name in TABLE_COLUMNS) for row in rows], "table")
    else:
        print_rows(found.columns, found.rows, format)  # type: ignore[arg-type]
    return ExitCode.OK


def _as_json(value: Any) -> Any:
    """A value as JSON has it."""
    return value if isinstance(value, str | int | float) else plain(value)


def _tfvars(rows: list[dict[str, Any]]) -> str:
    """Variables of Terraform: `image_ids`, a map from source to id; `image_id` too, if there is one source."""
    lines = [f"image_id = {_hcl(rows[0]['image_id'])}"] if len(rows) == 1 else []
    lines += ["image_ids = {", *(f"  {_hcl(row['source'])} = {_hcl(row['image_id'])}" for row in rows), "}"]
    return "".join(f"{line}\n" for line in lines)


def _hcl(text: str) -> str:
    """A text in Terraform's language: JSON's escapes, and no template in it."""
    return json_line(text).replace("${", "$${").replace("%{", "%%{")


# ---- Terraform's external data source -----------------------------------------------------------------


def _with_question(asked: dict[str, Any]) -> dict[str, Any]:
    """The options, and what the object on standard input says beside them.

    Raises UsageError where it is not an object of texts, names something else, or asks what an option asks already.
    """
    if sys.stdin is None or sys.stdin.isatty():
        return asked
    text = sys.stdin.read(_LONGEST_QUESTION + 1)
    if not text.strip():
        return asked
    expected = f"expected a JSON object of texts with keys among {', '.join(_QUESTION)} on standard input"
    try:
        question = json.loads(text) if len(text) <= _LONGEST_QUESTION else None
    except ValueError:
        question = None
    if not isinstance(question, dict):
        raise UsageError(expected)
    for key, value in question.items():
        if key not in _QUESTION or not isinstance(value, str):
            raise UsageError(f"{expected}; found {key!r}: {json_line(value)[:80]}")
        if value and asked[key]:
            raise UsageError(f"{key!r} is asked for twice: on standard input and by an option")
        if value:
            asked[key] = _texts(value) if key in _SEVERAL else past(value) if key == "as_of" else value
    return asked


def _texts(value: str) -> tuple[str, ...]:
    """One text, or several as `jsonencode(["a", "b"])` writes them."""
    try:
        several = json.loads(value)
    except ValueError:
        return (value,)
    return tuple(map(str, several)) if isinstance(several, list) else (value,)
