"""Transcription without I/O: what is received becomes `SttEvent`s (PROTOCOL 2.5, 2.6)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Optional

from ..errors import RealtimeError
from .dialects import NATIVE_STT, SttDialect
from .messages import find_error, malformed, parse_object
from .tokens import END_TOKEN, FIN_TOKEN, Result, SttEvent, Token, milliseconds

# on the wire, and as a guide page of the service's docs spells it (PROTOCOL 10.1)
_FINAL = ("final_audio_proc_ms", "audio_final_proc_ms")
_TOTAL = ("total_audio_proc_ms", "audio_total_proc_ms")
_MARKERS = {END_TOKEN: "endpoint", FIN_TOKEN: "finalized"}


class SttReceiver:
    """Turns the messages of one connection into events, in order. Used by one thread."""

    def __init__(self, dialect: SttDialect = NATIVE_STT) -> None:
        self._dialect = dialect
        self._final_ms = 0
        self._total_ms = 0
        self.error: Optional[RealtimeError] = None  # what the server's error frame said
        self.finished = False
        self.ready = not dialect.ready_first
        self._guessing = False  # words were told that no final ones have replaced yet

    def receive(self, payload: bytes) -> list[SttEvent]:
        """Give the events of one message; sets `error` or `finished` when it was the last.

        Raises `SonioxConnectionError` (`code="protocol_error"`) for what is no response at all.
        """
        frame = self._dialect.read(parse_object(payload))
        if frame is None or self.finished or self.error is not None:
            return []
        if frame.get("ready") is True:
            self.ready = True
            return []
        events = self._read_tokens(frame, payload)
        if self._dialect.ends_by_closing and events and events[-1].kind == "result":
            self._guessing = not all(token.is_final for token in events[-1].result.tokens)
        self.error = find_error(frame)
        if self.error is None and frame.get("finished") is True:
            events.append(self._finished(frame))
        elif self.error is not None and not any(event.result.tokens for event in events):
            return []  # an error frame's empty token list is no result
        return events

    def closed(self, code: Optional[int]) -> Optional[SttEvent]:
        """Give the last event when closing with `code`, after our end of audio, is the whole end.

        So it is where the dialect knows no last response; elsewhere, for any other code, and
        while words wait to become final, a closed line is a lost one: `None`.
        """
        well = self._dialect.ends_by_closing and code == 1000 and self.error is None
        well = well and not self._guessing
        return self._finished({}) if well and not self.finished else None

    def _finished(self, frame: Mapping[str, Any]) -> SttEvent:
        self.finished = True
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
            # cut at the marker: what follows it belongs to the next utterance
            if tokens:
                events.append(self._result(tokens, frame))
                tokens = []
            events.append(SttEvent(kind, Result((), self._final_ms, self._total_ms, False, frame)))
        if tokens:
            events.append(self._result(tokens, frame))
        elif frame.get("finished") is not True and not any(e.kind == "result" for e in events):
            events.insert(0, self._result([], frame))  # it withdraws the guess before it
        return events

    def _result(self, tokens: list[Token], frame: Mapping[str, Any]) -> SttEvent:
        return SttEvent("result", Result(tokens, self._final_ms, self._total_ms, False, frame))


def _counter(frame: Mapping[str, Any], names: tuple[str, str], before: int) -> int:
    """Read a millisecond counter in either spelling; keep the last if it is unusable."""
    value = frame.get(names[0])
    if value is None:
        value = frame.get(names[1])
    number = milliseconds(value)
    return before if number is None else number
