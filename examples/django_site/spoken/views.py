"""The page, streamed speech, and captions of an uploaded recording: plain synchronous views."""

from __future__ import annotations

from collections.abc import Iterator

from django.http import HttpRequest, HttpResponse, JsonResponse, StreamingHttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_GET, require_POST

from soniox_sync import SonioxError, Speech

from .client import client

LANGUAGES = {"en": "English", "de": "Deutsch", "es": "Español", "fr": "Français", "it": "Italiano"}


@require_GET
def page(request: HttpRequest) -> HttpResponse:
    """Show the page with the microphone and the upload."""
    return render(request, "spoken/page.html", {"languages": LANGUAGES})


@require_GET
def speech(request: HttpRequest) -> HttpResponse | StreamingHttpResponse:
    """Stream `?text=` as a WAV; an error before the first audio has a status and a reason."""
    text = request.GET.get("text", "").strip()
    if not text:
        return HttpResponse("the text is missing", status=400, content_type="text/plain")
    try:
        spoken = client().realtime.speak(text, voice=request.GET.get("voice", "Adrian"))
        chunks = iter(spoken)
        first = next(chunks, b"")
    except SonioxError as error:
        return HttpResponse(str(error), status=502, content_type="text/plain")
    if not first:
        return HttpResponse("the text has no words", status=400, content_type="text/plain")
    return StreamingHttpResponse(audio(spoken, first, chunks), content_type="audio/wav")


def audio(spoken: Speech, first: bytes, chunks: Iterator[bytes]) -> Iterator[bytes]:
    """Yield all chunks; Django closes this generator if the client disconnects."""
    with spoken:
        yield first
        yield from chunks


@require_POST
def captions(request: HttpRequest) -> JsonResponse:
    """Return text and captions of the upload `audio`, which is read in chunks, in any format."""
    upload, hints = request.FILES.get("audio"), request.POST.getlist("language")
    if upload is None:
        return JsonResponse({"error": "upload a file named audio"}, status=400)
    try:
        heard = client().realtime.transcribe(upload.chunks(), pace=False, language_hints=hints)
        transcript = heard.read()
    except SonioxError as error:
        return JsonResponse({"error": str(error)}, status=502)
    return JsonResponse({"text": transcript.final_text.strip(), "vtt": transcript.to_vtt()})
