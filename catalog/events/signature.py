"""Signatures as Standard Webhooks describes them: HMAC-SHA256 over id, time and body."""

from __future__ import annotations

import base64
import hashlib
import hmac

from catalog.config.settings import WebhookSettings
from catalog.errors import ConfigurationError
from catalog.files import configured_secret

PREFIX = "whsec_"
SHORTEST, LONGEST = 16, 64
"""Bytes of a secret; Standard Webhooks advises 24 or more."""


def secret_of(webhook: WebhookSettings) -> bytes | None:
    """The secret as configured. None: nothing is signed. Raises ConfigurationError, which quotes none of it."""
    if webhook.secret_env is None and webhook.secret_file is None:
        return None
    owner = f"webhook {webhook.name!r}"
    text, place = configured_secret(owner, "secret", webhook.secret_env, webhook.secret_file)
    try:
        secret = base64.b64decode(text.removeprefix(PREFIX), validate=True)
    except ValueError:
        secret = b""
    if not SHORTEST <= len(secret) <= LONGEST:
        raise ConfigurationError(
            f"{place}: expected a secret of {SHORTEST} to {LONGEST} bytes in base64, with or"
            f" without {PREFIX} before it, as `openssl rand -base64 32` makes one"
        )
    return secret


def headers(secret: bytes | None, message_id: str, seconds: int, body: bytes) -> dict[str, str]:
    """The headers of one attempt at a message; `seconds` since 1970."""
    named = {"webhook-id": message_id, "webhook-timestamp": str(seconds)}
    if secret is not None:
        signed = f"{message_id}.{seconds}.".encode() + body
        digest = hmac.new(secret, signed, hashlib.sha256).digest()
        named["webhook-signature"] = f"v1,{base64.b64encode(digest).decode()}"
    return named
