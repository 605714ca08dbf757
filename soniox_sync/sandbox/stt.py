"""The STT WebSocket: one session per connection (PROTOCOL 2)."""

from __future__ import annotations

import base64
import binascii
import logging
import threading
from collections.abc import Mapping
from typing import Any, Callable, Optional

from .clock import Timer, Watch
from .dialects import NATIVE, Dialect
from .keys import KeyRule, check_single_place
from .problems import Problem, bad_request
from .rest_ledger import Use
from .routes import Handshake
from .stt_config import read_start
from .stt_worker import SttWorker, too_long
from .wire_json import read_json
from .world import World
from .ws import WsPeer

__all__ = ["SttService"]

log = logging.getLogger(__name__)


class SttService:
    """Reads what the client says, runs the timers, and leaves hearing to a worker thread.

    Lock order: `_lock` -> queue locks. Nothing blocks under `_lock`.
    """

    def __init__(
        self, world: World, peer: WsPeer, handshake: Handshake, dialect: Dialect = NATIVE
    ) -> None:
        self._world = world
        self._peer = peer
        self._handshake = handshake
        self._dialect = dialect
        # Guards _failed and all sending, so that nothing follows an error or `finished`.
        self._lock = threading.Lock()
        self._failed = False
        # Reader only
        self._worker: Optional[SttWorker] = None
        self._ended = False
        self._rule: Optional[KeyRule] = None
        self._refused: Optional[Problem] = None
        self._release: Callable[[], None] = lambda: None
        self._use: Optional[Use] = None
        limits, clock = world.limits, world.clock
        self._start_watch = Watch(clock, limits.stt_start_timeout_sec, self._start_late)
        self._key_watch = Watch(clock, limits.unauthenticated_sec, self._start_late)
        self._audio_watch = Watch(clock, limits.stt_first_audio_timeout_sec, self._no_first_audio)
        self._gap_watch = Watch(clock, limits.stt_gap_timeout_sec, self._gap)
        self._decode_watch = Watch(clock, limits.stt_decode_timeout_sec, self._undecodable)
        self._timers: list[Timer] = []

    # --- the connection

    def opened(self) -> None:
        """Check the key of the handshake, start the timers."""
        if self._world.limits.stt_lag_sec:
            self._peer.set_lag(self._world.limits.stt_lag_sec)
        try:
            if self._handshake.problem is not None:
                raise self._handshake.problem
            if self._handshake.key is not None or not self._world.limits.allow_message_auth:
                self._authenticate(self._handshake.key)
                self._start_watch.start()
            else:
                self._key_watch.start()
        except Problem as problem:
            self._refused = problem
            delay = self._world.limits.auth_error_delay_sec
            self._timers.append(self._world.clock.after(delay, self._tell_refusal))

    def text(self, text: str) -> None:
        """Take a start request, a control message, the end, or base64 audio."""
        self._guarded(self._take_text, text)

    def binary(self, data: bytes) -> None:
        """Take audio; an empty frame is an empty chunk (PROTOCOL 2.3)."""
        self._guarded(self._take_audio, data)

    def closed(self) -> None:
        """Stop the timers and the worker, and wait for it."""
        for watch in self._watches():
            watch.stop()
        for timer in self._timers:
            timer.cancel()
        self._release()
        if self._worker is not None:
            self._worker.stop()

    def _tell_refusal(self) -> None:
        if self._refused is not None:
            self.fail(self._refused)

    def _watches(self) -> tuple[Watch, ...]:
        return (
            self._start_watch,
            self._key_watch,
            self._audio_watch,
            self._gap_watch,
            self._decode_watch,
        )

    def _guarded(self, take: Callable[[Any], None], value: Any) -> None:
        try:
            take(value)
        except Problem as problem:
            self.fail(problem)

    # --- messages

    def _take_text(self, text: str) -> None:
        if text == "":
            self._peer.received({"end": True}, 0)
            self._end()
            return
        value = _parse(text)
        if value is _NOT_JSON:
            self._take_odd_text(text)
            return
        self._peer.received(value, len(text))
        for message in self._dialect.decode(value):
            if isinstance(message, bytes):
                self._take_audio(message)
            elif self._worker is None:
                self._start(message)
            else:
                self._control(message)

    def _take_odd_text(self, text: str) -> None:
        self._peer.received({"text": len(text)}, len(text))
        if self._worker is None:
            raise bad_request("Start request is malformed.")
        if text.lstrip().startswith("{"):
            raise bad_request("Control request is malformed.")
        try:
            self._take_audio(base64.b64decode(text, validate=True))
        except (binascii.Error, ValueError):
            raise bad_request("Invalid base64.") from None

    def _start(self, message: Any) -> None:
        if self._refused is not None:
            raise self._refused
        if not isinstance(message, dict):
            raise bad_request("Start request is malformed.")
        rule = self._authorise(message)
        config = read_start(message, self._world.limits)
        self._world.keys.use(rule)
        release = self._world.accounts.begin_stream("stt")
        reference = rule.client_reference_id or message.get("client_reference_id")
        self._use = use = self._world.ledger.begin("stt", message.get("model"), reference)

        def end() -> None:
            use.stop()
            release()

        self._release = end
        self._start_watch.stop()
        self._key_watch.stop()
        self._worker = SttWorker(self._world, config, self, self._peer.number)
        self._worker.start()
        self._audio_watch.start()
        limit = self._world.limits.stt_max_duration_sec
        if limit is not None:
            self._timers.append(self._world.clock.later(limit, self._too_long))
        if config.audio_format == "auto":
            self._worker.on_unknown = self._decode_watch.start
            self._worker.on_known = self._decode_watch.stop

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
            if self._worker is not None:
                self._worker.finalize()
        elif kind == "":
            self._end()
        else:
            raise bad_request("Control request has an invalid type.")

    def _take_audio(self, data: bytes) -> None:
        if self._worker is None:
            raise self._refused or bad_request("Start request must be a text message.")
        if self._ended or not data:
            return
        self._audio_watch.stop()
        self._gap_watch.start()
        self._worker.audio(data)

    def _end(self) -> None:
        if self._worker is None:
            raise bad_request("Start request is malformed.")
        if self._ended:
            return
        self._ended = True
        self._audio_watch.stop()
        self._gap_watch.stop()
        self._worker.end()

    # --- keys

    def _authenticate(self, key: Optional[str]) -> KeyRule:
        rule = self._world.keys.check(key, "stt")
        if self._rule is None:
            self._rule = rule
            if rule.max_session_duration_sec is not None:
                self._timers.append(
                    self._world.clock.later(rule.max_session_duration_sec, self._session_expired)
                )
        return rule

    def _authorise(self, message: Mapping[str, Any]) -> KeyRule:
        key = message.get("api_key")
        if key is not None and not self._world.limits.allow_message_auth:
            raise bad_request("API key must be sent with the connection.")
        check_single_place(self._handshake.key, key)
        return self._rule if self._rule is not None else self._authenticate(key)

    # --- sending, from any thread

    def send(self, message: Mapping[str, Any]) -> None:
        """Send a response, unless the session already failed."""
        with self._lock:
            if not self._failed:
                self._send(message)

    def finish(self, message: Mapping[str, Any]) -> None:
        """Send the last response and close."""
        with self._lock:
            if self._failed:
                return
            self._failed = True
            self._send(message)
        if self._use is not None:
            self._use.done(input_audio_ms=message["total_audio_proc_ms"])
        self._release()
        self._peer.close(1000)

    def fail(self, problem: Problem) -> None:
        """Send the error frame and close with 1000, as the service does (PROTOCOL 2.6)."""
        with self._lock:
            if self._failed:
                return
            self._failed = True
            self._send({"tokens": [], **problem.frame(self._handshake.request_id)})
        self._release()
        self._peer.close(1000)

    def count_audio(self, ms: float) -> None:
        """Count received audio for faults."""
        self._peer.count_audio(ms)

    def _send(self, message: Mapping[str, Any]) -> None:
        for wire in self._dialect.encode(message):
            self._peer.send(wire)

    # --- faults

    def terminate(self) -> None:
        """End without an explanation: STT knows no `terminated`."""
        self._peer.close(1000)

    def inject_problem(
        self, problem: Problem, stream: Optional[str], close: Optional[bool]
    ) -> None:
        """Send an error frame; by default the session ends with it."""
        if close is None or close:
            self.fail(problem)
        else:
            with self._lock:
                self._send({"tokens": [], **problem.frame(self._handshake.request_id)})

    # --- timers, on the clock's thread

    def _start_late(self) -> None:
        self.fail(Problem("request_timeout", "Start request timeout."))

    def _no_first_audio(self) -> None:
        self.fail(Problem("request_timeout", "Timed out while waiting for the first audio chunk."))

    def _gap(self) -> None:
        self.fail(Problem("request_timeout", "Request timeout."))

    def _undecodable(self) -> None:
        self.fail(Problem("request_timeout", "Audio data decode timeout."))

    def _too_long(self) -> None:
        self.fail(too_long())

    def _session_expired(self) -> None:
        self.fail(Problem("temp_api_key_session_expired", "Temporary API key session expired."))


_NOT_JSON = object()


def _parse(text: str) -> Any:
    try:
        return read_json(text)
    except ValueError:
        return _NOT_JSON
