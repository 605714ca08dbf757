"""The `/v1/transcriptions` endpoints (PROTOCOL 5.3)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from ..catalog import STT_ASYNC, find_model
from ..limits import Limits
from ..problems import Problem
from ..server.routes import Answer, Request
from ..stt.config import SttConfig, check_context, read_hints, read_translation
from .api import RestApi
from .collection import add_collection
from .common import check_text, invalid
from .store import Job

__all__ = ["add_job_routes"]

_FLAGS = (
    "language_hints_strict",
    "enable_speaker_diarization",
    "enable_language_identification",
)
# field -> longest allowed
_TEXTS = {
    "audio_url": 4096,
    "file_id": 64,
    "webhook_url": 256,
    "webhook_auth_header_name": 256,
    "webhook_auth_header_value": 256,
    "client_reference_id": 256,
}
_KEPT = (*_TEXTS, *_FLAGS, "language_hints", "translation", "context")


def add_job_routes(api: RestApi) -> None:
    """Add the endpoints."""
    api.route("POST", "/v1/transcriptions", create)
    add_collection(api, "/v1/transcriptions", "transcriptions", api.store.jobs)
    api.route("GET", "/v1/transcriptions/{id}/transcript", get_transcript)
    api.route("DELETE", "/v1/transcriptions/{id}", delete_job)


def create(api: RestApi, request: Request) -> Answer:
    """Serve `POST /transcriptions`."""
    rule = api.admit(request).rule
    body = request.json()
    model = check_text(body.get("model"), "body.payload.model", 32, shortest=1, needed=True) or ""
    real = find_model(model, STT_ASYNC)
    settings = _settings(body, real, api.world.limits)
    order: dict[str, Any] = {"model": real}  # the answer names what runs (PROTOCOL 7)
    order.update({name: body[name] for name in _KEPT if body.get(name) is not None})
    if rule.client_reference_id is not None:
        order["client_reference_id"] = rule.client_reference_id
    with api.store.lock:
        job = _make(api, order, settings)
        api.store.jobs.add(job)
        body = job.body()  # as queued, before the runner changes it
    api.jobs.submit(job)
    return Answer.json(body, 201)


def _settings(body: Mapping[str, Any], model: str, limits: Limits) -> SttConfig:
    """Check everything but the model, and return the settings of the transcription."""
    for name, longest in _TEXTS.items():
        check_text(body.get(name), f"body.payload.{name}", longest)
    for name in _FLAGS:
        if not isinstance(body.get(name), (bool, type(None))):
            raise invalid(f"body.payload.{name}", "Input should be a valid boolean.")
    if (body.get("audio_url") is None) == (body.get("file_id") is None):
        raise invalid("body.payload", "Exactly one of audio_url and file_id must be given.")
    for name in ("audio_url", "webhook_url"):
        if body.get(name) and not body[name].lower().startswith(("http://", "https://")):
            raise invalid(f"body.payload.{name}", "URL scheme should be 'http' or 'https'.")
    check_context(body.get("context"), limits)
    return SttConfig(
        model=model,
        is_alias=model != body["model"],
        audio_format="auto",
        sample_rate=None,
        num_channels=None,
        language_hints=read_hints(body.get("language_hints")),
        diarization=bool(body.get("enable_speaker_diarization")),
        language_identification=bool(body.get("enable_language_identification")),
        endpoint_detection=False,
        endpoint_delay_ms=2000,
        translation=read_translation(body.get("translation")),
    )


def _make(api: RestApi, order: Mapping[str, Any], settings: SttConfig) -> Job:
    """Return a new job; under the store's lock.

    Raises
        Problem: 404 for a file that does not exist, 429 for one job too many.
    """
    store, limits = api.store, api.world.limits
    if store.pending >= limits.rest_max_pending:
        raise Problem("limit_exceeded", "The limit of pending transcriptions has been exceeded.")
    if len(store.jobs) >= limits.rest_max_transcriptions:
        raise Problem("limit_exceeded", "The limit of stored transcriptions has been exceeded.")
    if "file_id" in order:
        file = store.files.get(order["file_id"])
        return Job(order, file.filename, settings, file.content)
    path = urlsplit(order["audio_url"]).path
    return Job(order, path.rpartition("/")[2] or "audio", settings)


def get_transcript(api: RestApi, request: Request) -> Answer:
    """Serve `GET /transcriptions/{id}/transcript`."""
    api.admit(request)
    with api.store.lock:
        job = api.store.jobs.get(request.params["id"])
        if job.status != "completed":
            raise _wrong_state(job)
        return Answer.json(job.transcript())


def delete_job(api: RestApi, request: Request) -> Answer:
    """Serve `DELETE /transcriptions/{id}`; the file is kept."""
    api.admit(request)
    with api.store.lock:
        job = api.store.jobs.get(request.params["id"])
        if job.status == "processing":
            raise _wrong_state(job)
        api.store.jobs.remove(job.id)
    return Answer(204)


def _wrong_state(job: Job) -> Problem:
    return Problem(
        "transcription_invalid_state", f"The transcription is in state {job.status}.", code=409
    )
