"""Speak for many callers behind gunicorn; everything here is made once, before the workers fork.

SANDBOX=1 gunicorn app:app            try it without a key: http://127.0.0.1:8000/speech.wav?text=Hi
SONIOX_API_KEY=... gunicorn app:app   reads gunicorn.conf.py

Neither client nor pool holds a connection until it is used, so every worker gets its own.
"""

from __future__ import annotations

import os

from flask import Flask, Response, abort, request

from soniox_sync import SonioxClient, SonioxError, SonioxTimeoutError

app = Flask(__name__)
client = SonioxClient()  # reads SONIOX_API_KEY; without one the first call says so
# of each worker: at most 2 connections, with 5 voices at once on each
pool = client.realtime.tts.pool(max_connections=2)


@app.get("/speech.wav")
def speech() -> Response:
    """Speak `?text=`; a caller for whom there is no voice in 10 s is told to come back."""
    text = request.args.get("text", "").strip()
    if not text:
        abort(400, "give a text")
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
    """Transcribe the audio file that is the request's body."""
    try:
        transcription = client.realtime.transcribe(request.get_data(), pace=False)
        for _ in transcription:
            pass
    except SonioxError as error:
        abort(502, str(error))
    return {"text": transcription.transcript.final_text.strip(), "worker": str(os.getpid())}
