"""`catalog files`: what comes with the product to be copied and changed."""

from __future__ import annotations

import shutil
from pathlib import Path

import click

from catalog.cli.output import number
from catalog.errors import UsageError
from catalog.files import shipped_folder

NAMES = ("datacontract.yaml", "dbt", "deploy", "grafana.json", "superset")


@click.command(
    epilog="""\b
Example:
  catalog files /etc/catalog/examples""",
)
@click.argument("copy_to", type=click.Path(file_okay=False, path_type=Path), metavar="COPY-TO")
def files(copy_to: Path) -> None:
    """Copy the files that come with the catalog to the folder COPY-TO.

    For Docker Compose, systemd, Kubernetes and Prometheus (deploy/README.md tells of each), for Grafana, Superset and
    dbt, and the data contract. A file that is there already is never replaced.
    """
    origin = shipped_folder("shared", "docs")
    found = sorted(
        file for name in NAMES for file in [origin / name, *(origin / name).rglob("*")] if file.is_file()
    )
    targets = {file: copy_to / file.relative_to(origin) for file in found}
    for target in targets.values():
        if target.exists() or target.is_symlink():
            raise UsageError(f"{target} is there already; name another folder")
    try:
        for file, target in targets.items():
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(file, target)
    except OSError as error:
        raise UsageError(f"{copy_to}: {error.strerror}; name a folder that may be written") from None
    click.echo(f"{copy_to}: {number(len(targets), 'file')}; see {copy_to / 'deploy' / 'README.md'}")
