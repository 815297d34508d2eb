"""Files of our own making appear whole or not at all."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO


@contextmanager
def written_whole(target: Path, *, private: bool = False) -> Iterator[BinaryIO]:
    """A new file beside `target` that takes its place when the block ends well, and vanishes otherwise.

    A symbolic link is replaced, never followed. Mode 0600 if `private`, else as the umask allows. Raises OSError.
    """
    descriptor, name = tempfile.mkstemp(prefix=f".{target.name}.", dir=target.parent)
    file = Path(name)
    try:
        with os.fdopen(descriptor, "wb") as stream:
            yield stream
            if not private:
                os.fchmod(stream.fileno(), 0o666 & ~_umask())
        file.replace(target)
    except BaseException:
        file.unlink(missing_ok=True)
        raise


def _umask() -> int:
    """Of this process; setting it is the only way to ask, and other threads make files meanwhile: a tight one."""
    umask = os.umask(0o077)
    os.umask(umask)
    return umask
