"""Live captions of the browser's microphone: a WebSocket, and blocking code behind it."""

from __future__ import annotations

import json
from typing import Any

from django.http import HttpRequest

from soniox_sync import SonioxError

from .client import client
from .sockets import received_audio, websocket


@websocket
def live(request: HttpRequest, socket: Any) -> None:
    """Receive 16-bit samples and send captions until the page sends "stop" or disconnects."""

    def send(**message: Any) -> None:
        socket.send(json.dumps(message))

    rate = request.GET.get("rate", "")
    try:
        transcription = client().realtime.transcribe(
            received_audio(socket),
            audio_format="pcm_s16le",
            sample_rate=int(rate) if rate.isdecimal() else 48000,
            num_channels=1,
            language_hints=[request.GET.get("language", "en")],
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
