"""Call the app without a telephone: say something as Twilio would, and understand the answer.

python caller.py --sandbox
"""

from __future__ import annotations

import argparse
import base64
import json
import logging
import threading
from contextlib import nullcontext

import websocket
from app import MULAW, create_app
from werkzeug.serving import make_server

from soniox_sync import SonioxClient
from soniox_sync.sandbox import Sandbox

PIECE = 160  # bytes, 20 ms


def call(url: str, audio: bytes) -> bytes:
    """Say `audio`, and give the answer; it is over when nothing more came for 2 s."""
    phone = websocket.create_connection(url, timeout=30)
    phone.send(json.dumps({"event": "start", "start": {"streamSid": "MZ1"}}))
    audio += b"\xff" * 24_000  # 3 s of silence: the sentence is over
    for at in range(0, len(audio), PIECE):
        payload = base64.b64encode(audio[at : at + PIECE]).decode()
        phone.send(json.dumps({"event": "media", "media": {"payload": payload}}))
    answer = b""
    try:
        while (message := json.loads(phone.recv() or "{}")).get("event") == "media":
            answer += base64.b64decode(message["media"]["payload"])
            phone.settimeout(2)
    except websocket.WebSocketTimeoutException:
        phone.send(json.dumps({"event": "stop"}))
    phone.close()
    return answer


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sandbox", action="store_true", help="use a local sandbox, without a key")
    args = parser.parse_args()
    logging.getLogger("werkzeug").setLevel(logging.WARNING)
    with Sandbox() if args.sandbox else nullcontext() as sandbox:
        client = sandbox.client() if sandbox else SonioxClient()  # reads SONIOX_API_KEY
        speech = client.realtime.speak("Is it raining?", voice="Emma", audio_format="pcm_mulaw")
        with make_server("127.0.0.1", 0, create_app(client), threaded=True) as server:
            threading.Thread(target=server.serve_forever, daemon=True).start()
            answer = call(f"ws://127.0.0.1:{server.port}/media", speech.read())
            server.shutdown()
        words = client.realtime.transcribe(answer, pace=False, **MULAW)
        for _ in words:
            pass
        print(words.transcript.final_text.strip())
