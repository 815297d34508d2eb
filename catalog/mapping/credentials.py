"""Taking secrets out of values before anything is stored or logged (semantics 3.3).

Every text loses the user info of its URLs. In keys that name a place (`locations`, `direct_url`,
`__image_location`, ...) the query string goes too, in everything below them. All of it can be repeated
without a further effect.
"""

from __future__ import annotations

import hashlib
import re

_USER_INFO = re.compile(r"""(:\\?/\\?/)[^/?#\s"'<>\\]*@""")
"""Also where the URL stands in JSON inside a text, slashes escaped. Runs are disjoint, so it stays linear."""
_WORD = re.compile(r"""[^\s"'<>]+""")
_WHOLE_URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://\S*\Z")
_END_OF_HOST = re.compile(r"[/?#]")
_PLACE = re.compile(
    r"(?i:(?:^|[^a-z])(?:url|uri|href|location)s?(?:$|[^a-z]))|(?:Url|URL|Uri|URI|Href|Location)s?(?![a-z])"
)
_LINKS = frozenset({"file", "self", "schema"})
_MARKER = re.compile(r"sha256:[0-9a-f]{64}")


def names_place(key: str) -> bool:
    """True if values under this key say where data lies; the three links are kept as delivered."""
    return key not in _LINKS and _PLACE.search(key) is not None


def scrub_text(text: str) -> str:
    """`text` without the user info of any URL in it."""
    if "@" not in text:
        return text
    text = _USER_INFO.sub(r"\1", text)
    return _drop_user_info(text) if "@" in text and _WHOLE_URL.match(text) else text


def scrub_place(text: str) -> str:
    """A text that names a place, without user info and query string, with or without a scheme."""
    if "@" in text:
        text = _drop_user_info(_USER_INFO.sub(r"\1", text))
    return text.partition("?")[0]


def _drop_user_info(text: str) -> str:
    """As `scrub_text`, but also where there is no scheme, or where the password holds `/`, `?` or `#`."""
    mark = text.find("://") + 3 if "://" in text else 2 if text.startswith("//") else 0
    before, rest = text[:mark], text[mark:]
    while "@" in rest:
        end = _END_OF_HOST.search(rest)
        host = rest[: end.start()] if end else rest
        # more colons without a scheme are host:port:bucket:object, whose object may well hold an @
        if "@" in host and (mark or host.rpartition("@")[0].count(":") <= 2):
            rest = rest[host.rindex("@") + 1 :]
        elif "@" not in host and _starts_password(host, bool(mark)):
            rest = rest[rest.rindex("@") + 1 :]
        else:
            break
    return before + rest


def _starts_password(host: str, has_scheme: bool) -> bool:
    """True for the `user:pa` of `user:pa/ss@host`: what follows the colon is no port."""
    before, colon, port = host.rpartition(":")
    if not colon or port.isdigit() or before.startswith("["):
        return False
    return has_scheme or ":" not in before


def scrub_source(text: str) -> str:
    """Text that is no JSON, without user info and query strings of anything that looks like a URL."""
    return _WORD.sub(_drop_query, _USER_INFO.sub(r"\1", text))


def _drop_query(match: re.Match[str]) -> str:
    word = match.group()
    return word.partition("?")[0] if "?" in word and "/" in word else word


def redacted(canonical: bytes) -> str:
    """What stands for a redacted value: `sha256:` and the hash of its canonical JSON."""
    return f"sha256:{hashlib.sha256(canonical).hexdigest()}"


def is_redacted(value: object) -> bool:
    """True for a value that `redacted` made: it is not hashed again."""
    return isinstance(value, str) and _MARKER.fullmatch(value) is not None
