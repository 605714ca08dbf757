"""The STT WebSocket: one session per connection (PROTOCOL 2)."""

from __future__ import annotations

import base64
import binascii
import logging
from collections.abc import Mapping
from typing import Any, Callable, Optional

from ..._support.locks import new_lock
from ..auth import Authentication
from ..clock import Timer, Watch
from ..dialects import NATIVE, Dialect
from ..problems import Problem, bad_request
from ..server.routes import Handshake
from ..server.wire_json import read_json
from ..server.ws import WsPeer
from ..usage import StreamUsage
from ..world import World
from .config import read_start
from .recognition import too_long
from .worker import SttWorker

__all__ = ["SttService"]

log: logging.Logger = logging.getLogger(__name__)


class SttService:
    """Serves the session of one connection: reads messages, runs timers, sends the responses.

    Recognition runs on a worker thread. A gateway's service is a subclass, which may override
    `start` and `take_audio`.

    Lock order: `_lock` -> queue locks. Nothing blocks under `_lock`.
    """

    def __init__(
        self, world: World, peer: WsPeer, handshake: Handshake, dialect: Dialect = NATIVE
    ) -> None:
        self.world = world
        self.peer = peer
        self.handshake = handshake
        self.auth: Authentication = Authentication(world, handshake, "stt", self.fail)
        self._dialect = dialect
        # Guards _over and all sending, so that nothing follows an error or `finished`.
        self._lock = new_lock()
        self._over = False
        # Reader only
        self.worker: Optional[SttWorker] = None
        self._audio_ended = False
        self._agent_text = False
        self._release: Callable[[], None] = lambda: None
        self._usage: Optional[StreamUsage] = None
        self._duration_timer: Optional[Timer] = None
        limits = world.limits
        self._start_watch = self._watch(limits.stt_start_timeout_sec, "Start request timeout.")
        self._key_watch = self._watch(limits.unauthenticated_sec, "Start request timeout.")
        self._audio_watch = self._watch(
            limits.stt_first_audio_timeout_sec,
            "Timed out while waiting for the first audio chunk.",
        )
        self._gap_watch = self._watch(limits.stt_gap_timeout_sec, "Request timeout.")
        self._decode_watch = self._watch(
            limits.stt_decode_timeout_sec, "Audio data decode timeout."
        )

    def _watch(self, sec: Optional[float], message: str) -> Watch:
        """Return a watch that fails the session with 408 when it expires."""
        return Watch(self.world.clock, sec, lambda: self.fail(Problem("request_timeout", message)))

    # --- the connection

    def opened(self) -> None:
        """Check the key of the upgrade request, and start the timers."""
        if self.world.limits.stt_lag_sec:
            self.peer.set_lag(self.world.limits.stt_lag_sec)
        self.auth.check_upgrade()
        if self.auth.pending:
            self._key_watch.start()
        elif self.auth.refusal is None:
            self._start_watch.start()

    def text(self, text: str) -> None:
        """Handle a start request, a control message, the end, or base64 audio."""
        self._guarded(self._take_text, text)

    def binary(self, data: bytes) -> None:
        """Handle audio; an empty frame is an empty chunk (PROTOCOL 2.3)."""
        self._guarded(self.take_audio, data)

    def closed(self) -> None:
        """Stop the timers and the worker, and wait for it."""
        for watch in (
            self._start_watch,
            self._key_watch,
            self._audio_watch,
            self._gap_watch,
            self._decode_watch,
        ):
            watch.stop()
        self.auth.close()
        if self._duration_timer is not None:
            self._duration_timer.cancel()
        self._release()
        if self.worker is not None:
            self.worker.stop()

    def _guarded(self, take: Callable[[Any], None], value: Any) -> None:
        """Fail the session if a message is refused."""
        try:
            take(value)
        except Problem as problem:
            self.fail(problem)

    # --- messages

    def _take_text(self, text: str) -> None:
        if text == "":
            self.peer.received({"end": True}, 0)
            self._end_audio()
            return
        try:
            value = read_json(text)
        except ValueError:
            self._take_base64(text)
            return
        self.peer.received(value, len(text))
        for message in self._dialect.decode(value):
            if isinstance(message, bytes):
                self.take_audio(message)
            elif self.worker is None:
                self.start(message)
            else:
                self._control(message)

    def _take_base64(self, text: str) -> None:
        self.peer.received({"text": len(text)}, len(text))
        if self.worker is None:
            raise bad_request("Start request is malformed.")
        if text.lstrip().startswith("{"):
            raise bad_request("Control request is malformed.")
        try:
            self.take_audio(base64.b64decode(text, validate=True))
        except (binascii.Error, ValueError):
            raise bad_request("Invalid base64.") from None

    def start(self, message: Any) -> None:
        """Start the session.

        Raises
            Problem: the request is refused.
        """
        if self.auth.refusal is not None:
            raise self.auth.refusal
        if not isinstance(message, dict):
            raise bad_request("Start request is malformed.")
        world = self.world
        accepted = self.auth.check_message(message)
        config = read_start(message, world.limits)
        world.keys.use(accepted)
        release_quota = world.quota.begin_stream("stt")
        reference = accepted.rule.client_reference_id or message.get("client_reference_id")
        self._usage = usage = world.usage.begin_stream("stt", config.model, reference)

        def release() -> None:
            usage.end()
            release_quota()

        self._release = release
        self._start_watch.stop()
        self._key_watch.stop()
        self._agent_text = config.agent_text
        self.worker = SttWorker(world, config, self, self.peer.number)
        self.worker.start()
        self._audio_watch.start()
        limit = world.limits.stt_max_duration_sec
        if limit is not None:
            self._duration_timer = world.clock.later(limit, lambda: self.fail(too_long()))

    def _control(self, message: Any) -> None:
        if not isinstance(message, dict):
            raise bad_request("Control request is malformed.")
        kind = message.get("type")
        if kind == "keepalive":
            self._audio_watch.touch()
            self._gap_watch.touch()
        elif kind == "finalize":
            silence = message.get("trailing_silence_ms")
            if silence is not None and (
                isinstance(silence, bool) or not isinstance(silence, int) or silence < 0
            ):
                raise bad_request("Control request is malformed: trailing_silence_ms.")
            if self.worker is not None:
                self.worker.finalize()
        elif kind == "":
            self._end_audio()
        elif not self._agent_text:  # the JSON of an agent's text is unknown: it may be this one
            raise bad_request("Control request has an invalid type.")

    def take_audio(self, data: bytes) -> None:
        """Queue audio for the worker; after its end it is ignored.

        Raises
            Problem: no session was started.
        """
        if self.worker is None:
            raise self.auth.refusal or bad_request("Start request must be a text message.")
        if self._audio_ended or not data:
            return
        self._audio_watch.stop()
        self._gap_watch.start()
        self.worker.audio(data)

    def _end_audio(self) -> None:
        if self.worker is None:
            raise bad_request("Start request is malformed.")
        if self._audio_ended:
            return
        self._audio_ended = True
        self._audio_watch.stop()
        self._gap_watch.stop()
        self.worker.end()

    # --- results, from any thread

    def send(self, message: Mapping[str, Any]) -> None:
        """Send a response, unless the session is over."""
        with self._lock:
            if not self._over:
                self._send(message)

    def finish(self, message: Mapping[str, Any]) -> None:
        """Send the last response and close."""
        if self._end_with(message):
            if self._usage is not None:
                self._usage.charge(input_audio_ms=message["total_audio_proc_ms"])
            self._release()
            self.peer.close(1000)

    def fail(self, problem: Problem) -> None:
        """Send the error frame and close with 1000, as the service does (PROTOCOL 2.6)."""
        if self._end_with(self._error(problem)):
            self._release()
            self.peer.close(1000)

    def count_audio(self, ms: float) -> None:
        """Count recognised audio for faults."""
        self.peer.count_audio(ms)

    def container_missing(self) -> None:
        """Start the decode timeout: the audio started without a known header."""
        self._decode_watch.start()

    def container_found(self) -> None:
        """Stop the decode timeout."""
        self._decode_watch.stop()

    def _end_with(self, message: Mapping[str, Any]) -> bool:
        """Send the last message of the session; return False if it is over already."""
        with self._lock:
            if self._over:
                return False
            self._over = True
            self._send(message)
        return True

    def _error(self, problem: Problem) -> dict[str, Any]:
        return {"tokens": [], **problem.frame(self.handshake.request_id)}

    def _send(self, message: Mapping[str, Any]) -> None:
        for wire in self._dialect.encode(message):
            self.peer.send(wire)

    # --- faults

    def terminate(self) -> None:
        """Close without an error frame: STT has no `terminated`."""
        self.peer.close(1000)

    def inject_problem(
        self, problem: Problem, stream: Optional[str], close: Optional[bool]
    ) -> None:
        """Send an error frame; by default the session ends with it."""
        if close is None or close:
            self.fail(problem)
        else:
            with self._lock:
                self._send(self._error(problem))
