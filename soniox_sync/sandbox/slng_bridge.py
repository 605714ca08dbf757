"""The gateway's generic bridge for speech: one voice, one segment after another (PROTOCOL 8.3).

A segment is one stream of the service beneath, from its first text to its flush. Audio does not
name its segment here, so what is said while one is spoken waits until that one has ended.
"""

from __future__ import annotations

import collections
import json
import logging
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Callable, Optional
from urllib.parse import unquote

from .dialects import Dialect
from .problems import Problem, bad_request
from .routes import Answer, Handshake, Request
from .slng_dialects import SPEECH, Segments, voice_config
from .tts import TtsService
from .tts_config import read_config
from .tts_rest import generate_speech
from .world import World
from .ws import WsPeer

__all__ = ["BridgeSpeech", "speak_whole"]

log = logging.getLogger(__name__)

Message = Mapping[str, Any]


class BridgeSpeech(TtsService):
    """Serves the bridge's messages with the service's streams, one at a time.

    Refused messages get an error and change nothing; what the service itself cannot read (no
    JSON, binary) ends the connection as it does there. A segment that fails gets an error in
    place of `flushed`, and a session whose last segment failed closes without `audio_end`:
    nothing truncated looks complete.
    """

    def __init__(self, world: World, peer: WsPeer, handshake: Handshake) -> None:
        dialect = Dialect("slng bridge", lambda value: [value], Segments().encode)
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
        self._start: Optional[Message] = None
        # Under _lock: messages for the service whose turn has not come, and marks among them
        self._waiting: collections.deque[Message] = collections.deque()
        self._moving = False
        self._count = 0
        self._segment: Optional[str] = None  # takes text
        self._newest: Optional[str] = None
        self._complete: Optional[str] = None  # all its audio was sent, or is not wanted any more
        self._failed = False
        self._spoken_ms = 0.0
        self._ending = False
        self._said_end = False

    # --- messages, on the reader

    def _take(self, message: Any) -> None:
        if self._refused is not None or self._dialect is SPEECH or not isinstance(message, dict):
            super()._take(message)
            return
        kind = message.get("type")
        handle = self._handlers.get(kind.lower() if isinstance(kind, str) else "")
        try:
            if handle is None:
                raise bad_request("Unknown message type.")
            handle(message)
        except Problem as problem:
            with self._lock:
                self._send_error(problem, None)

    def _init(self, message: Message) -> None:
        path = unquote(self._handshake.path)
        if "stream_id" in message and self._start is None and path.startswith("/v1/tts/"):
            self._pass_through(message)
            return
        start = voice_config(message, _model_of(path))
        config = read_config(start, self._world.cloned_voices)
        # names the engines here, as loading them takes its time and the lock is free
        log.debug("= %d speaks %s with %s", self.number, config.voice, self._world.engines.name)
        self._start = start
        with self._lock:
            self._send({"mark": "ready", "session_id": self._handshake.request_id})

    def _pass_through(self, message: Message) -> None:
        """Speak the route's other protocol (PROTOCOL 8.2) to a client that begins with it.

        Which of the two a newer model's route speaks is not documented.
        """
        self._dialect = SPEECH
        for native in SPEECH.decode(message):
            super()._take(native)

    def _text(self, message: Message) -> None:
        text, flush = message.get("text"), message.get("flush")
        if self._start is None:
            raise _too_early()
        if not isinstance(text, str) or not isinstance(flush, (bool, type(None))):
            raise bad_request("Invalid message format")
        with self._lock:
            if self._ending:
                raise Problem("invalid_stream_state", "The session is closing.")
            said = self._say(text) if text else []
            self._queue(*said, *(self._end_segment() if flush else []))

    def _flush(self, message: Message) -> None:
        if self._start is None:
            raise _too_early()
        with self._lock:
            self._queue(*self._end_segment())

    def _clear(self, message: Message) -> None:
        with self._lock:
            self._segment = None
            self._waiting.clear()
            self._waiting.append({"mark": "cleared"})
            for stream in list(self._streams.values()):
                self._complete = stream.stream_id
                self._drop(stream)
            self._move()

    def _close(self, message: Message) -> None:
        with self._lock:
            self._ending = True
            # no flush was asked for, so none is answered
            self._queue(*self._end_segment()[:-1])

    # --- segments, under the lock

    def _say(self, text: str) -> list[Message]:
        """Give the messages that say it, in a new segment if none takes text."""
        start: list[Message] = []
        if self._segment is None:
            self._count += 1
            self._segment = self._newest = f"segment-{self._count}"
            start = [{**(self._start or {}), "stream_id": self._segment}]
        return [*start, {"stream_id": self._segment, "text": text, "text_end": False}]

    def _end_segment(self) -> list[Message]:
        """Give the messages that end the segment, if there is one, and answer its flush."""
        segment, self._segment = self._segment, None
        end = [] if segment is None else [{"stream_id": segment, "text": "", "text_end": True}]
        return [*end, {"mark": "flushed", "stream_id": self._newest}]

    def _queue(self, *messages: Message) -> None:
        self._waiting.extend(messages)
        self._move()

    def _move(self) -> None:
        """Pass on what waited, up to the first message whose turn has not come."""
        if self._moving:  # a segment ended while it began: the loop below goes on by itself
            return
        self._moving = True
        try:
            while self._waiting and self._may_pass(self._waiting[0]):
                self._pass(self._waiting.popleft())
        finally:
            self._moving = False
        if self._ending and not self._said_end and not self._waiting and not self._streams:
            self._end()

    def _may_pass(self, message: Message) -> bool:
        if "mark" in message:
            return not self._streams
        return not self._streams or message["stream_id"] in self._streams

    def _pass(self, message: Message) -> None:
        if "mark" in message:
            self._send(message)
        else:
            super()._take(message)

    def _end(self) -> None:
        self._said_end = True
        if not self._failed:
            seconds = round(self._spoken_ms / 1000, 3)
            self._send({"mark": "audio_end", "duration": seconds, "stream_id": self._newest})
        self._peer.close(1000)

    def _send(self, message: Message, *, audio_ms: float = 0.0) -> bool:
        taken = super()._send(message, audio_ms=audio_ms)
        self._spoken_ms += audio_ms
        if message.get("audio_end"):
            self._complete = message["stream_id"]
        if message.get("terminated"):
            self._segment_over(message["stream_id"])
        return taken

    def _segment_over(self, segment: str) -> None:
        self._failed = segment != self._complete
        if self._failed:
            kept = [each for each in self._waiting if each.get("stream_id") != segment]
            self._waiting = collections.deque(kept)
        if segment == self._segment:
            self._segment = None
        self._move()

    def _overtake(self, stream_id: str, problem: Optional[Problem] = None) -> None:
        # all its audio may be on its way, and even the end of the session; it is not any more
        if self._complete == stream_id:
            self._complete = None
        if self._said_end and self._peer.reopen():
            self._said_end = False
        super()._overtake(stream_id, problem)


def speak_whole(world: World, request: Request) -> Answer:
    """Answer the bridge's HTTP variant: a body of `text` and `voice` alone, a WAV back.

    Raises `Problem`: 400 for any other field, and as `POST /tts`.
    """
    body = request.json()
    unknown = sorted(set(body) - {"text", "voice"})
    if unknown:
        raise bad_request(f"Unknown fields: {', '.join(unknown)[:200]}. Send text and voice alone.")
    config = voice_config({"voice": body.get("voice")}, _model_of(request.path))
    whole = {**config, "audio_format": "wav", "text": body.get("text")}
    answer = generate_speech(world, replace(request, body=json.dumps(whole).encode("ascii")))
    return replace(answer, content_type="audio/wav")


def _model_of(path: str) -> str:
    """Give the service's name of a route's model: `.../tts-rt:v2` is `tts-rt-v2`."""
    return path.rpartition("/")[2].replace(":", "-")


def _too_early() -> Problem:
    return Problem("invalid_stream_state", "Send init first.")
