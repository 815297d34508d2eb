"""Wire record to domain value, pure: no clock, no I/O.

`map_record` and `map_document` walk the table in `catalog.fields`; a record they cannot take raises
`Rejected`. `peek` reads the id alone.
"""

from catalog.mapping.canonical import encode_bytes, encode_json
from catalog.mapping.difference import show_difference
from catalog.mapping.key_rules import MappingRules
from catalog.mapping.record import map_document, map_record
from catalog.mapping.rejection import rejected_text
from catalog.mapping.wire import Buffer, Rejected, peek, read_record

__all__ = [
    "Buffer", "MappingRules", "Rejected", "encode_bytes", "encode_json", "map_document", "map_record", "peek",
    "read_record", "rejected_text", "show_difference",
]  # fmt: skip
