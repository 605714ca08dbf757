"""Receive the service's webhooks: check that the call is genuine, then fetch the text.

python webhook_receiver.py --sandbox     starts a job, whose webhook it receives
SONIOX_API_KEY=... SONIOX_API_WEBHOOK_SECRET=... flask --app webhook_receiver run
"""

from __future__ import annotations

import argparse
import os
from contextlib import nullcontext

from flask import Flask, request
from werkzeug.serving import make_server

from soniox_sync import SonioxClient, SonioxError, WebhookSignatureError
from soniox_sync.sandbox import Sandbox


def create_app(client: SonioxClient | None = None) -> Flask:
    """Create the application; the service may repeat a call, so handling one twice must be safe."""
    app = Flask(__name__)
    app.logger.setLevel("INFO")
    app.config["MAX_CONTENT_LENGTH"] = 10_000  # webhooks are short
    client = client or SonioxClient()  # reads SONIOX_API_KEY and SONIOX_API_WEBHOOK_SECRET

    @app.post("/soniox")
    def soniox() -> tuple[str, int]:
        try:
            event = client.webhooks.unwrap(request.get_data(), request.headers)
            if event.status == "completed":
                app.logger.info("%s: %s", event.id, client.stt.get_transcript(event.id).text)
            else:
                app.logger.warning("%s: %s", event.id, client.stt.get(event.id).error_message)
        except SonioxError as error:
            app.logger.warning("refused: %s", error)
            # after a 503 the service repeats the call
            return "", 401 if isinstance(error, WebhookSignatureError) else 503
        return "", 204

    return app


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--port", type=int, default=5000)
    parser.add_argument("--sandbox", action="store_true", help="start a job on a local sandbox")
    args = parser.parse_args()
    with Sandbox() if args.sandbox else nullcontext() as sandbox:
        os.environ.setdefault("SONIOX_API_WEBHOOK_SECRET", "not so secret" if sandbox else "")
        client = sandbox.client() if sandbox else SonioxClient()
        server = make_server("127.0.0.1", args.port, create_app(client), threaded=True)
        server.log_startup()
        if sandbox:
            hook = client.webhooks.fields(f"http://127.0.0.1:{server.port}/soniox")
            speech = client.tts.generate(text="Your parcel has arrived.", voice="Emma")
            client.stt.transcribe(file=speech, **hook)
        server.serve_forever()
