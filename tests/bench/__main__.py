"""Measure soniox_sync against the official SDK and a raw-socket floor, and print one table.

How to run it, from the root of the project, on a quiet machine (Linux, Python >= 3.10)::

    python -m pip install -e ".[test,conformance]"
    python -m tests.bench                      # or: python tests/bench/run.py
    python -m tests.bench --quick              # a rough estimate, under a minute
    python -m tests.bench --rows tts,stt       # all rows of these two kinds
    python -m tests.bench --tls                # the plain-socket rows over wss as well
    python -m tests.bench --rst                # the table for docs/performance.rst
    python -m tests.bench --save               # keep the ratios as those of this version
    python -m tests.bench --charts             # draw docs/performance.rst's charts from them
    python -m tests.bench --compare 0.1.0      # print what became slower beyond the noise
    python -m tests.bench conversation         # what a conversation adds to recogniser and voice
    python -m tests.bench capacity             # N live sessions, recordings, speeches in a process
    python -m tests.bench memory               # bytes of each object, and of long recordings

A fake server in its own process sends frames that were serialised beforehand, so that its own cost
is not measured. Each client also runs in its own process:

``floor``     a blocking socket, a minimal frame parser, ``json.loads``, ``binascii``, one thread
``official``  the synchronous classes of the ``soniox`` package
``plain``     soniox_sync with all accelerators hidden from the import system
``fast``      soniox_sync with the accelerators of the extra ``fast``

In every round each client does the same work once, one client at a time, in an order that
rotates. A value is the median over the rounds; a ratio is the median of the ratios of each round,
so that a slow moment of the machine affects both sides. Goals are printed, never asserted.
"""

from __future__ import annotations

import sys

from tests.bench.cli import main

if __name__ == "__main__":
    sys.exit(main())
