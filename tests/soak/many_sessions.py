"""300 sessions of each kind, one after another: what is left? `python tests/soak/many_sessions.py`

Prints threads, descriptors and bytes per session left behind; ends with 1 when something is.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parent), str(HERE.parent / "e2e")]

from test_e2e_leaks import BYTES_PER_SESSION, KINDS, left_behind  # noqa: E402


def main(many: int) -> int:
    """Run every kind and print its line."""
    bad = 0
    for kind, work in KINDS.items():
        began = time.monotonic()
        threads, descriptors, grown = left_behind(work, many)
        failed = bool(threads) or descriptors > 0 or grown > BYTES_PER_SESSION
        bad += failed
        took = time.monotonic() - began
        print(
            f"{kind:26} {many} in {took:5.1f} s: {len(threads)} threads, {descriptors} descriptors,"
            f" {grown:7.1f} bytes each{'  LEFT BEHIND' if failed else ''}",
            flush=True,
        )
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]) if len(sys.argv) > 1 else 300))
