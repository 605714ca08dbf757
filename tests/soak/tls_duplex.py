"""A soak of TLS in both directions at once, run by hand: `python tests/soak/tls_duplex.py`.

CPython's TLS sockets die when one thread reads while another writes (docs/architecture.rst); ours
must not.
Default: 10 connections, 50 messages a second each way, 20 seconds. `--saturated` sends as much as
the lines take. Ends with status 0 when every message arrived once, whole and in order.
"""

from __future__ import annotations

import argparse
import faulthandler
import platform
import ssl
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from duplex import Load, run
from peers import Authority


def main() -> int:
    """Run the soak as the command line says."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--connections", type=int, default=10)
    parser.add_argument("--rate", type=float, default=50.0, help="messages a second, each way")
    parser.add_argument("--seconds", type=float, default=20.0)
    parser.add_argument("--saturated", action="store_true", help="as fast as the lines take")
    options = parser.parse_args()
    faulthandler.enable()
    authority = Authority()
    load = Load(None if options.saturated else options.rate)
    told = run(load, options.connections, options.seconds, authority.server, authority.client)
    print(f"{platform.python_version()} {ssl.OPENSSL_VERSION}: {told}, no fault")
    return 0


if __name__ == "__main__":
    sys.exit(main())
