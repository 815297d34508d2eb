"""`catalog web`: pages and an API to look at the catalog with."""

from __future__ import annotations

import os

import click
import structlog

from catalog import logs
from catalog.cli.invocation import Invocation
from catalog.config.web import web_settings
from catalog.listening import listen
from catalog.web.app import CONNECTIONS, application
from catalog.web.server import address_of, serve


@click.command(
    epilog="""\b
Example:
  catalog web
  CATALOG_WEB_BIND=0.0.0.0:8477 CATALOG_WEB_TOKEN_FILE=/run/secrets/token catalog web""",
)
@click.option("--no-token", is_flag=True, help="Ask nobody for a token, wherever it listens.")
@click.pass_obj
def web(invocation: Invocation, no_token: bool) -> int:
    """Serve pages and a JSON API, read-only, until SIGTERM or SIGINT.

    It listens on CATALOG_WEB_BIND (default 127.0.0.1:8477). CATALOG_WEB_TOKEN, or the file CATALOG_WEB_TOKEN_FILE,
    holds the token that whoever reads must send: as a bearer token, or in a browser as the password of any user.
    Where others reach the address, it does not start without a token unless --no-token is given. The API is described
    at /api/v1/openapi.json.
    """
    settings = web_settings(os.environ, no_token=no_token)
    invocation.require_contents()
    listening = listen(settings.bind, "CATALOG_WEB_BIND")
    with listening, invocation.database(pool_size=CONNECTIONS) as database:
        logs.configure(invocation.verbosity, daemon=True)
        structlog.get_logger("catalog.web").info("listening", address=address_of(listening))
        own_names_only = settings.token is None and not no_token
        return serve(application(database, token=settings.token, own_names_only=own_names_only), listening)
