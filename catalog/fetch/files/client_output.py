"""Images as the `openstack` client prints them in JSON, which is not what the API answers.

`image show` nests custom keys in an object `properties`: it is read, with these keys taken out of their nest.
`image list` prints other keys, and most are missing: it is told apart, so that the error names the way out.
"""

from __future__ import annotations

import gzip
import re
import zlib
from pathlib import Path

import msgspec

from catalog.model import UNREADABLE

_START = 4096
"""Bytes that tell what a file is."""
_object = msgspec.json.Decoder(dict[str, msgspec.Raw])
_encoder = msgspec.json.Encoder()
_OLD_PROPERTIES = re.compile(rb"""^"[\w.:-]+='""")
_LISTS = re.compile(
    rb"""^(?:\xef\xbb\xbf)?\s*(?:\[\s*)?\{\s*"(?:ID|Name|Field)"\s*:"""  # -f json
    rb"""|^(?:\xef\xbb\xbf)?"?ID"?,"?Name"?"""  # -f csv
    rb"""|^-\s+(?:[A-Z]\w+:[^\n]*\n\s+)*(?:ID|Name):"""  # -f yaml
    rb"""|^\+-+\+"""  # the table
)
SAVE = (
    "for id in $(openstack image list -f value -c ID); do openstack image show -f json $id || echo '{'; done"
    " > images.json"
)
"""Where one image can't be shown, the file shall not be taken for a whole listing: no brace closes that one."""


class UnreadableOutput(ValueError):
    """A record that an old client printed in its own way."""


def unnested(raw: bytes) -> bytes:
    """A record with its nested `properties` as keys of its own; any other bytes as they are.

    Raises UnreadableOutput for a record of an old client, which prints its properties as one text.
    """
    if b'"properties"' not in raw:
        return raw
    try:
        record = _object.decode(raw)
        nested = bytes(record["properties"]) if "id" in record and "properties" in record else b""
        if nested.startswith(b"{"):
            del record["properties"]
            return _encoder.encode({**_object.decode(nested), **record})
    except UNREADABLE:
        return raw  # whether it can be held at all is the mapping's to say
    if _OLD_PROPERTIES.match(nested):
        raise UnreadableOutput(
            "its `properties` are one text, as old openstack clients print them; save it with a newer one, or as the"
            " API answers"
        )
    return raw


def is_list(path: Path) -> bool:
    """True if a file begins as what `openstack image list` prints, in whatever format."""
    if not path.is_file():
        return False
    try:
        with path.open("rb") as file:
            packed = file.read(2) == b"\x1f\x8b"
            file.seek(0)
            start = gzip.GzipFile(fileobj=file).read(_START) if packed else file.read(_START)
    except (OSError, EOFError, zlib.error):
        return False
    return _LISTS.match(start) is not None
