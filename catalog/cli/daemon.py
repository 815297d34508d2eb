"""`catalog daemon`: scheduled sweeps."""

from __future__ import annotations

import os

import click

from catalog import logs
from catalog.cli.invocation import Invocation
from catalog.config.load import load_settings, with_only_cloud
from catalog.daemon.daemon import serve


@click.command(
    epilog="""\b
Example:
  catalog daemon
  CATALOG_HTTP_BIND=0.0.0.0:9477 catalog --config /etc/catalog.toml daemon""",
)
@click.pass_obj
def daemon(invocation: Invocation) -> int:
    """Sweep every source on its schedule until SIGTERM or SIGINT; SIGHUP reads the configuration again.

    Any number of daemons may share one database: each due sweep runs once. /healthz, /readyz and /metrics
    are answered on CATALOG_HTTP_BIND (default 127.0.0.1:9477). Logs go to standard error.
    """
    logs.configure(invocation.verbosity, daemon=True)
    return serve(
        lambda: with_only_cloud(load_settings(invocation.config, os.environ, invocation.database_url))
    )
