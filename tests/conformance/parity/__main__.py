"""Write or check the page.

python -m tests.conformance.parity            write docs/parity.rst
python -m tests.conformance.parity --check    exit 1 if the page is not what it would write
"""

from __future__ import annotations

import sys

from tests.conformance.parity.compare import Undecided
from tests.conformance.parity.page import PAGE, page


def main(arguments: list[str]) -> int:
    """Write or check the page; return the exit code."""
    try:
        text = page()
    except Undecided as error:
        print(error, file=sys.stderr)
        return 1
    if "--check" not in arguments:
        PAGE.write_text(text, encoding="utf-8")
        return 0
    if PAGE.read_text(encoding="utf-8") == text:
        return 0
    print(f"{PAGE} is out of date: python -m tests.conformance.parity", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
