"""The gateway's generic bridge for speech: one voice, one segment after another (PROTOCOL 8.3).

A segment is one stream of the underlying service, from its first text to its flush. Audio messages
do not contain their segment, so text for the next segment waits until the current one has ended.
"""

from __future__ import annotations

import collections
import json
import logging
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Callable, Optional
from urllib.parse import unquote

from ..dialects import Dialect
from ..problems import Problem, bad_request
from ..server.routes import Answer, Handshake, Request
from ..server.ws import WsPeer
from ..tts.config import read_config
from ..tts.connection import TtsService
from ..tts.rest import generate_speech
from ..world import World
from .dialects import SPEECH, Segments, voice_config

__all__ = ["BRIDGE", "BridgeSpeech", "speak_whole"]

# the bridge has many models; only those of the service are served here
BRIDGE = "/v1/bridges/unmute"

log: logging.Logger = logging.getLogger(__name__)

Message = Mapping[str, Any]


class BridgeSpeech(TtsService):
    """Serves the bridge's messages with the service's streams, one at a time.

    A refused message is answered by an error and changes nothing; one that the service itself
    cannot decode (not JSON, binary) ends the connection. For a segment that fails an error is sent
    instead of `flushed`, and a session whose last segment failed closes without `audio_end`, so
    that truncated audio never looks complete.

    Messages for a segment are native ones with its id as `stream_id`. Those that only the gateway
    has (`ready`, `flushed`, `cleared`, `audio_end`) have their type under `gateway`. For example:

        received            passed to the service          sent
        text One., flush    segment-1: config, text, end
        text Two.           nothing: segment-2 waits
                                                           segment-1's audio; flushed
                            segment-2: config, text
        close               segment-2: end
                                                           segment-2's audio; audio_end
    """

    def __init__(self, world: World, peer: WsPeer, handshake: Handshake) -> None:
        self._segments = Segments()
        dialect = Dialect("slng bridge", lambda value: [value], self._segments.encode)
        super().__init__(world, peer, handshake, dialect)
        self._handlers: Mapping[str, Callable[[Message], None]] = {
            "init": self._init,
            "text": self._text,
            "flush": self._flush,
            "clear": self._clear,
            "close": self._close,
            "cancel": self._close,
            "keepalive": lambda message: None,
        }
        # Reader only
        self._config: Optional[Message] = None
        # Under lock
        self._queue: collections.deque[Message] = collections.deque()  # not yet their turn
        self._draining = False
        self._count = 0
        self._segment: Optional[str] = None  # accepts text
        self._newest: Optional[str] = None
        self._complete: Optional[str] = None  # all its audio was sent, or is not wanted
        self._failed = False  # the last segment that ended
        self._spoken_ms = 0.0
        self._closing = False
        self._end_sent = False

    # --- messages, on the reader

    def take(self, message: Any) -> None:
        """Handle one message of a client."""
        if self.auth.refusal is not None or self.dialect is SPEECH or not isinstance(message, dict):
            super().take(message)
            return
        kind = message.get("type")
        handle = self._handlers.get(kind.lower() if isinstance(kind, str) else "")
        try:
            if handle is None:
                raise bad_request("Unknown message type.")
            handle(message)
        except Problem as problem:
            with self.lock:
                self.send_error(problem, None)

    def _init(self, message: Message) -> None:
        path = unquote(self.handshake.path)
        if "stream_id" in message and self._config is None and path.startswith("/v1/tts/"):
            # the client uses the other protocol (PROTOCOL 8.2); which of them a newer model's route
            # uses is not documented, so both are accepted
            self.dialect = SPEECH
            for native in SPEECH.decode(message):
                super().take(native)
            return
        config = voice_config(message, _model_of(path))
        if self._config is None:
            self._segments.binary = self._wants_binary(message, path)
        voice = read_config(config, self.world.cloned_voices).voice
        # load the engines now, while the lock is not held, as that takes time
        log.debug("= %d speaks %s with %s", self.number, voice, self.world.engines.name)
        self._config = config
        with self.lock:
            self.send({"gateway": "ready", "session_id": self.handshake.request_id})

    def _wants_binary(self, init: Message, path: str) -> bool:
        """Return whether audio goes into binary messages; the documents leave the choice open.

        The gateway's own client for pipecat reads nothing else. It uses the bridge's own path, and
        its `init` has a config but no model. Clients that read base64 name one, as documented.
        """
        chosen = self.world.limits.bridge_binary_audio
        if chosen is not None:
            return chosen
        return path.startswith(BRIDGE) and "config" in init and "model" not in init

    def _text(self, message: Message) -> None:
        text, flush = message.get("text"), message.get("flush")
        if self._config is None:
            raise _too_early()
        if not isinstance(text, str) or not isinstance(flush, (bool, type(None))):
            raise bad_request("Invalid message format")
        with self.lock:
            if self._closing:
                raise Problem("invalid_stream_state", "The session is closing.")
            spoken = self._speak(text) if text else []
            self._enqueue(*spoken, *(self._end_segment() if flush else []))

    def _flush(self, message: Message) -> None:
        if self._config is None:
            raise _too_early()
        with self.lock:
            self._enqueue(*self._end_segment())

    def _clear(self, message: Message) -> None:
        with self.lock:
            self._segment = None
            self._queue.clear()
            self._queue.append({"gateway": "cleared"})
            for stream in list(self.streams.values()):
                self._complete = stream.stream_id
                self.terminate_stream(stream)
            self._drain()

    def _close(self, message: Message) -> None:
        with self.lock:
            self._closing = True
            # without the answer to a flush: none was requested
            self._enqueue(*self._end_segment()[:-1])

    # --- segments, under the lock

    def _speak(self, text: str) -> list[Message]:
        """Return the messages that speak `text`, in a new segment if none accepts text."""
        start: list[Message] = []
        if self._segment is None:
            self._count += 1
            self._segment = self._newest = f"segment-{self._count}"
            start = [{**(self._config or {}), "stream_id": self._segment}]
        return [*start, {"stream_id": self._segment, "text": text, "text_end": False}]

    def _end_segment(self) -> list[Message]:
        """Return the messages that end the segment, if there is one, and answer its flush."""
        segment, self._segment = self._segment, None
        end = [] if segment is None else [{"stream_id": segment, "text": "", "text_end": True}]
        return [*end, {"gateway": "flushed", "stream_id": self._newest}]

    def _enqueue(self, *messages: Message) -> None:
        self._queue.extend(messages)
        self._drain()

    def _drain(self) -> None:
        """Handle the queued messages, up to the first that must wait for its turn."""
        if self._draining:  # a segment ended as soon as it started: the loop is already running
            return
        self._draining = True
        try:
            while self._queue and self._is_next(self._queue[0]):
                message = self._queue.popleft()
                if "gateway" in message:
                    self.send(message)
                else:
                    super().take(message)
        finally:
            self._draining = False
        if self._closing and not self._end_sent and not self._queue and not self.streams:
            self._end_session()

    def _is_next(self, message: Message) -> bool:
        if not self.streams:
            return True
        return "gateway" not in message and message["stream_id"] in self.streams

    def _end_session(self) -> None:
        self._end_sent = True
        if not self._failed:
            seconds = round(self._spoken_ms / 1000, 3)
            self.send({"gateway": "audio_end", "duration": seconds, "stream_id": self._newest})
        self.peer.close(1000)

    def send(self, message: Message, *, audio_ms: float = 0.0) -> bool:
        """Queue a message of the service or the gateway, and track the ends of segments."""
        taken = super().send(message, audio_ms=audio_ms)
        self._spoken_ms += audio_ms
        if message.get("audio_end"):
            self._complete = message["stream_id"]
        if message.get("terminated"):
            self._segment_ended(message["stream_id"])
        return taken

    def _segment_ended(self, segment: str) -> None:
        self._failed = segment != self._complete
        if self._failed:
            rest = [each for each in self._queue if each.get("stream_id") != segment]
            self._queue = collections.deque(rest)
        if segment == self._segment:
            self._segment = None
        self._drain()

    def preempt(self, stream_id: str, problem: Optional[Problem] = None) -> None:
        """End a segment now, even if all its audio, or the session's end, is queued already."""
        if self._complete == stream_id:
            self._complete = None
        if self._end_sent and self.peer.reopen():
            self._end_sent = False
        super().preempt(stream_id, problem)


def speak_whole(world: World, request: Request) -> Answer:
    """Answer the bridge's HTTP variant: a body of only `text` and `voice`; a WAV is returned.

    Raises
        Problem: 400 for any other field, else as for `POST /tts`.
    """
    body = request.json()
    unknown = sorted(set(body) - {"text", "voice"})
    if unknown:
        raise bad_request(f"Unknown fields: {', '.join(unknown)[:200]}. Send only text and voice.")
    config = voice_config({"voice": body.get("voice")}, _model_of(request.path))
    whole = {**config, "audio_format": "wav", "text": body.get("text")}
    answer = generate_speech(world, replace(request, body=json.dumps(whole).encode("ascii")))
    return replace(answer, content_type="audio/wav")


def _model_of(path: str) -> str:
    """Return the service's name for a route's model: `.../tts-rt:v2` is `tts-rt-v2`."""
    return path.rpartition("/")[2].replace(":", "-")


def _too_early() -> Problem:
    return Problem("invalid_stream_state", "Send init first.")
