"""NAME [PAGE]: prints a command as it stands in README.md, or PAGE: the block after `<!-- command: NAME -->`."""

import re
import sys
from pathlib import Path

name, page = sys.argv[1], [*sys.argv[2:], "README.md"][0]
text = (Path(__file__).parent.parent / page).read_text(encoding="utf-8")
match = re.search(rf"<!-- command: {re.escape(name)} -->\s*```\w*\n(.*?)```", text, re.DOTALL)
if match is None:
    sys.exit(f"{page} has no block marked <!-- command: {name} -->")
sys.stdout.write(match[1])
