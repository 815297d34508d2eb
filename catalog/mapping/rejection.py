"""Rejected records as text for people: nothing is dropped silently, and no secret is stored."""

from __future__ import annotations

import re

from catalog.mapping.canonical import canonicalise, encode_json
from catalog.mapping.credentials import may_hold_secret, redacted, scrub_unread
from catalog.mapping.key_rules import MappingRules
from catalog.mapping.wire import Buffer, Rejected, read_record, record_text

_NAME = re.compile(r'"([^"\\]*+)"\s*+:|([\w.-]++)')


def rejected_text(raw: Buffer, rules: MappingRules | None = None) -> str:
    """A rejected record as text that PostgreSQL holds, without secrets.

    As it came where no secret can be in it, else as canonical JSON without them. Only its hash where that
    can't be told, because the record can't be read and names something that `rules` redact.
    """
    raw = bytes(raw)
    rules = rules or MappingRules()
    try:
        record = read_record(raw)
        safe = canonicalise(record, keep_decimals=True, redacts=rules.redacts)
        as_it_came = not may_hold_secret(raw) and safe == canonicalise(record, keep_decimals=True)
    except (Rejected, RecursionError):
        text = scrub_unread(record_text(raw))
        if any(map(rules.redacts, {match[1] or match[2] or "" for match in _NAME.finditer(text)})):
            return f"withheld, as it may hold redacted values: {redacted(raw)}"
        return text
    return record_text(raw) if as_it_came else encode_json(safe)
