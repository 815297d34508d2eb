"""What a `__support_*` key says (semantics 3.1)."""

from __future__ import annotations

from functools import lru_cache

from catalog.fields import CAPABILITIES, Capability
from catalog.mapping.canonical import encode_json
from catalog.mapping.values import boolean, text
from catalog.model import CapabilityValue

KNOWN = {capability.capability: capability for capability in CAPABILITIES}
_SHORT = 64


def read_capability(name: str, value: object) -> tuple[CapabilityValue, bool]:
    """(what the key says, whether that was understood). `value` is settled and not nothing.

    A flag that is neither true nor false is not known to be supported, so `supported` is false and the
    caller warns. The raw value is kept in each case.
    """
    if isinstance(value, str) and len(value) <= _SHORT and len(name) <= _SHORT:
        return _read_text(name, value)  # a cloud has a dozen of these, each a hundred thousand times
    return _read(name, value)


@lru_cache(maxsize=4096)
def _read_text(name: str, value: str) -> tuple[CapabilityValue, bool]:
    return _read(name, value)


def _read(name: str, value: object) -> tuple[CapabilityValue, bool]:
    raw = text(value)
    if raw is None:
        raw = encode_json(value)
    known = KNOWN.get(name) or Capability(name, "other", "")
    if known.inverted:
        # only a true takes the capability away; any other value leaves it (semantics 3.1)
        return CapabilityValue(name, raw.strip().lower() != "true", raw), True
    flag = boolean(value)
    if flag is None and known.value_kind == "models":
        models = _models(value)
        return CapabilityValue(name, bool(models), raw, models or None), models is not None
    return CapabilityValue(name, bool(flag), raw), flag is not None


def _models(value: object) -> tuple[str, ...] | None:
    """The models that a value names, each once, in its order; None if it is no list of models."""
    if isinstance(value, list):
        if not all(isinstance(member, str) for member in value):
            return None
        named = value
    elif isinstance(value, dict):
        return None
    else:
        named = (text(value) or "").split(",")
    return tuple(dict.fromkeys(filter(None, (model.strip() for model in named))))
