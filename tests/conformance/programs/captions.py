"""Live captions in the shape of the programs of late 2025, as the service's pages described them.

python captions.py FILE [pcm] [one_way | two_way]

The key goes in the first message, the model has since been retired, a thread sends the file at the
pace of speech, an empty message ends the audio, and the loop ends when the server closes.
"""

from __future__ import annotations

import json
import os
import sys
import threading
import time
from typing import Any

from websockets.exceptions import ConnectionClosedOK
from websockets.sync.client import ClientConnection, connect

URL = "wss://stt-rt.soniox.com/transcribe-websocket"
CHUNK_BYTES, CHUNK_SEC = 3840, 0.12

TRANSLATIONS: dict[str, Any] = {
    "one_way": {"type": "one_way", "target_language": "es"},
    "two_way": {"type": "two_way", "language_a": "en", "language_b": "es"},
}


def start_message(options: list[str]) -> dict[str, Any]:
    """Return the first message."""
    message: dict[str, Any] = {
        "api_key": os.environ["SONIOX_API_KEY"],
        "model": "stt-rt-v3",
        "language_hints": ["en", "es"],
        "enable_language_identification": True,
        "enable_speaker_diarization": True,
        "enable_endpoint_detection": True,
        "context": {
            "general": [{"key": "domain", "value": "Astronomy"}],
            "text": "The evening's talk is about comets and how their tails come about.",
            "terms": ["coma", "perihelion"],
            "translation_terms": [{"source": "comet", "target": "cometa"}],
        },
        "audio_format": "auto",
    }
    if "pcm" in options:
        message.update(audio_format="pcm_s16le", sample_rate=16000, num_channels=1)
    for option in set(options) & set(TRANSLATIONS):
        message["translation"] = TRANSLATIONS[option]
    return message


def send_audio(path: str, ws: ClientConnection) -> None:
    """Send a file at the pace of speech, then an empty text message."""
    with open(path, "rb") as file:
        while chunk := file.read(CHUNK_BYTES):
            ws.send(chunk)
            time.sleep(CHUNK_SEC)
    ws.send("")


def show(tokens: list[dict[str, Any]]) -> str:
    """Return tokens as text, with a heading wherever speaker or language changes."""
    parts: list[str] = []
    speaker = language = None
    for token in tokens:
        if token.get("speaker") not in (None, speaker):
            speaker, language = token["speaker"], None
            parts.append(f"\nSpeaker {speaker}:")
        if token.get("language") not in (None, language):
            language = token["language"]
            translated = token.get("translation_status") == "translation"
            parts.append(f"\n{'[Translation] ' if translated else ''}[{language}] ")
        parts.append(token["text"])
    return "".join(parts)


def main(path: str, *options: str) -> None:
    """Transcribe a file, printing the captions whenever they change."""
    with connect(URL) as ws:
        ws.send(json.dumps(start_message(list(options))))
        threading.Thread(target=send_audio, args=(path, ws), daemon=True).start()
        final: list[dict[str, Any]] = []
        try:
            while True:
                response = json.loads(ws.recv())
                if response.get("error_code") is not None:
                    print(f"Error: {response['error_code']} {response['error_message']}")
                    return
                tokens = [token for token in response.get("tokens", []) if token.get("text")]
                final += [token for token in tokens if token["is_final"]]
                print(show(final + [token for token in tokens if not token["is_final"]]))
                if response.get("finished"):
                    print("Session finished.")
        except ConnectionClosedOK:
            pass  # the server closes after the last message


if __name__ == "__main__":
    main(*sys.argv[1:])
