"""Answer the phone: every sentence of the caller's is said back, until they interrupt.

python caller.py --sandbox               try it without a telephone and without a key
SONIOX_API_KEY=... flask --app app run   for Twilio at https://you/voice: check X-Twilio-Signature
"""

from __future__ import annotations

import argparse
from contextlib import nullcontext
from typing import Any

from call import Call
from flask import Flask, Response, request
from flask_sock import Sock

from soniox_sync import SonioxClient, SonioxError
from soniox_sync.sandbox import Sandbox

MULAW: dict[str, Any] = {"audio_format": "mulaw", "sample_rate": 8000, "num_channels": 1}
TWIML = '<Response><Connect><Stream url="wss://{host}/media"/></Connect></Response>'


def create_app(client: SonioxClient | None = None) -> Flask:
    """Make the application; one client serves all calls."""
    app, sock = Flask(__name__), Sock()
    client = client or SonioxClient()  # reads SONIOX_API_KEY

    @app.post("/voice")
    def voice() -> Response:
        return Response(TWIML.format(host=request.host), mimetype="text/xml")

    @sock.route("/media")
    def media(socket: Any) -> None:
        call = Call(socket)
        words = client.realtime.transcribe(call.heard(), enable_endpoint_detection=True, **MULAW)
        try:
            for event in words:
                if event.kind == "result" and event.text.strip():
                    call.hush()  # the first guess of a word interrupts
                elif event.kind == "endpoint" and (heard := words.transcript.utterances()):
                    answer = f"You said: {heard[-1].text}"  # here your language model thinks
                    call.say(client.realtime.speak(answer, voice="Nina", audio_format="pcm_mulaw"))
        except SonioxError as error:
            app.logger.error("the call ends: %s", error)
        finally:
            call.hush()

    sock.init_app(app)
    return app


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--port", type=int, default=5000)
    parser.add_argument("--sandbox", action="store_true", help="use a local sandbox, without a key")
    args = parser.parse_args()
    with Sandbox() if args.sandbox else nullcontext() as sandbox:
        create_app(sandbox.client() if sandbox else None).run(port=args.port)
