"""Live captions of the browser's microphone: a WebSocket in, blocking code behind it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from flask import Blueprint, current_app, render_template, request
from flask_sock import Sock
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
    """Take 16-bit samples, give captions, until the page says "stop" or leaves."""

    def tell(**message: Any) -> None:
        socket.send(json.dumps(message))

    try:
        transcription = current_app.extensions["soniox"].realtime.transcribe(
            heard(socket),
            audio_format="pcm_s16le",
            sample_rate=request.args.get("rate", 48000, int),
            num_channels=1,
            language_hints=[request.args.get("language", "en")],
            enable_endpoint_detection=True,
        )
        for event in transcription:
            if event.kind == "result":
                final = "".join(token.text for token in event.result.final_tokens)
                guess = "".join(token.text for token in event.result.non_final_tokens)
                tell(final=final, guess=guess)
            else:
                tell(kind=event.kind)  # "endpoint" after an utterance, "finished" at the end
    except SonioxError as error:
        tell(kind="error", reason=str(error))
    except OSError:
        return  # the page left while it was told something
    while socket.receive(timeout=10):
        pass  # the page closes, once it has read the last message


def heard(socket: Any) -> Iterator[bytes]:
    """Give the audio as it comes; raises `ConnectionClosed` when the page leaves."""
    while isinstance(data := socket.receive(), bytes):
        yield data
