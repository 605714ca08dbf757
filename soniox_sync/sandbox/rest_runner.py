"""The threads that transcribe uploaded files with the sandbox's own ears, and call webhooks."""

from __future__ import annotations

import collections
import json
import logging
import threading
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any, Optional

from .containers import AutoDecoder
from .engines.base import Hearing, Listener
from .problems import Problem
from .rest_loopback import LoopbackError, fetch, is_loopback, post
from .rest_store import Job
from .stt_tokens import TokenWriter

if TYPE_CHECKING:
    from .world import World

__all__ = ["JobRunner"]

log = logging.getLogger(__name__)

_THREADS = 2
_SLICE = 64 * 1024
# audio is heard in pieces of this length, as over the WebSocket
_PIECE_MS = 120
# the service repeats a webhook that failed several times over a short period (PROTOCOL 5.9)
_WEBHOOK_PAUSES_SEC = (1.0, 3.0)


class JobRunner:
    """Works off jobs in order, on threads that start with the first one. Thread-safe."""

    def __init__(self, world: World) -> None:
        self._world = world
        # Guards _waiting, _threads and _closed. Leaf: nothing is called under it.
        self._more = threading.Condition()
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
        """End the threads; jobs under way stay as they are. Idempotent, bounded."""
        with self._more:
            self._closed.set()
            self._more.notify_all()
            threads = list(self._threads)
        for thread in threads:
            thread.join()

    # --- on a thread

    def _run(self) -> None:
        while True:
            with self._more:
                self._more.wait_for(lambda: self._waiting or self._closed.is_set())
                if self._closed.is_set():
                    return
                job = self._waiting.popleft()
            try:
                self._work_off(job)
            except Exception:
                log.exception("sandbox transcription failed")
                self._fail(job, "internal_error", "The sandbox failed; see its log.")

    def _work_off(self, job: Job) -> None:
        if not self._begin(job):
            return
        began = datetime.now(timezone.utc)
        if self._closed.wait(self._world.limits.rest_job_sec * self._world.clock.scale):
            return
        try:
            self._complete(job, _Transcriber(self._world, job, self._closed).run(), began)
        except Problem as problem:
            self._fail(job, problem.error_type, problem.message)
        except LoopbackError as error:
            self._fail(job, "invalid_audio_url", f"The audio could not be downloaded: {error}")
        if not self._closed.is_set():
            self._call_webhook(job)

    def _begin(self, job: Job) -> bool:
        with self._world.store.lock:
            known = job in self._world.store.jobs.all()  # it may have been deleted while it waited
            if known:
                job.status = "processing"
            return known

    def _complete(self, job: Job, heard: Optional[_Heard], began: datetime) -> None:
        if heard is None:
            return
        with self._world.store.lock:
            job.tokens, job.audio_duration_ms = heard.tokens, heard.total_ms
            job.status, job.audio = "completed", None
        self._world.ledger.note(
            "async",
            job.order["model"],
            job.order.get("client_reference_id"),
            began,
            input_audio_ms=heard.total_ms,
            output_chars=sum(len(token["text"]) for token in heard.tokens),
        )

    def _fail(self, job: Job, kind: str, message: str) -> None:
        with self._world.store.lock:
            job.status, job.audio = "error", None
            job.error_type, job.error_message = kind, message

    # --- webhooks

    def _call_webhook(self, job: Job) -> None:
        url = job.order.get("webhook_url")
        if url is None:
            return
        if not is_loopback(url):
            log.warning("the sandbox calls webhooks on this machine only: %s is left out", job.id)
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
        with self._world.store.lock:
            job.webhook_status_code = status
        self._world.traffic.add("rest", 0, "event", {"event": "webhook", "status": status})
        return 200 <= status < 300


class _Heard:
    def __init__(self, tokens: list[dict[str, Any]], total_ms: int) -> None:
        self.tokens = tokens
        self.total_ms = total_ms


class _Transcriber:
    """Decodes and hears one job's audio."""

    def __init__(self, world: World, job: Job, closed: threading.Event) -> None:
        self._world = world
        self._job = job
        self._closed = closed
        self._decoder = AutoDecoder()
        self._writer = TokenWriter(job.settings)
        self._listener: Optional[Listener] = None
        self._tokens: list[dict[str, Any]] = []
        self._samples = 0

    def run(self) -> Optional[_Heard]:
        """Hear it all; `None` when the sandbox was closed. Raises `Problem` or `LoopbackError`."""
        data = self._job.audio
        if data is None:
            data = fetch(self._job.order["audio_url"], self._world.limits.rest_max_upload_bytes)
        try:
            return self._hear_all(memoryview(data))
        finally:
            self._decoder.close()
            if self._listener is not None:
                self._listener.close()

    def _hear_all(self, data: memoryview) -> Optional[_Heard]:
        try:
            for at in range(0, len(data), _SLICE):
                self._hear(self._decoder.feed(bytes(data[at : at + _SLICE])))
                if self._closed.is_set():
                    return None
            self._hear(self._decoder.finish())
        except Problem as problem:
            if problem.error_type == "max_duration_reached":
                raise
            raise Problem("invalid_audio_file", "Invalid audio file.") from problem
        rate = self._decoder.sample_rate
        if self._listener is None or not rate:
            raise Problem("invalid_audio_file", "Invalid audio file.")
        self._take(self._listener.finalize(), last=True)
        return _Heard(self._tokens, self._samples * 1000 // rate)

    def _hear(self, pcm: bytes) -> None:
        rate = self._decoder.sample_rate
        if not pcm or not rate:
            return
        if self._listener is None:
            self._listener = self._world.recognizer.listen(
                sample_rate=rate, languages=self._job.settings.language_hints
            )
        size = max(1, rate * _PIECE_MS // 1000) * 2
        for at in range(0, len(pcm), size):
            self._hear_piece(self._listener, pcm[at : at + size], rate)

    def _hear_piece(self, listener: Listener, pcm: bytes, rate: int) -> None:
        self._samples += len(pcm) // 2
        limit = self._world.limits.stt_max_duration_sec
        if limit is not None and self._samples > limit * rate:
            raise Problem("max_duration_reached", "Maximum audio duration reached.")
        hearing = None if self._closed.is_set() else listener.feed(pcm)
        if hearing is not None:
            self._take(hearing)

    def _take(self, hearing: Hearing, *, last: bool = False) -> None:
        for token in self._writer.response(hearing, last=last)["tokens"]:
            if token.pop("is_final"):
                self._tokens.append(token)
