"""Receive the service's webhooks: check that it is really the service, then fetch the text.

Start a job with `client.stt.transcribe(file=..., webhook_url="https://you/soniox")`; both sides
read `SONIOX_API_WEBHOOK_SECRET`, which the service sends back with every call.
"""

from __future__ import annotations

import argparse
import threading
from contextlib import nullcontext
from typing import Optional

from flask import Flask, request

from soniox_sync import SonioxClient, SonioxError, WebhookSignatureError
from soniox_sync.sandbox import Sandbox


def create_app(client: Optional[SonioxClient] = None) -> Flask:
    """Make the application: `flask --app webhook_receiver run`."""
    app = Flask(__name__)
    app.logger.setLevel("INFO")
    client = client or SonioxClient()  # reads SONIOX_API_KEY and SONIOX_API_WEBHOOK_SECRET

    @app.post("/soniox")
    def soniox() -> tuple[str, int]:
        try:
            event = client.webhooks.unwrap(request.get_data(), request.headers)
        except WebhookSignatureError as error:
            app.logger.warning("refused: %s", error)
            return "who are you?", 401
        except SonioxError as error:
            return str(error), 400
        # answered at once; a job queue does the work better than this thread
        threading.Thread(target=fetch, args=(app, client, event.id, event.status)).start()
        return "", 204

    return app


def fetch(app: Flask, client: SonioxClient, job: str, status: str) -> None:
    """Get the text. The service repeats what it got no 2xx for: doing it twice must do no harm."""
    try:
        if status == "completed":
            app.logger.info("%s: %s", job, client.stt.get_transcript(job).text)
        else:
            app.logger.warning("%s: failed: %s", job, client.stt.get(job).error_message)
    except SonioxError as error:
        app.logger.warning("%s: %s", job, error)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--port", type=int, default=5000)
    parser.add_argument("--sandbox", action="store_true", help="use a local sandbox, without a key")
    args = parser.parse_args()
    with Sandbox() if args.sandbox else nullcontext() as sandbox:
        create_app(sandbox.client() if sandbox else None).run(port=args.port)
