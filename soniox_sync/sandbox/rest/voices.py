"""The `/v1/voices` and `/v1/shared-voices` endpoints (PROTOCOL 5.6)."""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from typing import Any, Callable, Optional

from ..audio.containers import AutoDecoder
from ..catalog import TTS_MODELS, VOICES, find_model
from ..problems import Problem
from ..server.routes import Answer, Request
from .api import RestApi
from .collection import add_collection
from .common import check_text, invalid, one, page
from .form import read_form
from .store import StoredVoice

__all__ = ["add_voice_routes"]

_MODELS = tuple(dict.fromkeys(TTS_MODELS.values()))
_MAX_CLIP_BYTES = 10 * 1024 * 1024
_MAX_CLIP_MS = 20_000
_TOO_LONG = ("failed", "voice_audio_too_long", "The reference audio is too long.")
_PROCESSING = ("processing", None, None)
_READY = ("ready", None, None)

_AGES = ("young", "middle_aged", "old")
_ACCENTS = ("american", "british", "australian", "indian")
_USE_CASES = ("narration", "conversational", "support", "advertising")
_STYLES = ("warm", "energetic", "calm", "clear")


def add_voice_routes(api: RestApi) -> None:
    """Add the endpoints."""
    api.route("POST", "/v1/voices", create)
    add_collection(api, "/v1/voices", "voices", api.store.voices, by_origin=False)
    api.route("DELETE", "/v1/voices/{id}", delete_voice)
    api.route("POST", "/v1/voices/{id}/recompute", recompute)
    api.route("GET", "/v1/shared-voices", list_shared)


def create(api: RestApi, request: Request) -> Answer:
    """Serve `POST /voices`; the voice is ready a little later."""
    api.admit(request)
    form = read_form(request)
    name = check_text(form.fields.get("name"), "name", 128, shortest=1, needed=True) or ""
    if len(form.content) > _MAX_CLIP_BYTES:
        raise invalid("file.file", "The file is too large.")
    voice = StoredVoice(name, form.filename or "", _clip_ms(form.content))
    store = api.store
    with store.lock:
        if len(store.voices) >= api.world.limits.rest_max_voices:
            raise Problem("limit_exceeded", "The limit of voices has been exceeded.")
        if any(each.name == name for each in store.voices.all()):
            raise Problem("voice_already_exists", f"A voice named {name} exists.", code=409)
        voice.models = dict.fromkeys(_MODELS, _PROCESSING)
        store.voices.add(voice)
        body = voice.body()
    _prepare(api, voice, _MODELS)
    return Answer.json(body, 201)


def _clip_ms(data: bytes) -> int:
    """Return the duration of a clip in milliseconds.

    Raises
        Problem: 400 if it cannot be decoded.
    """
    decoder = AutoDecoder()
    try:
        size = len(decoder.feed(data)) + len(decoder.finish())
    except Problem:
        raise invalid("file.file", "The audio file is invalid.") from None
    finally:
        decoder.close()
    if not size:
        raise invalid("file.file", "The audio file is empty.")
    return size // 2 * 1000 // decoder.sample_rate


def _prepare(api: RestApi, voice: StoredVoice, models: tuple[str, ...]) -> None:
    def finish() -> None:
        with api.store.lock:
            outcome = _TOO_LONG if voice.audio_ms > _MAX_CLIP_MS else _READY
            voice.models.update(dict.fromkeys(models, outcome))
            exists = voice in api.store.voices.all()
            if exists and outcome is _READY:
                api.world.cloned_voices.add(voice.id)

    api.world.clock.later(api.world.limits.rest_voice_sec, finish)


def delete_voice(api: RestApi, request: Request) -> Answer:
    """Serve `DELETE /voices/{id}`."""
    api.admit(request)
    with api.store.lock:
        voice = api.store.voices.remove(request.params["id"])
        api.world.cloned_voices.discard(voice.id)
    return Answer(204)


def recompute(api: RestApi, request: Request) -> Answer:
    """Serve `POST /voices/{id}/recompute`."""
    api.admit(request)
    body = request.json() if request.body else {}  # no body also means every model
    model = check_text(body.get("model"), "body.payload.model", 64)
    wanted = _MODELS if model is None else (find_model(model, TTS_MODELS),)
    with api.store.lock:
        voice = api.store.voices.get(request.params["id"])
        # a failure is final, and a ready voice is not computed again (PROTOCOL 5.6)
        chosen = tuple(m for m in wanted if voice.models.get(m, _READY)[0] == "not_computed")
        voice.models.update(dict.fromkeys(chosen, _PROCESSING))
        body = voice.body()
    if chosen:
        _prepare(api, voice, chosen)
    return Answer.json(body)


@dataclass(frozen=True)
class _Shared:
    """Built-in voice; its tags are invented but constant."""

    number: int
    name: str
    gender: str

    def _pick(self, what: str, choices: tuple[str, ...]) -> str:
        return choices[zlib.crc32(f"{what}{self.name}".encode()) % len(choices)]

    def body(self) -> dict[str, Any]:
        return {
            "id": self.name,
            "description": f"{self.name}, of the sandbox",
            "gender": self.gender,
            "age": self._pick("age", _AGES),
            "accent": self._pick("accent", _ACCENTS),
            "use_case": ["narration", self._pick("use", _USE_CASES[1:])],
            "style": [self._pick("style", _STYLES)],
        }


def list_shared(api: RestApi, request: Request) -> Answer:
    """Serve `GET /shared-voices`."""
    api.admit(request)
    model = check_text(one(request, "model"), "query.model", 64, shortest=1, needed=True) or ""
    find_model(model, TTS_MODELS)
    fits = _filter(request)
    voices = [_Shared(n, name, gender) for n, (name, gender) in enumerate(VOICES.items(), 1)]
    matching = [voice for voice in voices if fits(voice.body())]
    chosen, cursor = page(request, matching, most=200, usual=100)
    return Answer.json({"voices": [each.body() for each in chosen], "next_page_cursor": cursor})


def _filter(request: Request) -> Callable[[dict[str, Any]], bool]:
    """Return a predicate for voices that match all filters, and all values of repeated ones."""
    single: dict[str, Optional[str]] = {
        name: one(request, name) for name in ("gender", "age", "accent")
    }
    tags = {name: request.query.get(name, []) for name in ("use_case", "style")}
    for name, values in tags.items():
        if len(values) > 10:
            raise invalid(f"query.{name}", "List should have at most 10 items.")
        for value in values:
            check_text(value, f"query.{name}", 40)

    def fits(body: dict[str, Any]) -> bool:
        return all(value in (None, body[name]) for name, value in single.items()) and all(
            value in body[name] for name, values in tags.items() for value in values
        )

    return fits
