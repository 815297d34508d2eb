"""One fuzzer, guided by what it reaches: `python -m tests.fuzz.fuzzer record -max_total_time=300`.

Needs atheris. What it finds is written to a file `crash-...` in the working folder, and becomes a test.
"""

from __future__ import annotations

import sys
from pathlib import Path

import atheris  # type: ignore[import-not-found, import-untyped, unused-ignore]

with atheris.instrument_imports(include=["catalog"]):
    from tests.fuzz.claims import CLAIMS, WORDS


def main() -> None:
    name = sys.argv.pop(1)
    words = Path("words.dict")
    words.write_text("".join('"' + word.replace('"', '\\"') + '"\n' for word in WORDS))
    atheris.Setup(
        [sys.argv[0], f"-dict={words}", "-timeout=20", "-max_len=4096", *sys.argv[1:]], CLAIMS[name]
    )
    atheris.Fuzz()


if __name__ == "__main__":
    main()
