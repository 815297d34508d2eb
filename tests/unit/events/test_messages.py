"""What a webhook is told: filters, signatures, and texts for chat rooms."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from standardwebhooks import Webhook, WebhookVerificationError

from catalog.config.settings import WebhookSettings
from catalog.errors import ConfigurationError
from catalog.events.filters import wanted
from catalog.events.message import chat_text
from catalog.events.sentences import sentence
from catalog.events.signature import headers, secret_of
from catalog.events.webhook_delivery import back_off
from catalog.store.state.events import Event

KEY = b"nobody shall read this secret..."
RUN = "00000000-0000-0000-0000-000000000001"


def event(type: str = "catalog.image.updated", **data: Any) -> Event:
    told = {"name": "ubuntu-22.04 build 7", "status": "active", "tags": ["t"], **data}
    return Event("s1", "otc/eu-de", 7, RUN, type, "image-1", datetime(2026, 3, 1, tzinfo=UTC), told)


def hook(**keys: Any) -> WebhookSettings:
    return WebhookSettings("a", "http://127.0.0.1:9/x", **keys)


def families(names: Iterable[str]) -> dict[str, str]:
    return {name: name.partition(" build")[0] for name in names}


RENAMED = {"changed": {"name": ["debian-12 build 1", "ubuntu-22.04 build 7"]}}
RETAGGED = {"changed": {"tags": [["golden", "t"], ["t"]]}}


@pytest.mark.parametrize(
    ("keys", "told", "is_wanted"),
    [
        ({}, event(), True),
        ({"sources": ("otc/*",)}, event(), True),
        ({"sources": ("lab", "otc/eu-nl")}, event(), False),
        ({"types": ("catalog.image.*",)}, event(), True),
        ({"types": ("catalog.image.deleted",)}, event(), False),
        ({"fields": ("status",)}, event(changed={"status": ["a", "b"]}), True),
        ({"fields": ("stat*",)}, event(changed={"status": None}), True),
        ({"fields": ("name",)}, event(changed={"status": ["a", "b"]}), False),
        ({"fields": ("status",)}, event("catalog.image.deleted"), False),
        ({"tags": ("golden",)}, event(tags=["golden", "t"]), True),
        ({"tags": ("golden",)}, event(**RETAGGED), True),
        ({"tags": ("golden",)}, event(), False),
        ({"tags": ("[x]",)}, event(tags=["[x]"]), True),
        ({"tags": ("golden",)}, event("catalog.source.failing", tags=None), False),
        ({"families": ("ubuntu-22.04",)}, event(), True),
        ({"families": ("debian-*",)}, event(**RENAMED), True),
        ({"families": ("debian-*",)}, event(), False),
        ({"families": ("*",)}, event(name=None), False),
        ({"tags": ("t",), "fields": ("status",)}, event(), False),
    ],
)
def test_an_event_is_sent_if_it_fits_each_filter(keys: dict[str, Any], told: Event, is_wanted: bool) -> None:
    assert wanted(hook(**keys), [told], families) == [is_wanted]


@pytest.mark.parametrize("text", ["whsec_{}", "{}", " whsec_{}\n"])
def test_signatures_are_those_of_standard_webhooks(text: str, tmp_path: Path) -> None:
    """The reference implementation takes them, and not for another body, id or secret."""
    file = tmp_path / "secret"
    file.write_text(text.format(base64.b64encode(KEY).decode()))
    body = json.dumps({"a": "ü"}).encode()
    now = int(datetime.now(UTC).timestamp())
    signed = headers(secret_of(hook(secret_file=file)), "msg_1", now, body)
    assert Webhook(base64.b64encode(KEY).decode()).verify(body, signed) == {"a": "ü"}
    for others, changed in ((body + b" ", signed), (body, signed | {"webhook-id": "msg_2"})):
        with pytest.raises(WebhookVerificationError):
            Webhook(base64.b64encode(KEY).decode()).verify(others, changed)


@pytest.mark.parametrize("text", ["", "not base64!", "c2hvcnQ=", "ü", None])
def test_a_secret_that_can_not_be_used_is_refused_and_not_quoted(text: str | None, tmp_path: Path) -> None:
    file = tmp_path / "secret"
    if text is not None:
        file.write_text(text)
    with pytest.raises(ConfigurationError, match="webhook 'a'") as error:
        secret_of(hook(secret_file=file))
    assert not text or text not in str(error.value)


def test_a_sentence_tells_what_happened_and_can_not_act_on_anything() -> None:
    told = event(
        name="evil\x1b[31m" + "x" * 200,
        changed={
            "updated_at": ["a", "b"],
            "status": ["active", "deactivated"],
            "deep": [{"a": 1}, None],
            "big": None,
        },
    )
    text = sentence(told)
    assert text.isprintable()
    assert len(text) < 400
    assert "status active → deactivated" in text
    assert "updated_at" not in text
    assert '{"a": 1} → null' in text


def test_a_chat_text_is_short_and_calls_nobody() -> None:
    text = chat_text([f"<!channel> & {number}" for number in range(500)])
    assert "&lt;!channel&gt; &amp; 0" in text
    assert "<" not in text
    assert text.endswith("and 480 more; see `catalog events`")
    assert len(text.splitlines()) == 21


def test_back_off_doubles_up_to_a_day_and_heeds_the_receiver() -> None:
    waits = [back_off(failures) for failures in range(1, 30)]
    assert 1 <= waits[0] <= 1.1
    assert 8 <= waits[3] <= 8.8
    assert all(86_400 <= wait <= 1.1 * 86_400 for wait in waits[17:])
    assert 30 <= back_off(1, 30.0) <= 33
    assert back_off(1, 1e12) <= 1.1 * 86_400
