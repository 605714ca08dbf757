"""The TTS WebSocket: one connection, up to five streams (PROTOCOL 3)."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from typing import Any, Optional

from ..._support.locks import new_rlock
from ..auth import Authentication
from ..clock import Watch
from ..dialects import NATIVE, Dialect
from ..problems import Problem, bad_request
from ..server.routes import Handshake
from ..server.wire_json import read_json
from ..server.ws import WsPeer
from ..world import World
from .config import check_lengths, read_config
from .stream import TtsStream

__all__ = ["TtsService"]

_CONFIG_FIELDS = frozenset({"model", "language", "voice", "audio_format"})


class TtsService:
    """Serves the streams of one connection.

    A gateway's service is a subclass, which may override `take`, `send` and `preempt`.

    Lock order: `lock` -> queue locks of the peer and of streams. Nothing blocks under it.
    """

    def __init__(
        self, world: World, peer: WsPeer, handshake: Handshake, dialect: Dialect = NATIVE
    ) -> None:
        self.number: int = peer.number
        self.world = world
        self.peer = peer
        self.handshake = handshake
        self.auth: Authentication = Authentication(world, handshake, "tts", self.fail_connection)
        # Set by the reader only, before the first stream
        self.dialect = dialect
        # Guards the streams and all sending. Reentrant: a gateway starts its next segment when one
        # ends.
        self.lock: threading.RLock = new_rlock()
        self.streams: dict[str, TtsStream] = {}
        self._ended: list[TtsStream] = []  # their threads may still run
        limits, clock = world.limits, world.clock
        self._idle_watch = Watch(clock, limits.tts_idle_sec, self._time_out)
        self._audio_watch = Watch(clock, limits.tts_no_audio_close_sec, self._time_out)
        self._key_watch = Watch(clock, limits.unauthenticated_sec, self._time_out)

    # --- the connection

    def opened(self) -> None:
        """Check the key of the upgrade request, and start the timers."""
        self._idle_watch.start()
        self._audio_watch.start()
        self.auth.check_upgrade()
        if self.auth.pending:
            self._key_watch.start()

    def text(self, text: str) -> None:
        """Handle one message."""
        self._idle_watch.touch()
        try:
            value = read_json(text)
        except ValueError:
            self.peer.received({"malformed": len(text)}, len(text))
            self.fail_connection(bad_request("Invalid message format"), stream_id="")
            return
        self.peer.received(value, len(text))
        for message in self.dialect.decode(value):
            self.take(message)

    def binary(self, data: bytes) -> None:
        """Refuse it: this endpoint accepts only JSON."""
        self.fail_connection(bad_request("Invalid message format"), stream_id="")

    def closed(self) -> None:
        """Stop all streams and wait for their threads."""
        for watch in (self._idle_watch, self._audio_watch, self._key_watch):
            watch.stop()
        self.auth.close()
        with self.lock:
            streams = [*self.streams.values()]
            self.streams.clear()
            for stream in streams:
                stream.stop()
            streams += self._ended
        for stream in streams:
            stream.join()

    # --- messages

    def take(self, message: Any) -> None:
        """Handle one message in its native form."""
        if self.auth.refusal is not None:
            self.fail_connection(self.auth.refusal)
            return
        if not isinstance(message, dict):
            self.fail_connection(bad_request("Invalid message format"), stream_id="")
            return
        if "keep_alive" in message:
            return
        stream_id = message.get("stream_id")
        if not isinstance(stream_id, str) or not stream_id:
            problem = bad_request("Missing required field: stream_id")
            self.fail_connection(problem, stream_id="")
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
        check_lengths({"stream_id": stream_id, "api_key": message.get("api_key")})
        accepted = self.auth.check_message(message)
        self._key_watch.stop()
        world = self.world
        with self.lock:
            if stream_id in self.streams:
                raise Problem("invalid_stream_state", f"Stream {stream_id} already started.")
            limit = world.limits.tts_streams_per_connection
            if limit is not None and len(self.streams) >= limit:
                raise Problem(
                    "max_concurrent_streams_reached",
                    f"Maximum number of concurrent streams ({limit}) reached.",
                )
        config = read_config(message, world.cloned_voices)
        world.keys.use(accepted)
        release = world.quota.begin_stream("tts")
        try:
            stream = TtsStream(self, world, stream_id, config)
        except Problem:
            release()
            raise
        reference = accepted.rule.client_reference_id or message.get("client_reference_id")
        stream.usage = world.usage.begin_stream("tts", config.model, reference)
        stream.release = release
        with self.lock:
            self.streams[stream_id] = stream
            stream.start()

    def _add_text(self, stream_id: str, message: Mapping[str, Any]) -> None:
        text, end = message.get("text"), message.get("text_end", False)
        with self.lock:
            stream = self._find(stream_id)
            if stream.text_ended:
                raise Problem("invalid_stream_state", f"Stream {stream_id} already ended.")
            if text is None and end is True:
                text = ""  # what livekit's plugin sends
            if text is None:
                raise bad_request("Missing required field: text")
            if not isinstance(text, str) or not isinstance(end, bool):
                raise bad_request("Invalid message format")
            stream.add_text(text, end)

    def _cancel(self, stream_id: str, message: Mapping[str, Any]) -> None:
        with self.lock:
            stream = self._find(stream_id)
            if {"text", "text_end"} & message.keys():
                raise bad_request("cancel cannot be combined with text or text_end")
            if message["cancel"] is not True:
                raise bad_request("Invalid message format")
            self.terminate_stream(stream)

    def _find(self, stream_id: str) -> TtsStream:
        stream = self.streams.get(stream_id)
        if stream is None:
            raise Problem(
                "invalid_stream_state",
                f"Stream {stream_id} not found. Send a start message first.",
            )
        return stream

    def _refuse(self, stream_id: str, problem: Problem) -> None:
        """Answer a refused message: an error for that id, and the end of its stream, if any.

        A message that only came at the wrong time ends nothing: its id belongs to a stream that is
        over, or to one that did nothing wrong (PROTOCOL 3.3, rules 6 and 7).
        """
        with self.lock:
            self.send_error(problem, stream_id)
            if problem.error_type == "invalid_stream_state":
                return
            stream = self.streams.get(stream_id)
            if stream is not None:
                self.terminate_stream(stream)
            else:
                self.send({"stream_id": stream_id, "terminated": True})

    # --- what streams report, from their threads and the clock's

    def emit(self, stream: TtsStream, message: dict[str, Any], sec: float) -> bool:
        """Send a message with audio, unless the stream has ended; blocks while the client lags."""
        self.peer.wait_room()
        with self.lock:
            if stream.stopped.is_set() or not self.send(message, audio_ms=sec * 1000):
                return False
        self._idle_watch.touch()
        self._audio_watch.touch()
        return True

    def finish(self, stream: TtsStream) -> None:
        """End a stream whose audio is all sent."""
        with self.lock:
            if not stream.stopped.is_set():
                stream.charge()
                self.terminate_stream(stream)

    def fail(self, stream: TtsStream, problem: Problem) -> None:
        """End a stream with an error, then `terminated`."""
        with self.lock:
            if not stream.stopped.is_set():
                self.send_error(problem, stream.stream_id)
                self.terminate_stream(stream)

    # --- faults

    def terminate(self) -> None:
        """End all streams with a bare `terminated`."""
        with self.lock:
            for stream_id in self._unterminated():
                self.preempt(stream_id)

    def inject_problem(
        self, problem: Problem, stream: Optional[str], close: Optional[bool]
    ) -> None:
        """Send an error frame; one for a running stream ends that stream."""
        with self.lock:
            running = self._unterminated()
            if stream == "active":
                stream = running[0] if running else None
            if stream in running:
                self.preempt(stream, problem)
            else:
                self.send_error(problem, stream)
        if close or (close is None and not stream):
            self.peer.close(1000)

    # --- under the lock

    def _unterminated(self) -> list[str]:
        """Return the streams whose `terminated` has not been sent yet, oldest first."""
        return list(dict.fromkeys([*self.peer.waiting_streams(), *self.streams]))

    def preempt(self, stream_id: str, problem: Optional[Problem] = None) -> None:
        """End a stream now, with an error if given, and drop what it has not sent yet."""
        self.peer.withdraw(stream_id)
        if problem is not None:
            self.send_error(problem, stream_id)
        stream = self.streams.get(stream_id)
        if stream is not None:
            self.terminate_stream(stream)
        else:  # it had ended, but its last messages were still queued
            self.send({"stream_id": stream_id, "terminated": True})

    def terminate_stream(self, stream: TtsStream) -> None:
        """Stop a stream and send its `terminated`."""
        stream.stop()
        self.streams.pop(stream.stream_id, None)
        self._ended = [each for each in self._ended if each.alive]
        self._ended.append(stream)
        self.send({"stream_id": stream.stream_id, "terminated": True})

    def send(self, message: Mapping[str, Any], *, audio_ms: float = 0.0) -> bool:
        """Queue a native message; return False if the connection is closing and it was dropped."""
        stream, wires = message.get("stream_id"), self.dialect.encode(message)
        return all(self.peer.send(wire, audio_ms=audio_ms, stream=stream) for wire in wires)

    def send_error(self, problem: Problem, stream_id: Optional[str]) -> None:
        """Queue an error frame, of one stream or of the connection (`None`)."""
        scope = {} if stream_id is None else {"stream_id": stream_id}
        self.send({**scope, **problem.frame(self.handshake.request_id)})

    # --- ends of the connection

    def fail_connection(self, problem: Problem, stream_id: Optional[str] = None) -> None:
        """Stop all streams, send one error, and close."""
        with self.lock:
            for stream in list(self.streams.values()):
                stream.stop()
                self._ended.append(stream)
            self.streams.clear()
            self.send_error(problem, stream_id)
        self.peer.close(1000)

    def _time_out(self) -> None:
        # clients receive 1001 with this reason (PROTOCOL 3.6)
        self.peer.close(1001, "Timeout")
