"""`python -m catalog` is the console script `catalog`."""

from __future__ import annotations

from catalog.cli import main

if __name__ == "__main__":
    main()
