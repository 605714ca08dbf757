"""The TTS WebSocket: one connection, up to five streams (PROTOCOL 3)."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from typing import Any, Optional

from .clock import Timer, Watch
from .dialects import NATIVE, Dialect
from .keys import KeyRule, check_single_place
from .problems import Problem, bad_request
from .routes import Handshake
from .tts_config import check_lengths, read_config
from .tts_stream import TtsStream
from .wire_json import read_json
from .world import World
from .ws import WsPeer

__all__ = ["TtsService"]

_CONFIG_FIELDS = frozenset({"model", "language", "voice", "audio_format"})


class TtsService:
    """Serves the streams of one connection.

    Lock order: `_lock` -> queue locks of the peer and of streams. Nothing blocks under it.
    """

    def __init__(
        self, world: World, peer: WsPeer, handshake: Handshake, dialect: Dialect = NATIVE
    ) -> None:
        self.number = peer.number
        self._world = world
        self._peer = peer
        self._handshake = handshake
        self._dialect = dialect
        # Guards all below. Reentrant: a gateway begins its next segment where one ends.
        self._lock = threading.RLock()
        self._streams: dict[str, TtsStream] = {}
        self._finished: list[TtsStream] = []
        self._rule: Optional[KeyRule] = None
        limits, clock = world.limits, world.clock
        self._idle = Watch(clock, limits.tts_idle_sec, self._time_out)
        self._no_audio = Watch(clock, limits.tts_no_audio_close_sec, self._time_out)
        self._unauthenticated = Watch(clock, limits.unauthenticated_sec, self._time_out)
        self._timers: list[Timer] = []
        self._refused: Optional[Problem] = None

    # --- the connection

    def opened(self) -> None:
        """Check the key of the handshake, start the timers."""
        self._idle.start()
        self._no_audio.start()
        try:
            if self._handshake.problem is not None:
                raise self._handshake.problem
            if self._handshake.key is not None or not self._world.limits.allow_message_auth:
                self._authenticate(self._handshake.key)
            else:
                self._unauthenticated.start()
        except Problem as problem:
            self._refused = problem
            delay = self._world.limits.auth_error_delay_sec
            self._timers.append(self._world.clock.after(delay, self._tell_refusal))

    def _tell_refusal(self) -> None:
        if self._refused is not None:
            self._fail_connection(self._refused)

    def text(self, text: str) -> None:
        """Take one message."""
        self._idle.touch()
        try:
            value = read_json(text)
        except ValueError:
            self._peer.received({"malformed": len(text)}, len(text))
            self._fail_connection(bad_request("Invalid message format"), stream_id="")
            return
        self._peer.received(value, len(text))
        for message in self._dialect.decode(value):
            self._take(message)

    def binary(self, data: bytes) -> None:
        """Refuse: this endpoint speaks JSON only."""
        self._fail_connection(bad_request("Invalid message format"), stream_id="")

    def closed(self) -> None:
        """Stop all streams and wait for their threads."""
        for watch in (self._idle, self._no_audio, self._unauthenticated):
            watch.stop()
        for timer in self._timers:
            timer.cancel()
        with self._lock:
            streams = [*self._streams.values()]
            self._streams.clear()
            for stream in streams:
                stream.stop()
            streams += self._finished
        for stream in streams:
            stream.join()

    # --- messages

    def _take(self, message: Any) -> None:
        if self._refused is not None:
            self._tell_refusal()
            return
        if not isinstance(message, dict):
            self._fail_connection(bad_request("Invalid message format"), stream_id="")
            return
        if "keep_alive" in message:
            return
        stream_id = message.get("stream_id")
        if not isinstance(stream_id, str) or not stream_id:
            problem = bad_request("Missing required field: stream_id")
            self._fail_connection(problem, stream_id="")
            return
        try:
            self._dispatch(stream_id, message)
        except Problem as problem:
            self._refuse(stream_id, problem)

    def _dispatch(self, stream_id: str, message: Mapping[str, Any]) -> None:
        if "cancel" in message:
            self._cancel(stream_id, message)
        elif "text" in message or "text_end" in message:
            if _CONFIG_FIELDS & message.keys():
                raise bad_request("Invalid message format")
            self._add_text(stream_id, message)
        else:
            self._open(stream_id, message)

    def _open(self, stream_id: str, message: Mapping[str, Any]) -> None:
        rule = self._authorise(message)
        world = self._world
        with self._lock:
            if stream_id in self._streams:
                raise Problem("invalid_stream_state", f"Stream {stream_id} already started.")
            limit = world.limits.tts_streams_per_connection
            if limit is not None and len(self._streams) >= limit:
                raise Problem(
                    "max_concurrent_streams_reached",
                    f"Maximum number of concurrent streams ({limit}) reached.",
                )
        config = read_config(message, world.cloned_voices)
        world.keys.use(rule)
        release = world.accounts.begin_stream("tts")
        try:
            stream = TtsStream(self, world, stream_id, config)
        except Problem:
            release()
            raise
        reference = rule.client_reference_id or message.get("client_reference_id")
        stream.use = world.ledger.begin("tts", config.model, reference)
        stream.release = release
        with self._lock:
            self._streams[stream_id] = stream
            stream.start()

    def _add_text(self, stream_id: str, message: Mapping[str, Any]) -> None:
        text, end = message.get("text"), message.get("text_end", False)
        with self._lock:
            stream = self._streams.get(stream_id)
            if stream is None:
                raise _not_found(stream_id)
            if stream.text_ended:
                raise Problem("invalid_stream_state", f"Stream {stream_id} already ended.")
            if text is None and end is True:
                text = ""  # livekit's plugin ends its streams so
            if text is None:
                raise bad_request("Missing required field: text")
            if not isinstance(text, str) or not isinstance(end, bool):
                raise bad_request("Invalid message format")
            stream.add_text(text, end)

    def _cancel(self, stream_id: str, message: Mapping[str, Any]) -> None:
        with self._lock:
            stream = self._streams.get(stream_id)
            if stream is None:
                raise _not_found(stream_id)
            if {"text", "text_end"} & message.keys():
                raise bad_request("cancel cannot be combined with text or text_end")
            if message["cancel"] is not True:
                raise bad_request("Invalid message format")
            self._drop(stream)

    # --- keys

    def _authenticate(self, key: Optional[str]) -> KeyRule:
        rule = self._world.keys.check(key, "tts")
        self._unauthenticated.stop()
        if self._rule is None:
            self._rule = rule
            if rule.max_session_duration_sec is not None:
                self._timers.append(
                    self._world.clock.later(rule.max_session_duration_sec, self._session_expired)
                )
        return rule

    def _authorise(self, message: Mapping[str, Any]) -> KeyRule:
        check_lengths({"stream_id": message.get("stream_id"), "api_key": message.get("api_key")})
        key = message.get("api_key")
        if key is not None and not self._world.limits.allow_message_auth:
            raise bad_request("API key must be sent with the connection.")
        check_single_place(self._handshake.key, key)
        if self._rule is not None and (key is None or self._handshake.key is not None):
            return self._rule
        return self._authenticate(key)

    def _session_expired(self) -> None:
        self._fail_connection(
            Problem("temp_api_key_session_expired", "Temporary API key session expired.")
        )

    # --- what streams report

    def emit(self, stream: TtsStream, message: dict[str, Any], sec: float) -> bool:
        """Send one audio frame, unless the stream is gone; blocks while the client lags."""
        self._peer.wait_room()
        with self._lock:
            if stream.gone.is_set() or not self._send(message, audio_ms=sec * 1000):
                return False
        self._idle.touch()
        self._no_audio.touch()
        return True

    def end(self, stream: TtsStream) -> None:
        """End a stream whose audio is all sent."""
        with self._lock:
            if not stream.gone.is_set():
                stream.charge()
                self._drop(stream)

    def fail(self, stream: TtsStream, problem: Problem) -> None:
        """End a stream with an error, then `terminated`."""
        with self._lock:
            if not stream.gone.is_set():
                self._send_error(problem, stream.stream_id)
                self._drop(stream)

    # --- faults

    def terminate(self) -> None:
        """End all streams with a bare `terminated`."""
        with self._lock:
            for stream_id in self._unfinished():
                self._overtake(stream_id)

    def inject_problem(
        self, problem: Problem, stream: Optional[str], close: Optional[bool]
    ) -> None:
        """Send an error frame; one that names a running stream ends it."""
        with self._lock:
            unfinished = self._unfinished()
            if stream == "active":
                stream = unfinished[0] if unfinished else None
            if stream in unfinished:
                self._overtake(stream, problem)
            else:
                self._send_error(problem, stream)
        if close or (close is None and not stream):
            self._peer.close(1000)

    # --- under the lock

    def _unfinished(self) -> list[str]:
        """Give the streams whose `terminated` is not out yet, the oldest first."""
        return list(dict.fromkeys([*self._peer.waiting_streams(), *self._streams]))

    def _overtake(self, stream_id: str, problem: Optional[Problem] = None) -> None:
        """End a stream now, in place of what it has not sent yet."""
        self._peer.withdraw(stream_id)
        if problem is not None:
            self._send_error(problem, stream_id)
        stream = self._streams.get(stream_id)
        if stream is not None:
            self._drop(stream)
        else:  # all was said already, and waited
            self._send({"stream_id": stream_id, "terminated": True})

    def _drop(self, stream: TtsStream) -> None:
        stream.stop()
        self._streams.pop(stream.stream_id, None)
        self._finished = [each for each in self._finished if each.alive]
        self._finished.append(stream)
        self._send({"stream_id": stream.stream_id, "terminated": True})

    def _send(self, message: Mapping[str, Any], *, audio_ms: float = 0.0) -> bool:
        stream, wires = message.get("stream_id"), self._dialect.encode(message)
        return all(self._peer.send(wire, audio_ms=audio_ms, stream=stream) for wire in wires)

    def _send_error(self, problem: Problem, stream_id: Optional[str]) -> None:
        scope = {} if stream_id is None else {"stream_id": stream_id}
        self._send({**scope, **problem.frame(self._handshake.request_id)})

    # --- refusals

    def _refuse(self, stream_id: str, problem: Problem) -> None:
        """Answer a refused message: an error for that id, and the end of its stream if any.

        A message that only came at the wrong time ends nothing: the id it names is either dead
        already or belongs to a stream that did nothing wrong (PROTOCOL 3.3, rules 6 and 7).
        """
        with self._lock:
            self._send_error(problem, stream_id)
            if problem.error_type == "invalid_stream_state":
                return
            stream = self._streams.get(stream_id)
            if stream is not None:
                self._drop(stream)
            else:
                self._send({"stream_id": stream_id, "terminated": True})

    def _fail_connection(self, problem: Problem, stream_id: Optional[str] = None) -> None:
        with self._lock:
            for stream in list(self._streams.values()):
                stream.stop()
                self._finished.append(stream)
            self._streams.clear()
            self._send_error(problem, stream_id)
        self._peer.close(1000)

    def _time_out(self) -> None:
        # seen by clients as 1001 with this reason (PROTOCOL 3.6)
        self._peer.close(1001, "Timeout")


def _not_found(stream_id: str) -> Problem:
    return Problem(
        "invalid_stream_state", f"Stream {stream_id} not found. Send a start message first."
    )
