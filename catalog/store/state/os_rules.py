"""The rules that tell an image's operating system and family, as the database holds them."""

from __future__ import annotations

from operator import itemgetter

from catalog.fields import INDEX
from catalog.model import MappedImage
from catalog.store.db.connection import Connection
from catalog.systems import PROPERTIES, FamilyRule, Keys, Rule, System, Systems

_VALUES = itemgetter(
    *(INDEX[column] for column in ("name", "platform", "os_version", "os_type", "os_bit", "architecture"))
)


def load(connection: Connection) -> Systems:
    """All rules, the users' own and the builtin ones."""
    rows = connection.execute("SELECT rank, tells, pattern, value, release FROM image_os_rules").fetchall()
    families = connection.execute("SELECT rank, pattern, family FROM image_family_rules").fetchall()
    return Systems((Rule(*row) for row in rows), (FamilyRule(*row) for row in families))


def system_of(systems: Systems, image: MappedImage) -> System:
    """The system of a mapped image."""
    name, platform, version, os_type, os_bit, architecture = _VALUES(image.values)
    arm = False
    for flag in image.capabilities:
        if flag.capability == "arm":
            arm = flag.supported
    told = {one: value.strip('"') for one, value in image.properties if one in PROPERTIES}
    return systems.tell(name, Keys.of(platform, version, os_type, os_bit, architecture, arm, told))
