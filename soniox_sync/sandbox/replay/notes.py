"""What a trace lacks, and what is played in its place."""

from __future__ import annotations

import collections
from collections.abc import Iterator
from typing import Any, Optional

from ..._support.reprs import counted
from .content import Audio, audio_objects, has_silence
from .trace import Connection, Trace

__all__ = ["notes_of"]

_ADVICE = "record with trace_audio=True (--trace-audio on the command line) to keep the audio"


def notes_of(trace: Trace) -> tuple[str, ...]:
    """Return a line for each kind of audio whose bytes the trace does not contain."""
    found: collections.Counter[Optional[str]] = collections.Counter()
    sizes: collections.Counter[Optional[str]] = collections.Counter()
    for audio_format, audio in _received(trace):
        if audio.size and audio.data is None:
            key = None if has_silence(audio_format) else str(audio_format)
            found[key] += 1
            sizes[key] += audio.size
    return tuple(
        f"{trace.name} does not contain the audio itself: {counted(number, 'piece')} of it will be "
        + (
            "silence of the same length"
            if audio_format is None
            else f"{counted(sizes[audio_format], 'zero byte')}, which are no {audio_format}"
        )
        + f"; {_ADVICE}"
        for audio_format, number in found.items()
    )


def _received(trace: Trace) -> Iterator[tuple[Any, Audio]]:
    """Yield each piece of audio that the service sent, with its format."""
    for connection in trace.connections:
        yield from _on(connection)
    for exchange in trace.exchanges:
        audio_format = exchange.asked.get("audio_format", "wav")
        for piece in exchange.pieces:
            if isinstance(piece.content, Audio):
                yield audio_format, piece.content


def _on(connection: Connection) -> Iterator[tuple[Any, Audio]]:
    formats: dict[Any, Any] = {}  # by stream
    for line in connection.lines:
        content = line.content
        fields = content if isinstance(content, dict) else {}
        stream = fields.get("stream_id")
        key = stream if isinstance(stream, str) else None
        if line.kind == "sent" and "audio_format" in fields:
            formats[key] = fields["audio_format"]
        elif line.kind == "received":
            pieces = [content] if isinstance(content, Audio) else audio_objects(content)
            for audio in pieces:
                yield formats.get(key), audio
