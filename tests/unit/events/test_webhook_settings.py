"""`[[webhooks]]`: what is read, and what is refused in one line that holds no secret."""

from __future__ import annotations

from pathlib import Path

import pytest

from catalog.config.load import load_settings
from catalog.config.settings import WebhookSettings
from catalog.errors import ConfigurationError

HOOK = '[[webhooks]]\nname = "a"\nurl = "https://hooks.example.com/tellnobody"\n'


def read(folder: Path, text: str) -> tuple[WebhookSettings, ...]:
    file = folder / "catalog.toml"
    file.write_text(text)
    return load_settings(file, {}, None).webhooks


def test_all_keys_are_read(tmp_path: Path) -> None:
    (webhook,) = read(
        tmp_path,
        HOOK + 'secret_file = "s"\ndeadline = "5s"\nsources = ["otc/*"]\ntypes = ["catalog.image.*"]\n'
        'fields = ["status"]\ntags = ["golden"]\nfamilies = ["ubuntu*"]\n',
    )
    assert webhook == WebhookSettings(
        "a", "https://hooks.example.com/tellnobody", "cloudevents", None, tmp_path / "s", 5.0, ("otc/*",),
        ("catalog.image.*",), ("status",), ("golden",), ("ubuntu*",),
    )  # fmt: skip
    assert "tellnobody" not in repr(webhook)


def test_a_chat_room_needs_no_secret(tmp_path: Path) -> None:
    (webhook,) = read(tmp_path, HOOK + 'format = "slack"\n')
    assert (webhook.format, webhook.secret_env, webhook.secret_file) == ("slack", None, None)


@pytest.mark.parametrize(
    ("text", "key"),
    [
        (HOOK, "secret_env"),
        (HOOK + 'secret_env = "A"\nsecret_file = "b"\n', "secret_env"),
        (HOOK + 'secret_env = "A"\nformat = "xml"\n', "format"),
        (HOOK + 'secret_env = "A"\ntypes = ["image.created"]\n', "types"),
        (HOOK + 'secret_env = "A"\ndeadline = "1h"\n', "deadline"),
        (HOOK + 'secret_env = "A"\ndeadline = "0s"\n', "deadline"),
        (HOOK + 'secret_env = "A"\ntag = ["x"]\n', "tag"),
        (2 * (HOOK + 'secret_env = "A"\n'), "name"),
        (HOOK.replace('"a"', '""') + 'secret_env = "A"\n', "name"),
        (HOOK.replace("https", "ftp") + 'secret_env = "A"\n', "url"),
        ('[[webhooks]]\nname = "a"\nsecret_env = "A"\n', "url"),
    ],
)
def test_what_is_wrong_is_named_without_the_address(tmp_path: Path, text: str, key: str) -> None:
    with pytest.raises(ConfigurationError, match=rf"webhooks\[\d\]\.{key}") as error:
        read(tmp_path, text)
    assert "tellnobody" not in str(error.value)
