"""Streamed speech for the browser: a URL for `<audio src=...>`, and a page."""

from __future__ import annotations

from itertools import chain
from typing import NoReturn

from flask import Blueprint, Response, abort, current_app, render_template, request

from soniox_sync import ConfigurationError, SonioxError

speech = Blueprint("speech", __name__)

VOICES = ("Adrian", "Daniel", "Emma", "Grace", "Kenji", "Nina", "Owen")
LANGUAGES = {"en": "English", "de": "Deutsch", "es": "Español", "fr": "Français", "it": "Italiano"}
MAX_CHARS = 1000  # the text is part of the URL


@speech.get("/speech")
def page() -> str:
    """Show the form."""
    return render_template(
        "speech.html", voices=VOICES, languages=LANGUAGES, max_chars=MAX_CHARS, here="speech"
    )


@speech.get("/speech.wav")
def audio() -> Response:
    """Stream a text as a WAV; errors before the first audio have a status and a reason."""
    if request.range and request.range.ranges[0][0]:
        # after a cut-off Chromium requests the rest 30 times: each would be spoken again
        refuse(409, "The speech was cut off. Try again.")
    text = request.args.get("text", "").strip()
    if not text or len(text) > MAX_CHARS:
        refuse(400, f"The text must have 1 to {MAX_CHARS} characters.")
    try:
        spoken = current_app.extensions["soniox"].realtime.speak(
            text,
            voice=request.args.get("voice", VOICES[0]),
            language=request.args.get("language", "en"),
            audio_format="wav",
            sample_rate=48000,  # Chromium starts playing at 230 KB: here 2.4 s of speech
        )
        chunks = iter(spoken)
        first = next(chunks, b"")
    except SonioxError as error:
        refuse(500 if isinstance(error, ConfigurationError) else 502, str(error))
    if not first:
        refuse(400, "The text has no words.")
    response = Response(chain([first], chunks), mimetype="audio/wav")
    response.cache_control.no_store = True  # an incomplete speech must not be replayed
    response.call_on_close(spoken.close)  # the listener may disconnect before the end
    return response


def refuse(status: int, reason: str) -> NoReturn:
    """Respond with an error that the page shows."""
    abort(Response(reason, status, mimetype="text/plain"))
