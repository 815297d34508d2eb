"""Rejected records as text for people: nothing is dropped silently, and no secret is stored."""

from __future__ import annotations

from catalog.mapping.canonical import encode_bytes, encode_json, settle
from catalog.mapping.credentials import is_redacted, redacted, scrub_source
from catalog.mapping.rules import MappingRules
from catalog.mapping.wire import Buffer, Rejected, read_record, record_text


def rejected_text(raw: Buffer, rules: MappingRules | None = None) -> str:
    """A rejected record as text that PostgreSQL holds, without secrets.

    As it came where no secret can be in it, else as canonical JSON without them. Where that cannot be told,
    because the record can't be read and `rules` redact something, only its hash.
    """
    source = bytes(raw)
    rules = rules or MappingRules()
    try:
        record = settle(read_record(source), keep_decimals=True, place=False, outside=[])
    except (Rejected, RecursionError):
        if rules.redact:
            return f"withheld, as it may hold redacted values: {redacted(source)}"
        return scrub_source(record_text(source))
    keys = [key for key in record if rules.use(key).redacted] if isinstance(record, dict) else []
    if not keys and not any(sign in source for sign in _SIGNS_OF_CREDENTIALS):
        return record_text(source)
    if isinstance(record, dict):
        for key in keys:
            value = record[key]
            if value not in (None, "") and not is_redacted(value):
                record[key] = redacted(encode_bytes(value))
    return encode_json(record)


_SIGNS_OF_CREDENTIALS = (b"@", b"?", b"\\u")
