"""Measure soniox_sync against the official SDK and a raw-socket floor, and print one table.

How to run it, from the root of the project, on a quiet machine (Linux, Python >= 3.10)::

    python -m pip install -e ".[test,conformance]"
    python -m tests.bench                      # or: python tests/bench/run.py
    python -m tests.bench --quick              # a rough look, under a minute
    python -m tests.bench --rows tts,stt       # all rows of these two kinds
    python -m tests.bench --tls                # the plain-socket rows over wss as well
    python -m tests.bench --rst                # the table for README.rst

What happens: a fake server runs in a process of its own and sends frames that were serialised
beforehand, so that it is never what is measured. Each client runs in a process of its own too:

``floor``     a blocking socket, a minimal frame parser, ``json.loads``, ``binascii``, one thread
``official``  the synchronous classes of the ``soniox`` package
``plain``     soniox_sync with every accelerator hidden from the import system
``fast``      soniox_sync with them, as the extra ``fast`` installs them

In every round each client does the same work once, one client at a time, in an order that
rotates. A value is the median over the rounds; a ratio is the median of the ratios of each round,
so that a slow second hits both sides of it. The goals are printed, never asserted.
"""

from __future__ import annotations

import sys

from tests.bench.cli import main

if __name__ == "__main__":
    sys.exit(main())
