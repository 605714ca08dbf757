"""Opens 300 sessions of each kind, one after another: `python tests/soak/many_sessions.py [N]`

Prints the threads, descriptors and bytes per session that they leave behind; exits with 1 if there
are any.
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

# run as a program: `tests` is imported from the checkout
sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from tests.realtime.test_leaks import BYTES_PER_SESSION, KINDS, left_behind


def main(many: int) -> int:
    """Run every kind and print a line for each."""
    failures = 0
    for kind, work in KINDS.items():
        started = time.monotonic()
        threads, descriptors, grown = left_behind(work, many)
        failed = bool(threads) or descriptors > 0 or grown > BYTES_PER_SESSION
        failures += failed
        took = time.monotonic() - started
        print(
            f"{kind:26} {many} in {took:5.1f} s: {len(threads)} threads, {descriptors} descriptors,"
            f" {grown:7.1f} bytes each{'  LEFT BEHIND' if failed else ''}",
            flush=True,
        )
    return 1 if failures else 0


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Open many sessions and report what they leak.")
    parser.add_argument("many", nargs="?", type=int, default=300, help="sessions (default: 300)")
    sys.exit(main(parser.parse_args().many))
