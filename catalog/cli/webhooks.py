"""`catalog webhooks`: who is told of events, and how far."""

from __future__ import annotations

import threading
from contextlib import suppress
from dataclasses import asdict
from datetime import UTC, datetime
from urllib.parse import urlsplit

import click

from catalog import logs
from catalog.cli.invocation import Invocation
from catalog.cli.output import print_rows, say
from catalog.cli.parameters import format_option
from catalog.config.settings import WebhookSettings
from catalog.errors import CatalogError, ExitCode, NothingSwept, UsageError
from catalog.events.message import send_test
from catalog.report.terminal import Format
from catalog.store.state import webhooks as stored
from catalog.store.state.webhooks import WebhookState
from catalog.text import utc

COLUMNS = (
    "webhook", "state", "format", "host", "backlog", "answer", "failures", "attempted_at", "delivered_at",
    "next_attempt_at",
)  # fmt: skip
TABLE_COLUMNS = ("webhook", "state", "format", "backlog", "answer", "delivered_at", "next_attempt_at")
NONE = "no webhook is configured; add [[webhooks]] with `name` and `url` to catalog.toml"


@click.group(
    invoke_without_command=True,
    epilog="""\b
Example:
  catalog webhooks
  catalog webhooks test alerts
  catalog webhooks retry alerts""",
)
@format_option
@click.pass_context
def webhooks(context: click.Context, format: Format) -> None:
    """Show the configured webhooks: state, last answer, and how many events wait.

    State: `new`, no daemon has met it yet; `ok`; `failing`, tried again at `next_attempt_at`.
    """
    if context.invoked_subcommand is not None:
        if format != "table":
            raise click.UsageError("options of `catalog webhooks` do not go with its commands")
        return
    invocation: Invocation = context.obj
    states: dict[str, WebhookState] = {}
    with suppress(NothingSwept), invocation.reading() as connection:
        states = stored.states(connection)
    columns = TABLE_COLUMNS if format == "table" else COLUMNS
    rows = [_row(webhook, states.get(webhook.name)) for webhook in invocation.settings.webhooks]
    print_rows(columns, [tuple(row[name] for name in columns) for row in rows], format, if_none=NONE)


def _row(webhook: WebhookSettings, state: WebhookState | None) -> dict[str, object]:
    # the rest of an address may be a secret
    parts = urlsplit(webhook.url)
    told: dict[str, object] = {
        "webhook": webhook.name, "format": webhook.format, "host": parts.netloc.rpartition("@")[2],
    }  # fmt: skip
    if state is None:
        return dict.fromkeys(COLUMNS) | told | {"state": "new", "backlog": 0, "failures": 0}
    health = "failing" if state.failures else "ok"
    return told | asdict(state) | {"state": health, "backlog": state.waiting}


@webhooks.command(
    epilog="""\b
Example:
  catalog webhooks test alerts""",
)
@click.argument("name")
@click.pass_obj
def test(invocation: Invocation, name: str) -> int:
    """Send an event of type catalog.webhook.test to the webhook NAME now; exit 1 if it is not accepted.

    Needs no database, and changes nothing.
    """
    logs.configure(invocation.verbosity)
    webhook = _configured(invocation, name)
    now = utc(datetime.now(UTC))
    answer = send_test(webhook, now, threading.Event())
    if not answer.accepted:
        raise CatalogError(f"webhook {name!r} answers HTTP {answer.status}; expected one from 200 to 299")
    say(f"{name}: HTTP {answer.status}, accepted")
    return ExitCode.OK


@webhooks.command(
    epilog="""\b
Example:
  catalog webhooks retry alerts""",
)
@click.argument("name")
@click.pass_obj
def retry(invocation: Invocation, name: str) -> None:
    """Let the daemon try the webhook NAME again now, instead of after its back-off."""
    _configured(invocation, name)
    with invocation.existing_database() as database:
        if not database.transact(lambda connection: stored.retry(connection, name)):
            raise UsageError(f"no daemon has met webhook {name!r} yet: nothing is put off")
    say(f"{name}: the daemon tries again now")


def _configured(invocation: Invocation, name: str) -> WebhookSettings:
    for webhook in invocation.settings.webhooks:
        if webhook.name == name:
            return webhook
    known = ", ".join(webhook.name for webhook in invocation.settings.webhooks) or "none"
    raise UsageError(f"no webhook is called {name!r}; known: {known}")
