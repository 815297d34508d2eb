"""Short hands for made-up records."""

import json

from catalog.fields import INDEX
from catalog.mapping import MappingRules, map_record
from catalog.model import CapabilityValue, MappedImage

RULES = MappingRules(ignore=["os_glance_*"])


def mapped(rules: MappingRules = RULES, /, **keys: object) -> MappedImage:
    """The image of a record with the id `image-1` and these keys."""
    return map_record(json.dumps({"id": "image-1", **keys}).encode(), rules)


def mapped_json(body: str, rules: MappingRules = RULES) -> MappedImage:
    """The image of a record with the id `image-1` and this text after it."""
    return map_record(f'{{"id":"image-1",{body}}}'.encode(), rules)


def column(image: MappedImage, name: str) -> object:
    return image.values[INDEX[name]]


def properties(image: MappedImage) -> dict[str, object]:
    return {name: json.loads(value) for name, value in image.properties}


def capability(image: MappedImage, name: str) -> CapabilityValue:
    (found,) = [value for value in image.capabilities if value.capability == name]
    return found
