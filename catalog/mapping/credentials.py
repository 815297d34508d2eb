"""Takes secrets out of texts before anything is stored or logged (semantics 3.3).

Every text, tag and key loses the user info of its addresses, and a query string, fragment or parameter that
signs or logs in. Under keys that name a location (`locations`, `direct_url`, `__image_location`, ...) every
query string goes. All of it can be repeated without a further effect, and takes time linear in the text.
"""

from __future__ import annotations

import hashlib
import re
from urllib.parse import unquote

_SLASHES = re.compile(r"(:(?:\\*+/|\\++u002[fF]){2}|%3[aA]%2[fF]%2[fF])")
"""Between scheme and address: also in JSON inside of a text, slashes escaped, and inside of another address."""
_AT = re.compile(r"@|\\u0040|%40")
_PLAIN_USER_INFO = re.compile(r"""[^/?#\s"'<>\\]*""")
_PORT = re.compile(r"""\d{1,5}(?![^/?#\s"'<>\\),;.\]])|/""")
_STORE = re.compile(r"(?:s3|swift)(?:\+\w{1,5})?\Z", re.IGNORECASE)
"""Schemes of stores whose addresses always carry an account: digits after its colon are not a port."""
_HOST = re.compile(r"(\[[0-9a-fA-F:.]*\]|[\w.-]*)([:/\\]?)")
_DOTTED_NAME = re.compile(r"[A-Za-z][\w-]*(?:\.[\w-]+)+")
_ESCAPED = re.compile(r"\\u00([2-7][0-9a-fA-F])")
_WITHOUT_SCHEME = re.compile(
    r"\A[^\s/:@]+:[^\s/:]*(?::[^\s/:]*)?@(?=(?:[A-Za-z\[]|\d+\.\d+\.\d+\.\d+)[^\s/@]*/)"
)
"""More colons are host:port:bucket:object, whose object may well hold an @; so may bucket:object."""

_QUERY_START = re.compile(r"[?#;&]|%3[fF]|%23|%26")
_QUERY_PART = re.compile(r"""(?:[^\s"'<>\\]++|\\++(?:/|u00[0-9a-fA-F]{2})){1,1000}""")
"""Not a possessive group: see `catalog.text`."""
_SIGNING_PARAMETER = re.compile(
    r"(?:[?#;&]|%3f|%23|%26|u003f|u0026|amp;)"
    r"(?:x-(?:amz|goog|obs|oss|cos|tos|ms|auth)-[\w-]{0,60}|q-(?:ak|signature)|temp_url_\w{1,20}|jwt"
    r"|(?:aws|oss|google)?access_?(?:key_?)?id|[\w.-]{0,40}(?:signature|token|secret|passw\w{0,4}|pwd|credentials?)"
    r"|(?:[\w.-]{0,40}[_.-])?(?:sig|api_?key|access_?key|session_?id|auth)|\w{0,10}sess(?:ion)?id)"
    r"(?:=|%3d|\\u003d)",
    re.IGNORECASE,
)
_WORD = re.compile(r"""[^\s"'<>]+""")
_LOCATION_KEY = re.compile(
    r"(?i:(?:^|[^a-z])(?:url|uri|href|location)s?(?:$|[^a-z]))|(?:Url|URL|Uri|URI|Href|Location)s?(?![a-z])"
)
_LINKS = frozenset({"file", "self", "schema"})
_MARKER = re.compile(r"sha256:[0-9a-f]{64}")


def may_hold_secret(raw: bytes) -> bool:
    """False for nearly all records: no text of them holds anything that `scrub` takes out."""
    return (
        b"@" in raw or b"\\" in raw or b"?" in raw or b"#" in raw or b";" in raw or b"&" in raw or b"%" in raw
    )  # fmt: skip


def names_location(key: str) -> bool:
    """True if values under this key say where data lies; the three links are not meant."""
    return key not in _LINKS and _LOCATION_KEY.search(key) is not None


def scrub(text: str) -> str:
    """`text` without the user info of any address in it, and without signed queries."""
    if "@" in text or "40" in text:
        before, *parts = _SLASHES.split(text)
        if parts:
            kept = [before]
            for slashes, address in zip(parts[::2], parts[1::2], strict=True):
                kept += (
                    slashes,
                    _without_user_info(address, in_store=_STORE.search(kept[-1][-20:]) is not None),
                )
            text = "".join(kept)
    if "=" in text or "%3" in text or "u003" in text:
        text = _without_signed_queries(text)
    return text


def _without_signed_queries(text: str) -> str:
    kept = []
    position = 0
    while start := _QUERY_START.search(text, position):
        end = start.end()
        while part := _QUERY_PART.match(text, end):
            end = part.end()
        # up to the query, and the query too unless it signs or logs in
        signs = _SIGNING_PARAMETER.search(text, start.start(), end) is not None
        kept.append(text[position : start.start() if signs else end])
        position = end
    return "".join([*kept, text[position:]])


def _without_user_info(address: str, *, in_store: bool) -> str:
    """The rest of an address, from its host on; `address` follows the slashes."""
    start = 0
    while at := _AT.search(address, start):
        host = _HOST.match(address, at.end())
        assert host is not None
        if not _is_user_info(address[start : at.start()], host, first=start == 0, in_store=in_store):
            break
        start = at.end()
    return address[start:]


def _is_user_info(text: str, host: re.Match[str], *, first: bool, in_store: bool) -> bool:
    """True for the `user:password` before an @, also where the password holds `/`, `?`, `#`, a quote or a blank."""
    if _PLAIN_USER_INFO.fullmatch(text):
        return True
    text = _unescaped(unquote(text))
    user, colon, password = text.partition(":")
    if not colon or not host[1] or "\n" in text or password[:1].isspace():
        return False
    if user[:1] == "[" or not _PLAIN_USER_INFO.fullmatch(user):
        return False
    if _PORT.match(password):
        return first and (
            in_store or ("." not in user and host[2] != "" and _DOTTED_NAME.fullmatch(host[1]) is not None)
        )
    return host[2] != "" or not any(map(str.isspace, password))


def scrub_location(text: str) -> str:
    """A text that names a location, without user info and query string, with or without a scheme."""
    if text.startswith("//"):
        text = "//" + _without_user_info(text[2:], in_store=False)
    elif "//" not in text:
        text = _WITHOUT_SCHEME.sub("", text)
    return scrub(text).partition("?")[0]


def scrub_unread(text: str) -> str:
    """Text of a record that can't be decoded, without user info and query strings of anything like an address."""
    return _WORD.sub(_without_query, scrub(_unescaped(text)))


def _unescaped(text: str) -> str:
    """JSON text with plain characters for escaped ones, but for those that JSON itself has to escape."""
    return _ESCAPED.sub(lambda escape: escape[0] if (c := chr(int(escape[1], 16))) in '"\\' else c, text)


def _without_query(match: re.Match[str]) -> str:
    word = match.group()
    return word.partition("?")[0] if "?" in word and "/" in word else word


def redacted(canonical: bytes) -> str:
    """The stand-in of a redacted value: `sha256:` and the hash of its canonical JSON."""
    return f"sha256:{hashlib.sha256(canonical).hexdigest()}"


def is_redacted(value: object) -> bool:
    """True for a value that `redacted` made: it is not hashed again."""
    return isinstance(value, str) and _MARKER.fullmatch(value) is not None
