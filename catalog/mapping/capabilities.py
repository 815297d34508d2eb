"""Reads what a `__support_*` key says (semantics 3.1)."""

from __future__ import annotations

import msgspec

from catalog.fields import CAPABILITIES, Capability
from catalog.mapping.canonical import encode_json
from catalog.mapping.values import boolean, text
from catalog.model import UNREADABLE, CapabilityValue

KNOWN = {capability.capability: capability for capability in CAPABILITIES}
_NO_MODEL = frozenset({"", "none", "null", "-"})
_MODELS = msgspec.json.Decoder(list[str])


def read_capability(name: str, value: object) -> tuple[CapabilityValue, object]:
    """(what the key says, that in its usual spelling; None if it was not understood).

    `value` is canonical and says something. A flag that is neither true nor false is not known to be
    supported, so `supported` is false and the caller warns. The raw value is kept in each case.
    """
    raw = encode_json(value) if isinstance(value, list | dict) else text(value)
    known = KNOWN.get(name) or Capability(name, "other", "")
    try:
        flag = boolean(value)
    except ValueError:
        flag = None
    if known.inverted:
        # only a true takes the capability away; any other value leaves it
        supported = raw.strip().lower() != "true"
        return CapabilityValue(name, supported, raw), text(not supported) if flag is not None else value
    if flag is None and known.value_kind == "models":
        models = _models(value)
        if models is not None:
            return CapabilityValue(name, bool(models), raw, models or None), _spelled(models)
    return CapabilityValue(name, bool(flag), raw), None if flag is None else text(flag)


def _models(value: object) -> tuple[str, ...] | None:
    """The models that a value names, each once, in its order; None if it is not a list of models."""
    if isinstance(value, str):
        value = _split(value)
    if not isinstance(value, list):
        return None if isinstance(value, dict) else (text(value),)
    if not all(isinstance(member, str) for member in value):
        return None
    named = (model.strip() for model in value)
    return tuple(dict.fromkeys(model for model in named if model.lower() not in _NO_MODEL))


def _split(models: str) -> list[str]:
    try:
        return _MODELS.decode(models)
    except UNREADABLE:
        return models.split(",")


def _spelled(models: tuple[str, ...]) -> object:
    """Models in one spelling, the documented one wherever it is unambiguous; no model is a false."""
    if any("," in model for model in models):
        return list(models)
    return ",".join(models) or "false"
