"""The messages the fake server sends, serialised once and kept.

A stamped frame carries the server's ``time.monotonic_ns()`` in the first eight bytes of its audio.
On Linux that clock is the same in every process, so the client's own reading minus the stamp is
the time from the server's ``send`` to the user's loop.
"""

from __future__ import annotations

import base64
import functools
import random
import struct
import time
from typing import Any, Dict, List

from tests.bench.wire import json_frame

STAMP = struct.Struct("<Q")
_STAMP_ROOM = 9  # eight bytes and one of padding: exactly twelve characters of base64


def age_ns(audio: bytes) -> int:
    """Return how long ago the server stamped this audio."""
    sent: int = STAMP.unpack_from(audio)[0]
    return time.monotonic_ns() - sent


@functools.cache
def tts_audio(stream_id: str, size: int) -> bytes:
    """Return a frame with ``size`` bytes of noise as PCM."""
    noise = random.Random(size).randbytes(size)
    return json_frame(_audio(stream_id, noise, end=False))


def tts_end(stream_id: str) -> bytes:
    """Return the two frames that end a stream."""
    end = json_frame(_audio(stream_id, b"", end=True))
    return end + json_frame({"stream_id": stream_id, "terminated": True})


def _audio(stream_id: str, audio: bytes, *, end: bool) -> Dict[str, Any]:
    text = base64.b64encode(audio).decode()
    return {"stream_id": stream_id, "audio": text, "audio_end": end}


class Stamped:
    """A frame whose first audio bytes are overwritten with the time of each sending."""

    def __init__(self, stream_id: str, size: int) -> None:
        self._frame = bytearray(tts_audio(stream_id, size))
        self._at = self._frame.index(b'"audio":"') + len(b'"audio":"')

    def now(self) -> bytes:
        """Return the frame stamped with the present moment."""
        stamp = STAMP.pack(time.monotonic_ns()).ljust(_STAMP_ROOM, b"\0")
        encoded = base64.b64encode(stamp)
        self._frame[self._at : self._at + len(encoded)] = encoded
        return bytes(self._frame)


@functools.cache
def stt_result(count: int) -> bytes:
    """Return a result of ``count`` tokens, a quarter of them final, as a live session sends."""
    final = count // 4
    message = {
        "tokens": [_token(index, index < final) for index in range(count)],
        "final_audio_proc_ms": 120 * final,
        "total_audio_proc_ms": 120 * count,
    }
    return json_frame(message)


def stt_finished() -> bytes:
    """Return the last result of a session."""
    tokens: List[Dict[str, Any]] = []
    return json_frame(
        {
            "tokens": tokens,
            "final_audio_proc_ms": 60_000,
            "total_audio_proc_ms": 60_000,
            "finished": True,
        }
    )


def _token(index: int, final: bool) -> Dict[str, Any]:
    return {
        "text": f" wo{index:02d}",
        "start_ms": 120 * index,
        "end_ms": 120 * index + 100,
        "confidence": 0.97,
        "is_final": final,
        "speaker": "1",
        "language": "en",
    }
