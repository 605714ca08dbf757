"""Dialects: formats of the messages, of the service itself or of a gateway.

A dialect is data and pure functions: it encodes what we send, and converts what is received to the
service's own ("native") frame (PROTOCOL 2, 3, 8). The state machines use only native frames.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Callable, Optional

from .messages import encode

Frame = dict[str, Any]
Wire = Mapping[str, Any]


def _unchanged(frame: Frame) -> Optional[Frame]:
    return frame


@dataclass(frozen=True)
class TtsDialect:
    """Messages of speech. `read` returns the native frame, or `None` for a frame to ignore."""

    name: str
    config: Callable[[Wire], str]
    text: Callable[[str, str, bool], str]
    cancel: Callable[[str], str]
    keep_alive: Optional[str]
    read: Callable[[Frame], Optional[Frame]] = _unchanged


@dataclass(frozen=True)
class SttDialect:
    """Messages of transcription. `read` returns the native frame, or `None` for one to ignore.

    `reader` makes the `read` of one connection, where that depends on what was read before.
    `audio` turns a chunk into a text message; `None`: audio is sent in binary frames.
    `waits_for_ready`: nothing but `start` may be sent before `{"ready": true}` is read.
    `ends_by_closing`: there is no last response; the server closes with code 1000 when it is done.
    `has_times`: results contain up to where the audio is final, so that the rest can be sent again.
    """

    name: str
    start: Callable[[Wire], str]
    finalize: Callable[[Optional[int]], str]
    keep_alive: str
    end: str
    audio: Optional[Callable[[bytes], str]] = None
    read: Callable[[Frame], Optional[Frame]] = _unchanged
    reader: Optional[Callable[[], Callable[[Frame], Optional[Frame]]]] = None
    waits_for_ready: bool = False
    ends_by_closing: bool = False
    has_times: bool = True


def _native_text(stream_id: str, text: str, end: bool) -> str:
    return encode({"text": text, "text_end": end, "stream_id": stream_id})


def _native_finalize(trailing_silence_ms: Optional[int]) -> str:
    message: dict[str, Any] = {"type": "finalize"}
    if trailing_silence_ms is not None:
        message["trailing_silence_ms"] = trailing_silence_ms
    return encode(message)


NATIVE_TTS = TtsDialect(
    name="native",
    config=encode,
    text=_native_text,
    cancel=lambda stream_id: encode({"stream_id": stream_id, "cancel": True}),
    keep_alive='{"keep_alive":true}',
)

NATIVE_STT = SttDialect(
    name="native",
    start=encode,
    finalize=_native_finalize,
    keep_alive='{"type":"keepalive"}',
    end="",  # an empty TEXT frame; an empty binary one is only an empty chunk (PROTOCOL 2.3)
)
