"""Prints a command of README.md as it is written there: the code block after the comment `<!-- NAME -->`."""

import re
import sys
from pathlib import Path

readme = (Path(__file__).parent.parent / "README.md").read_text(encoding="utf-8")
match = re.search(rf"<!-- command: {re.escape(sys.argv[1])} -->\s*```\w*\n(.*?)```", readme, re.DOTALL)
if match is None:
    sys.exit(f"README.md has no block marked <!-- command: {sys.argv[1]} -->")
sys.stdout.write(match[1])
