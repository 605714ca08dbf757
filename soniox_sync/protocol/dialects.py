"""How the same messages are spelled: the service's own dialect, and room for gateways.

A dialect is data and pure functions: it spells what we send and turns what it receives into the
native frame (PROTOCOL 2, 3, 8). The state machines know only native frames.
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
    """Spells the speech side. `read` gives the native frame, `None` for one to ignore."""

    name: str
    config: Callable[[Wire], str]
    text: Callable[[str, str, bool], str]
    cancel: Callable[[str], str]
    keep_alive: Optional[str]
    read: Callable[[Frame], Optional[Frame]] = _unchanged


@dataclass(frozen=True)
class SttDialect:
    """Spells the transcription side. `read` gives the native frame, `None` for one to ignore.

    `audio` turns a chunk into a text message, `None` where audio travels as it is in binary
    frames. `ready_first` says that nothing but `start` may be sent before a `{"ready": true}`.
    `ends_by_closing`: no last response comes, the server closes with code 1000 once it is done.
    `tells_times`: results say up to where the audio is final, so that it can be sent again.
    """

    name: str
    start: Callable[[Wire], str]
    finalize: Callable[[Optional[int]], str]
    keep_alive: str
    end: str
    audio: Optional[Callable[[bytes], str]] = None
    read: Callable[[Frame], Optional[Frame]] = _unchanged
    ready_first: bool = False
    ends_by_closing: bool = False
    tells_times: bool = True


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
