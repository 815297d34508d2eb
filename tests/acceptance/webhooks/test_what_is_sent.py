"""What the daemon sends to whom: filters, texts for chat rooms, the recipe of the documentation, and the commands."""

from __future__ import annotations

import json
import re
import signal
from pathlib import Path

import pytest

from tests.acceptance.cli.conftest import Desk
from tests.acceptance.daemon_process import until
from tests.acceptance.webhooks.conftest import SECRET, Plant, verify
from tests.support.receiver import Receiver, status
from tests.support.records import image, name_of

EVENTS_PAGE = Path(__file__).parents[3] / "docs" / "events.md"


def test_each_webhook_is_told_what_it_asks_for(plant: Plant) -> None:
    asked = {
        "deleted": {"types": ["catalog.image.deleted"]},
        "golden": {"tags": ["golden"]},
        "status": {"fields": ["status"]},
        "elsewhere": {"sources": ["other/*"]},
        "family": {"families": ["ubuntu-22.04*"]},
    }
    receivers = {name: plant.stack.enter_context(Receiver()) for name in asked}
    everything = plant.webhook(plant.stack.enter_context(Receiver()), "everything")
    for name, keys in asked.items():
        plant.webhook(receivers[name], name, **keys)
    plant.started()
    plant.cloud.add(image(20, name="ubuntu-22.04-20260101", tags=["golden"]))
    plant.cloud.change(name_of(1), status="deactivated")
    plant.cloud.delete(name_of(2))
    plant.change(3)
    plant.wait_for_all(everything)
    plant.check(everything)
    wanted = {
        "deleted": [name_of(2)], "golden": [name_of(20)], "status": [name_of(1)], "elsewhere": [],
        "family": [name_of(20)],
    }  # fmt: skip

    def told() -> dict[str, list[str]]:
        return {name: [event["subject"] for event in one.events()] for name, one in receivers.items()}

    until(lambda: told() == wanted, "what was asked for")
    desk = Desk(plant.folder, plant.database_url, plant.stack)
    until(
        lambda: {row["backlog"] for row in desk.run("webhooks", "--format", "json").rows} == {0}, "no backlog"
    )


@pytest.mark.parametrize(
    "text", re.findall(r"<!-- recipe: golden -->\n```toml\n(.*?)```", EVENTS_PAGE.read_text(), re.DOTALL)
)
def test_the_recipe_tells_a_room_that_a_golden_image_was_deactivated(
    plant: Plant, receiver: Receiver, text: str
) -> None:
    plant.cloud.change(name_of(3), name="ubuntu-22.04", tags=["golden", "linux"])
    plant.entries.append(re.sub(r'url = ".*"', f'url = "{receiver.url}"', text))
    plant.started()
    plant.cloud.change(name_of(1), status="deactivated")
    plant.change(3)
    plant.cloud.change(name_of(3), status="deactivated")
    until(lambda: receiver.requests, "the alert")
    (alert,) = receiver.requests
    assert json.loads(alert.body) == {
        "text": f"lab: image {plant.cloud.find(name_of(3)).record['name']} ({name_of(3)})"  # type: ignore[union-attr]
        " changed: status active → deactivated"
    }
    assert "webhook-signature" not in alert.headers


def test_a_hangup_takes_over_webhooks_of_the_configuration(plant: Plant, receiver: Receiver) -> None:
    daemon = plant.started()
    plant.webhook(receiver)
    daemon.config.write_text(plant.text)
    daemon.process.send_signal(signal.SIGHUP)
    daemon.wait_for("webhook is new", webhook="alerts")
    plant.change()
    until(lambda: receiver.requests, "the change")
    assert [event["id"] for event in receiver.events()] == plant.ids()[-1:]


@pytest.fixture
def desk(plant: Plant, receiver: Receiver) -> Desk:
    """The command line beside a configuration with a webhook that no daemon has met."""
    plant.webhook(receiver)
    (plant.folder / "catalog.toml").write_text(plant.text)
    return Desk(plant.folder, plant.database_url, plant.stack)


def test_a_test_sends_an_event_that_can_be_verified(desk: Desk, receiver: Receiver) -> None:
    done = desk.run("webhooks", "test", "alerts", HOOK_SECRET=SECRET)
    assert (done.code, done.out, done.err) == (0, "alerts: HTTP 204, accepted\n", "")
    (request,) = receiver.requests
    verify(request)
    assert request.events[0]["type"] == "catalog.webhook.test"
    receiver.misbehave = status(302, Location="http://127.0.0.1:9/")
    failed = desk.run("webhooks", "test", "alerts", HOOK_SECRET=SECRET)
    assert (failed.code, "302" in failed.error) == (1, True)
    missing = desk.run("webhooks", "test", "alerts")
    assert (missing.code, "HOOK_SECRET" in missing.error) == (2, True)
    assert "alerts" in desk.run("webhooks", "test", "nobody").error
    for text in (done.out, failed.err, missing.err):
        assert "tellnobody" not in text


def test_the_listing_shows_each_webhook_and_no_secret(desk: Desk, receiver: Receiver) -> None:
    (row,) = desk.run("webhooks", "--format", "json").rows
    assert (row["webhook"], row["state"], row["host"]) == ("alerts", "new", f"127.0.0.1:{receiver.port}")
    table = desk.run("webhooks")
    assert "alerts" in table.out
    assert "tellnobody" not in table.out + json.dumps(row)
    early = desk.run("webhooks", "retry", "alerts")
    assert (early.code, "daemon" in early.error) == (2, True)
