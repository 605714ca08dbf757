"""The `/v1/transcriptions` endpoints (PROTOCOL 5.3)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Optional
from urllib.parse import urlsplit

from .catalog import STT_ASYNC, find_model
from .problems import Problem
from .rest_common import admit, check_text, invalid, page
from .rest_files import counts
from .rest_store import Job
from .routes import Answer, Request, Routes
from .stt_config import SttConfig, check_context, read_hints, read_translation

if TYPE_CHECKING:
    from .world import World

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


def add_job_routes(routes: Routes) -> None:
    """Add the endpoints."""
    routes.add("POST", "/v1/transcriptions", create)
    routes.add("GET", "/v1/transcriptions", list_jobs)
    routes.add("GET", "/v1/transcriptions/count", count_jobs)
    routes.add("GET", "/v1/transcriptions/{id}", get_job)
    routes.add("GET", "/v1/transcriptions/{id}/transcript", get_transcript)
    routes.add("DELETE", "/v1/transcriptions/{id}", delete_job)


def create(world: World, request: Request) -> Answer:
    """Serve `POST /transcriptions`."""
    rule = admit(world, request)
    body = request.json()
    model = check_text(body.get("model"), "body.payload.model", 32, shortest=1, needed=True) or ""
    find_model(model, STT_ASYNC)
    settings = _settings(world, body)
    order: dict[str, Any] = {"model": model}
    order.update({name: body[name] for name in _KEPT if body.get(name) is not None})
    if rule.client_reference_id is not None:
        order["client_reference_id"] = rule.client_reference_id
    with world.store.lock:
        job = _make(world, order, settings)
        world.store.jobs.add(job)
        body = job.body()  # as queued, whatever the runner does by then
    world.jobs.submit(job)
    return Answer.json(body, 201)


def _settings(world: World, body: Mapping[str, Any]) -> SttConfig:
    """Check everything but the model, and give what the transcriber needs."""
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
    check_context(body.get("context"), world.limits)
    return SttConfig(
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


def _make(world: World, order: Mapping[str, Any], settings: SttConfig) -> Job:
    """Make the job, under the store's lock. Raises `Problem` 404 or 429."""
    store, limits = world.store, world.limits
    if store.pending >= limits.rest_max_pending:
        raise Problem("limit_exceeded", "The limit of pending transcriptions has been exceeded.")
    if len(store.jobs) >= limits.rest_max_transcriptions:
        raise Problem("limit_exceeded", "The limit of stored transcriptions has been exceeded.")
    if "file_id" in order:
        file = store.files.get(order["file_id"])
        return Job(order, file.filename, settings, file.content)
    path = urlsplit(order["audio_url"]).path
    return Job(order, path.rpartition("/")[2] or "audio", settings)


def list_jobs(world: World, request: Request) -> Answer:
    """Serve `GET /transcriptions`."""
    admit(world, request)
    with world.store.lock:
        chosen, cursor = page(request, world.store.jobs.all())
        bodies = [each.body() for each in chosen]
    return Answer.json({"transcriptions": bodies, "next_page_cursor": cursor})


def count_jobs(world: World, request: Request) -> Answer:
    """Serve `GET /transcriptions/count`."""
    admit(world, request)
    return Answer.json(counts(len(world.store.jobs)))


def get_job(world: World, request: Request) -> Answer:
    """Serve `GET /transcriptions/{id}`."""
    admit(world, request)
    with world.store.lock:
        return Answer.json(world.store.jobs.get(request.params["id"]).body())


def get_transcript(world: World, request: Request) -> Answer:
    """Serve `GET /transcriptions/{id}/transcript`."""
    admit(world, request)
    with world.store.lock:
        job = world.store.jobs.get(request.params["id"])
        _check_state(job, "completed")
        return Answer.json(job.transcript())


def delete_job(world: World, request: Request) -> Answer:
    """Serve `DELETE /transcriptions/{id}`; its file stays."""
    admit(world, request)
    with world.store.lock:
        job = world.store.jobs.get(request.params["id"])
        if job.status == "processing":
            raise _wrong_state(job)
        world.store.jobs.remove(job.id)
    return Answer(204)


def _check_state(job: Job, status: Optional[str]) -> None:
    if job.status != status:
        raise _wrong_state(job)


def _wrong_state(job: Job) -> Problem:
    return Problem(
        "transcription_invalid_state", f"The transcription is in state {job.status}.", code=409
    )
