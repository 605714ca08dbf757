"""Live captions of the browser's microphone: a WebSocket, and blocking code behind it."""

from __future__ import annotations

import json
from typing import Any

from flask import Blueprint, current_app, render_template, request
from flask_sock import Sock
from sockets import closing, received_audio
from speech import LANGUAGES

from soniox_sync import SonioxError

captions = Blueprint("captions", __name__)
sock = Sock()


@captions.get("/captions")
def page() -> str:
    """Show the page with the microphone's button."""
    return render_template("captions.html", languages=LANGUAGES, here="captions")


@sock.route("/captions/live", bp=captions)
def live(socket: Any) -> None:
    """Receive 16-bit samples and send captions until the page sends "stop" or disconnects."""
    with closing(socket):
        caption(socket)


def caption(socket: Any) -> None:
    """Send captions of the samples received."""

    def send(**message: Any) -> None:
        socket.send(json.dumps(message))

    try:
        transcription = current_app.extensions["soniox"].realtime.transcribe(
            received_audio(socket),
            audio_format="pcm_s16le",
            sample_rate=request.args.get("rate", 48000, int),
            num_channels=1,
            language_hints=[request.args.get("language", "en")],
            enable_endpoint_detection=True,
        )
        for event in transcription:
            if event.kind == "result":
                final = "".join(token.text for token in event.result.final_tokens)
                partial = "".join(token.text for token in event.result.non_final_tokens)
                send(final=final, partial=partial)
            else:
                send(kind=event.kind)  # "endpoint" after an utterance, "finished" at the end
    except SonioxError as error:
        send(kind="error", reason=str(error))
    except OSError:
        return  # the page disconnected while we sent
    while socket.receive(timeout=10):
        pass  # the page closes the connection once it has read the last message
