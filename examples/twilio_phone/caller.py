"""Call the app without a telephone: a scripted caller asks, interrupts, and hangs up.

python caller.py --sandbox
"""

from __future__ import annotations

import argparse
import logging
import threading

import app
from twilio import MediaStream
from werkzeug.serving import make_server

from soniox_sync import resolve_api_key
from soniox_sync.sandbox import Line, Sandbox

SCRIPT = [
    Line("How do the tides work?", after="What can I do for you?"),
    Line("Stop, thank you.", after="interrupt me", over=True),
]


def main() -> None:
    """Serve the app, and call it."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--sandbox", action="store_true", help="use a local sandbox; needs no key")
    args = parser.parse_args()
    logging.getLogger("werkzeug").setLevel(logging.WARNING)
    with Sandbox() as sandbox:  # the caller's voice in any case
        if args.sandbox:
            app.client = sandbox.client()
        else:
            resolve_api_key()  # fails here without a key
        speed = 2.0 if args.sandbox else 1.0
        caller = sandbox.caller(SCRIPT, audio_format="mulaw", sample_rate=8000, speed=speed)
        with make_server("127.0.0.1", 0, app.app, threaded=True) as server:
            threading.Thread(target=server.serve_forever, daemon=True).start()
            MediaStream(f"ws://127.0.0.1:{server.port}/media", caller).run()
            server.shutdown()
    print(f"The caller heard: {caller.heard}")


if __name__ == "__main__":
    main()
