"""Speech for the browser, while it is made: an endpoint for `<audio src=...>`, and a page."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain

from flask import Blueprint, Response, abort, current_app, render_template, request

from soniox_sync import ConfigurationError, SonioxError

speech = Blueprint("speech", __name__)

VOICES = ("Adrian", "Emma", "Isla", "Nina", "Oliver")
LANGUAGES = {"en": "English", "de": "Deutsch", "es": "Español", "fr": "Français", "it": "Italiano"}
MAX_CHARS = 1000  # it travels in the address


@speech.get("/speech")
def page() -> str:
    """Show the form."""
    return render_template(
        "speech.html", voices=VOICES, languages=LANGUAGES, max_chars=MAX_CHARS, here="speech"
    )


@speech.get("/speech.wav")
def audio() -> Response:
    """Stream a text as a WAV; errors before the first sound have a status and a reason."""
    text = request.args.get("text", "").strip()
    if not text or len(text) > MAX_CHARS:
        abort(Response(f"Give a text of 1 to {MAX_CHARS} characters.", 400, mimetype="text/plain"))
    try:
        spoken = current_app.extensions["soniox"].realtime.speak(
            text,
            voice=request.args.get("voice", VOICES[0]),
            language=request.args.get("language", "en"),
            audio_format="wav",
        )
        chunks: Iterator[bytes] = iter(spoken)
        first = next(chunks)
    except ConfigurationError as error:
        abort(Response(str(error), 500, mimetype="text/plain"))
    except SonioxError as error:
        abort(Response(str(error), 502, mimetype="text/plain"))
    response = Response(chain([first], chunks), mimetype="audio/wav")
    response.call_on_close(spoken.close)  # the listener may leave before the end
    return response
