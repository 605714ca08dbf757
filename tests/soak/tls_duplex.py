"""Soak test of TLS in both directions at once: `python tests/soak/tls_duplex.py`.

CPython's TLS sockets fail when one thread reads while another writes (docs/architecture.rst); ours
must not. The default is 10 connections, 50 messages a second each way, 20 seconds; `--saturated`
sends as fast as possible. Exits with 0 if every message arrived once, complete and in order.
"""

from __future__ import annotations

import argparse
import faulthandler
import platform
import ssl
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from tests.peers import Authority
from tests.transport.duplex import Load, run


def main() -> int:
    """Parse the command line and run the test."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--connections", type=int, default=10, help="concurrent connections")
    parser.add_argument("--rate", type=float, default=50.0, help="messages a second, each way")
    parser.add_argument("--seconds", type=float, default=20.0, help="duration")
    parser.add_argument("--saturated", action="store_true", help="send as fast as possible")
    options = parser.parse_args()
    faulthandler.enable()
    authority = Authority()
    load = Load(None if options.saturated else options.rate)
    summary = run(load, options.connections, options.seconds, authority.server, authority.client)
    print(f"{platform.python_version()} {ssl.OPENSSL_VERSION}: {summary}, no error")
    return 0


if __name__ == "__main__":
    sys.exit(main())
