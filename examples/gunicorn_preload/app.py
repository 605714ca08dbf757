"""Speak for many clients behind gunicorn; client and pool are created before the workers fork.

SANDBOX=1 gunicorn app:app            try it without a key: http://127.0.0.1:8000/speech.wav?text=Hi
SONIOX_API_KEY=... gunicorn app:app   reads gunicorn.conf.py

Client and pool hold no connection until they are used, so every worker gets its own.
"""

from __future__ import annotations

import os

from flask import Flask, Response, abort, request

from soniox_sync import SonioxClient, SonioxError, SonioxTimeoutError

app = Flask(__name__)
client = SonioxClient()  # reads SONIOX_API_KEY; without a key the first call raises
# per worker: at most 2 connections, with 5 streams at once on each
pool = client.realtime.tts.pool(max_connections=2)


@app.get("/speech.wav")
def speech() -> Response:
    """Speak `?text=`; if no stream is free within 10 s, respond with a 503."""
    text = request.args.get("text", "").strip()
    if not text:
        abort(400, "the text is missing")
    try:
        with pool.stream(wait_sec=10, voice="Emma", language="en", audio_format="wav") as stream:
            stream.send_text(text, end=True)
            return Response(stream.read(timeout_sec=60), mimetype="audio/wav")
    except SonioxTimeoutError as error:
        abort(503, str(error))
    except SonioxError as error:
        abort(502, str(error))


@app.post("/text")
def text() -> dict[str, str]:
    """Transcribe the audio file in the request's body."""
    try:
        transcript = client.realtime.transcribe(request.get_data(), pace=False).read()
    except SonioxError as error:
        abort(502, str(error))
    return {"text": transcript.final_text.strip(), "worker": str(os.getpid())}
