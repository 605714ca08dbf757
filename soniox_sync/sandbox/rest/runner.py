"""Threads that transcribe uploaded files with the sandbox's recogniser, and call webhooks."""

from __future__ import annotations

import collections
import json
import logging
import threading
from datetime import datetime, timezone
from typing import Any, NamedTuple, Optional

from ..._support.locks import new_condition
from ..engines.base import RecognitionResult
from ..problems import Problem
from ..stt.recognition import AudioRecognizer
from ..stt.tokens import TokenWriter
from ..world import World
from .loopback import LoopbackError, fetch, is_loopback, post
from .store import Job, Store

__all__ = ["JobRunner"]

log: logging.Logger = logging.getLogger(__name__)

# concurrent jobs; further ones wait
_THREADS = 2
# bytes decoded between two checks whether the sandbox was closed
_SLICE = 64 * 1024
# the service repeats a failed webhook several times within a short period (PROTOCOL 5.9)
_WEBHOOK_PAUSES_SEC = (1.0, 3.0)


class JobRunner:
    """Transcribes jobs in order, on threads that start with the first one. Thread-safe."""

    def __init__(self, world: World, store: Store) -> None:
        self._world = world
        self._store = store
        # Guards _waiting, _threads and _closed. Leaf: nothing is called under it.
        self._more = new_condition()
        self._waiting: collections.deque[Job] = collections.deque()
        self._threads: list[threading.Thread] = []
        self._closed = threading.Event()

    def submit(self, job: Job) -> None:
        """Queue a job."""
        with self._more:
            if self._closed.is_set():
                return
            self._waiting.append(job)
            if len(self._threads) < _THREADS:
                name = f"soniox-sandbox-job-{len(self._threads) + 1}"
                thread = threading.Thread(target=self._run, name=name, daemon=True)
                thread.start()
                self._threads.append(thread)
            self._more.notify()

    def close(self) -> None:
        """End the threads; a running job stays unfinished. Idempotent, bounded."""
        with self._more:
            self._closed.set()
            self._more.notify_all()
            threads = list(self._threads)
        for thread in threads:
            thread.join()

    # --- the threads

    def _run(self) -> None:
        while True:
            with self._more:
                self._more.wait_for(lambda: self._waiting or self._closed.is_set())
                if self._closed.is_set():
                    return
                job = self._waiting.popleft()
            try:
                self._transcribe(job)
            except Exception:
                log.exception("sandbox transcription failed")
                self._fail(job, "internal_error", "The sandbox failed; see its log.")

    def _transcribe(self, job: Job) -> None:
        if not self._begin(job):
            return
        began = datetime.now(timezone.utc)
        if self._closed.wait(self._world.limits.rest_job_sec * self._world.clock.scale):
            return
        try:
            transcript = _Transcriber(self._world, job, self._closed).run()
            if transcript is not None:
                self._complete(job, transcript, began)
        except Problem as problem:
            self._fail(job, problem.error_type, problem.message)
        except LoopbackError as error:
            self._fail(job, "invalid_audio_url", f"The audio could not be downloaded: {error}")
        if not self._closed.is_set():
            self._call_webhook(job)

    def _begin(self, job: Job) -> bool:
        with self._store.lock:
            known = job in self._store.jobs.all()  # it may have been deleted while it waited
            if known:
                job.status = "processing"
            return known

    def _complete(self, job: Job, transcript: _Transcript, began: datetime) -> None:
        with self._store.lock:
            job.tokens, job.audio_duration_ms = transcript.tokens, transcript.total_ms
            job.status, job.audio = "completed", None
        self._world.usage.add(
            "async",
            job.order["model"],
            job.order.get("client_reference_id"),
            began,
            input_audio_ms=transcript.total_ms,
            output_chars=sum(len(token["text"]) for token in transcript.tokens),
        )

    def _fail(self, job: Job, kind: str, message: str) -> None:
        with self._store.lock:
            job.status, job.audio = "error", None
            job.error_type, job.error_message = kind, message

    # --- webhooks

    def _call_webhook(self, job: Job) -> None:
        url = job.order.get("webhook_url")
        if url is None:
            return
        if not is_loopback(url):
            log.warning("webhook of %s not called: the sandbox calls only this machine", job.id)
            return
        headers = {"Content-Type": "application/json"}
        name = job.order.get("webhook_auth_header_name")
        if name:
            headers[name] = job.order.get("webhook_auth_header_value", "")
        body = json.dumps({"id": job.id, "status": job.status}).encode()
        for pause in (*_WEBHOOK_PAUSES_SEC, None):
            if self._deliver(job, url, body, headers) or pause is None:
                return
            if self._closed.wait(pause * self._world.clock.scale):
                return

    def _deliver(self, job: Job, url: str, body: bytes, headers: dict[str, str]) -> bool:
        try:
            status = post(url, body, headers)
        except LoopbackError as error:
            log.info("the webhook of %s failed: %s", job.id, error)
            return False
        with self._store.lock:
            job.webhook_status_code = status
        self._world.traffic.add("rest", 0, "event", {"event": "webhook", "status": status})
        return 200 <= status < 300


class _Transcript(NamedTuple):
    tokens: list[dict[str, Any]]
    total_ms: int


class _Transcriber:
    """Transcribes the audio of one job."""

    def __init__(self, world: World, job: Job, closed: threading.Event) -> None:
        self._world = world
        self._job = job
        self._closed = closed
        self._recognizer = AudioRecognizer(world, job.settings, closed)
        self._writer = TokenWriter(job.settings)
        self._tokens: list[dict[str, Any]] = []

    def run(self) -> Optional[_Transcript]:
        """Return the transcript of all audio; `None` if the sandbox is closed by then.

        Raises
            Problem: the audio cannot be decoded, or is too long.
            LoopbackError: it cannot be downloaded.
        """
        data = self._job.audio
        if data is None:
            data = fetch(self._job.order["audio_url"], self._world.limits.rest_max_upload_bytes)
        try:
            return self._recognize_all(memoryview(data))
        finally:
            self._recognizer.close()

    def _recognize_all(self, data: memoryview) -> Optional[_Transcript]:
        decoder = self._recognizer.decoder
        try:
            for at in range(0, len(data), _SLICE):
                self._recognize(decoder.feed(bytes(data[at : at + _SLICE])))
                if self._closed.is_set():
                    return None
            self._recognize(decoder.finish())
        except Problem as problem:
            if problem.error_type == "max_duration_reached":
                raise
            raise Problem("invalid_audio_file", "Invalid audio file.") from problem
        if not self._recognizer.started:
            raise Problem("invalid_audio_file", "Invalid audio file.")
        self._add_tokens(self._recognizer.finalize(), last=True)
        return _Transcript(self._tokens, self._recognizer.total_ms)

    def _recognize(self, pcm: bytes) -> None:
        for _, result in self._recognizer.recognize(pcm):
            if result is not None:
                self._add_tokens(result)

    def _add_tokens(self, result: RecognitionResult, *, last: bool = False) -> None:
        for token in self._writer.response(result, last=last)["tokens"]:
            if token.pop("is_final"):
                self._tokens.append(token)
