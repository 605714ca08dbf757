"""What a client sends, in the trace and now: classified, counted, and compared.

A client that is run again does the same, but not byte by byte: pieces of audio and text are cut
differently, threads take turns, ids of streams are new. So the messages of one connection are
sorted into lanes, one for the connection and one for each stream, and a lane counts:

    in the trace                              now                              lane of the stream
    {"stream_id": "s1", "voice": "A", ...}    {"stream_id": "x", "voice": "A"}    1 control
    {"stream_id": "s1", "text": "Hello"}      {"stream_id": "x", "text": "He"}    2 of 11 chars
    {"stream_id": "s1", "text": " world"}     {"stream_id": "x", "text": "llo"}   5 of 11 chars
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple, Optional

from ..._support.once import once
from .content import Audio, Content, as_audio, compare, shown
from .hidden import Place, RedactedText, covered

__all__ = ["Lane", "Mark", "Mismatch", "Said", "classify"]

_KEEPALIVES = ("keepalive", "keep_alive")
_START: Collection[Place] = ((0, False),)
# message with which a client ends its audio; the second is the gateway's
_ENDS = ({"type": ""}, {"type": "close"})


class Said(NamedTuple):
    """One message of a client. `audio` in bytes; `stream` is the id in the message."""

    kind: Literal["audio", "text", "control", "nothing"]
    stream: Optional[str] = None
    audio: int = 0
    text: str = ""
    ends: bool = False
    """Whether it ends the text of its stream, or all audio."""
    content: Any = None

    @property
    def cancels(self) -> bool:
        """Whether it cancels its stream."""
        return isinstance(self.content, dict) and "cancel" in self.content

    @property
    def configures(self) -> bool:
        """Whether it starts a stream."""
        return self.kind == "control" and self.stream is not None and not self.cancels


def classify(content: Content) -> Said:
    """Return what a message is: `content` is a JSON value, a text that is no JSON, or audio."""
    if isinstance(content, Audio):
        return Said("audio", audio=content.size)
    if not isinstance(content, dict):
        return Said("control", ends=content == "", content=content)
    kind = str(content.get("type", "")).lower()
    if "keep_alive" in content or kind in _KEEPALIVES:
        return Said("nothing")
    if kind == "audio":
        return Said("audio", audio=_audio_size(content.get("data")))
    stream = content.get("stream_id")
    stream = stream if isinstance(stream, str) else None
    text, end = content.get("text"), content.get("text_end")
    if ("text" in content or "text_end" in content) and (end is not None or kind == "text"):
        said = text if isinstance(text, str) else ""
        return Said("text", stream, text=said, ends=end is True, content=content)
    return Said("control", stream, ends=content in _ENDS, content=content)


def _audio_size(data: Any) -> int:
    audio = as_audio(data)
    if audio is not None:
        return audio.size
    try:
        return len(base64.b64decode(data))
    except (binascii.Error, TypeError, ValueError):
        return 0


class Mismatch(Exception):
    """Ends a lane: what the client sent is not what the trace has. The fields of a `Difference`."""

    def __init__(
        self,
        kind: Literal["message", "text", "audio"],
        line: Optional[int],
        expected: Optional[str],
        got: Optional[str],
        field: Optional[str] = None,
    ) -> None:
        super().__init__(kind)
        self.kind: Literal["message", "text", "audio"] = kind
        self.line = line
        self.expected = expected
        self.got = got
        self.field = field


@dataclass(frozen=True)
class Mark:
    """How much of a lane must have come before a message of the service is played."""

    audio: int
    chars: int
    text_ended: bool
    controls: int


class _Control(NamedTuple):
    line: int
    content: Any
    ends: bool


@dataclass(eq=False)
class Lane:
    """Messages of a client for one stream, or for its connection: expected ones, and come ones."""

    stream: Optional[str] = None
    """Id in the trace."""
    live: Optional[str] = None
    """Id that the client uses now; `None` before it has."""
    over: bool = False
    """Whether the service has ended it, so that nothing that comes is of interest."""
    answered_after: Optional[int] = None
    """Characters of text before the first message of the service; `None`: there is none."""
    # Expected
    _audio: int = 0
    _audio_line: Optional[int] = None
    _audio_ended: bool = False
    _text: str = ""
    _text_line: Optional[int] = None
    _text_ended: bool = False
    _controls: list[_Control] = field(default_factory=list)
    # Come
    _come_audio: int = 0
    # where in the text of the trace: several places, if a secret is hidden there
    _come_text: Collection[Place] = _START
    _come_end: bool = False
    _come_controls: int = 0
    _cancelled: bool = False

    # -- the trace

    def expect(self, said: Said, line: int) -> None:
        """Add a message of the trace."""
        if said.kind == "audio":
            self._audio += said.audio
            self._audio_line = line
        elif said.kind == "text":
            self._text += said.text
            self._text_line = line
            self._text_ended = self._text_ended or said.ends
        elif said.kind == "control":
            self._controls.append(_Control(line, said.content, said.ends))
            self._audio_ended = self._audio_ended or said.ends

    @property
    def mark(self) -> Mark:
        """Everything that is expected so far."""
        return Mark(self._audio, len(self._text), self._text_ended, len(self._controls))

    @property
    def config(self) -> Mapping[str, Any]:
        """First message with fields, which says how the stream or session is."""
        found = (each.content for each in self._controls if isinstance(each.content, dict))
        return next(found, {})

    @once
    def _expected_text(self) -> RedactedText:
        """Text of the trace; to be used once all of it has been added."""
        return RedactedText(self._text)

    def _after(self, piece: str, places: Collection[Place] = _START) -> Collection[Place]:
        return self._expected_text.advance(places, piece, is_open=not self._text_ended)

    @property
    def _come_chars(self) -> int:
        """Characters of the trace that have come."""
        return max(self._come_text)[0]

    def begins_with(self, text: str, *, ended: bool) -> bool:
        """Return whether the text of the trace begins like `text`, or is it if it has `ended`."""
        places = self._after(text)
        needs_all = ended and self._text_ended
        return self._expected_text.is_whole(places) if needs_all else bool(places)

    def waits_for_more(self, text: str) -> bool:
        """Return whether the service said nothing in the trace until more than `text` had come."""
        after = len(self._text) if self.answered_after is None else self.answered_after
        come = self._after(text)
        return bool(come) and max(come)[0] < after

    # -- the client

    def reached(self, mark: Mark) -> bool:
        """Return whether what came reaches a mark; a client that cancels sends no more text."""
        if self._come_controls < mark.controls:
            return False
        texts = self._come_chars >= mark.chars and (self._come_end or not mark.text_ended)
        return self._cancelled or (self._come_audio >= mark.audio and texts)

    def missing(self, mark: Mark) -> Optional[Mismatch]:
        """Return what has not come of a mark, `None` if everything has."""
        if self.reached(mark):
            return None
        if self._come_controls < mark.controls:
            control = self._controls[self._come_controls]
            return Mismatch("message", control.line, shown(control.content), None)
        if self._come_audio < mark.audio:
            return self._wrong_audio()
        return self._wrong_text("")

    def take(self, said: Said) -> None:
        """Count a message.

        Raises
            Mismatch: the trace has something else.
        """
        if self.over:
            return
        if said.kind == "audio":
            self._come_audio += said.audio
            if self._audio_ended and self._come_audio > self._audio:
                raise self._wrong_audio()
        elif said.kind == "text":
            self._take_text(said)
        elif said.kind == "control":
            self._take_control(said)

    def _take_text(self, said: Said) -> None:
        self._come_end = self._come_end or said.ends
        come = self._after(said.text, self._come_text)
        # text after the end of a stream that was cancelled, or failed, in the middle of its text
        # would have been spoken, or not: nothing is known about it
        is_short = self._text_ended and said.ends and not self._expected_text.is_whole(come)
        if not come or is_short:
            raise self._wrong_text(said.text)
        self._come_text = come

    def _take_control(self, said: Said) -> None:
        if self._come_controls == len(self._controls):
            raise Mismatch("message", None, None, shown(said.content))
        expected = self._controls[self._come_controls]
        found = compare(expected.content, said.content)
        if found is not None:
            if not found.path or not _alike(expected.content, said.content):
                whole = shown(expected.content), shown(said.content)
                raise Mismatch("message", expected.line, *whole)
            raise Mismatch("message", expected.line, found.expected, found.got, found.path)
        if expected.ends and self._come_audio < self._audio:
            raise self._wrong_audio()
        self._come_controls += 1
        self._cancelled = self._cancelled or said.cancels

    def _wrong_audio(self) -> Mismatch:
        come = f"{self._come_audio} bytes"
        return Mismatch("audio", self._audio_line, f"{self._audio} bytes of audio", come)

    def _wrong_text(self, got: str) -> Mismatch:
        # of several places the first: the rest of the trace then says where anything is hidden
        at, inside = min(self._come_text)
        rest = ("***" if inside else "") + self._text[at:]
        expected = shown(rest) if rest else "the end of the text"
        return Mismatch(
            "text", self._text_line, expected, shown(covered(rest, got)) if got else None
        )


def _alike(expected: Any, got: Any) -> bool:
    """Return whether two messages are of one type, so that a single field says what differs."""
    if not isinstance(expected, dict) or not isinstance(got, dict):
        return False
    return expected.get("type") == got.get("type") and ("cancel" in expected) == ("cancel" in got)
