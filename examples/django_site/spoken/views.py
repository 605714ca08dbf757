"""Speech as it is made, and captions of an uploaded recording: plain, synchronous views."""

from __future__ import annotations

from collections.abc import Iterator

from django.http import HttpRequest, HttpResponse, JsonResponse, StreamingHttpResponse
from django.views.decorators.http import require_GET, require_POST

from soniox_sync import SonioxError, Speech

from .client import client


@require_GET
def speech(request: HttpRequest) -> HttpResponse | StreamingHttpResponse:
    """Stream `?text=` as a WAV; an error before the first sound has a status and a reason."""
    text = request.GET.get("text", "").strip()
    if not text:
        return HttpResponse("give a text", status=400, content_type="text/plain")
    try:
        spoken = client().realtime.speak(text, voice=request.GET.get("voice", "Adrian"))
        chunks = iter(spoken)
        first = next(chunks, b"")
    except SonioxError as error:
        return HttpResponse(str(error), status=502, content_type="text/plain")
    if not first:
        return HttpResponse("nothing in it can be said", status=400, content_type="text/plain")
    return StreamingHttpResponse(audio(spoken, first, chunks), content_type="audio/wav")


def audio(spoken: Speech, first: bytes, chunks: Iterator[bytes]) -> Iterator[bytes]:
    """Give all chunks; Django closes this generator when the listener leaves."""
    with spoken:
        yield first
        yield from chunks


@require_POST
def captions(request: HttpRequest) -> JsonResponse:
    """Give text and captions of the file `audio` of a form; any format, read from disk in parts."""
    upload = request.FILES.get("audio")
    if upload is None:
        return JsonResponse({"error": "send a file named audio"}, status=400)
    try:
        transcription = client().realtime.transcribe(upload.chunks(), pace=False)
        for _ in transcription:
            pass
    except SonioxError as error:
        return JsonResponse({"error": str(error)}, status=502)
    transcript = transcription.transcript
    return JsonResponse({"text": transcript.final_text.strip(), "vtt": transcript.to_vtt()})
