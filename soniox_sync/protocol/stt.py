"""Transcription without I/O: received messages become `SttEvent`s (PROTOCOL 2.5, 2.6)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Optional, TypeVar

from ..audio.formats import RawAudio
from ..errors import RealtimeError, advised
from .dialects import NATIVE_STT, SttDialect
from .messages import find_error, malformed, parse_object
from .tokens import END_TOKEN, FIN_TOKEN, EventKind, Result, SttEvent, Token, milliseconds

# as received, and as spelled on a page of the service's docs (PROTOCOL 10.1)
_FINAL = ("final_audio_proc_ms", "audio_final_proc_ms")
_TOTAL = ("total_audio_proc_ms", "audio_total_proc_ms")
T = TypeVar("T", bound=BaseException)

_MARKERS: Mapping[str, EventKind] = {END_TOKEN: "endpoint", FIN_TOKEN: "finalized"}
# those of the many messages of a 400 that mean that the audio could not be decoded
_UNREADABLE = re.compile(r"decod|audio data", re.IGNORECASE)


def explain_first_error(error: T, audio: Optional[RawAudio]) -> T:
    """Return an error before any result, with advice if the audio may be the cause.

    The service answers 408 to what it does not recognise as audio, and 400 to what it cannot
    decode. `audio`: the declared format of headerless audio, `None` for a container.
    """
    if not isinstance(error, RealtimeError):
        return error
    decodes = error.status_code == 400 and _UNREADABLE.search(str(error))
    return advised(error, _check_audio(audio)) if decodes or error.status_code == 408 else error


def _check_audio(audio: Optional[RawAudio]) -> str:
    if audio is None:
        return (
            "Is this an audio file? Raw audio needs its format, for instance "
            'audio_format="pcm_s16le", sample_rate=16000, num_channels=1.'
        )
    return (
        f"Is the audio really {audio.format} at {audio.sample_rate} Hz with {audio.num_channels} "
        "channel(s), sent about as fast as it was spoken?"
    )


class SttReceiver:
    """Parser of one connection's messages into events, in order. For one thread."""

    def __init__(self, dialect: SttDialect = NATIVE_STT) -> None:
        self._dialect = dialect
        self._read = dialect.reader() if dialect.reader else dialect.read
        self._final_ms = 0
        self._total_ms = 0
        self.error: Optional[RealtimeError] = None  # of the server's error frame
        self.finished: bool = False
        # milliseconds of audio that the server had processed when it finished; `None`: unknown
        self.processed_ms: Optional[int] = None
        self.ready: bool = not dialect.waits_for_ready
        self._has_partial = False  # the last words were not final

    def receive(self, payload: bytes) -> list[SttEvent]:
        """Return the events of one message; set `error` or `finished` if it is the last.

        Raises
            SonioxConnectionError: the message is not a response (`code="protocol_error"`).
        """
        frame = self._read(parse_object(payload))
        if frame is None or self.finished or self.error is not None:
            return []
        if frame.get("ready") is True:
            self.ready = True
            return []
        events = self._read_tokens(frame, payload)
        if self._dialect.ends_by_closing:
            self._note_partials([event.result for event in events])
        self.error = find_error(frame)
        if self.error is None and frame.get("finished") is True:
            events.append(self._finished(frame))
        elif self.error is not None and not any(event.result.tokens for event in events):
            return []  # the empty token list of an error frame is not a result
        return events

    def _note_partials(self, results: list[Result]) -> None:
        """Record whether the last words of a message are final; a marker alone confirms none."""
        said = [result for result in results if result.tokens or len(results) == 1]
        if said:
            self._has_partial = not all(token.is_final for token in said[-1].tokens)

    def closed(self, code: Optional[int]) -> Optional[SttEvent]:
        """Return the last event if closing with `code`, after the end of audio, is a normal end.

        That is so if the dialect has no last response and no words are left to become final.
        Otherwise the connection was lost, and the result is `None`.
        """
        orderly = self._dialect.ends_by_closing and code == 1000 and self.error is None
        complete = orderly and not self._has_partial and not self.finished
        return self._finished({}) if complete else None

    def _finished(self, frame: Mapping[str, Any]) -> SttEvent:
        self.finished = True
        if _counter(frame, _TOTAL, -1) >= 0:
            self.processed_ms = self._total_ms
        return SttEvent("finished", Result((), self._final_ms, self._total_ms, True, frame))

    def _read_tokens(self, frame: Mapping[str, Any], payload: bytes) -> list[SttEvent]:
        self._final_ms = _counter(frame, _FINAL, self._final_ms)
        self._total_ms = _counter(frame, _TOTAL, self._total_ms)
        items = frame.get("tokens")
        if items is None:
            items = []
        if not isinstance(items, list):
            raise malformed("a response whose tokens are not a list", payload)
        events: list[SttEvent] = []
        tokens: list[Token] = []
        from_wire, kind_of = Token.from_wire, _MARKERS.get
        for item in items:
            if type(item) is not dict:
                raise malformed("a token that is not an object", payload)
            text = item.get("text")
            if type(text) is not str:
                raise malformed("a token whose text is not a string", payload)
            kind = kind_of(text)
            if kind is None:
                tokens.append(from_wire(item, text))
                continue
            # a result ends at a marker: tokens after it belong to the next utterance
            if tokens:
                events.append(self._result(tokens, frame))
                tokens = []
            events.append(SttEvent(kind, Result((), self._final_ms, self._total_ms, False, frame)))
        if tokens:
            events.append(self._result(tokens, frame))
        elif frame.get("finished") is not True and not any(e.kind == "result" for e in events):
            events.insert(0, self._result([], frame))  # it replaces the partial words before it
        return events

    def _result(self, tokens: list[Token], frame: Mapping[str, Any]) -> SttEvent:
        return SttEvent("result", Result(tokens, self._final_ms, self._total_ms, False, frame))


def _counter(frame: Mapping[str, Any], names: tuple[str, str], before: int) -> int:
    """Return a counter of milliseconds in either spelling, `before` if there is no usable one."""
    value = frame.get(names[0])
    if value is None:
        value = frame.get(names[1])
    number = milliseconds(value)
    return before if number is None else number
