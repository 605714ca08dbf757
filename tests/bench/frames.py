"""The messages of the fake server, serialised once and cached.

A stamped frame has the server's ``time.monotonic_ns()`` in the first eight bytes of its audio. On
Linux that clock is the same in every process, so the client's own time minus the stamp is the time
from the server's ``send`` to the user's loop.
"""

from __future__ import annotations

import base64
import functools
import random
import struct
import time
from typing import Any, Dict, List, Tuple

from tests.bench.wire import json_frame

STAMP = struct.Struct("<Q")
_STAMP_DIGITS = 20
_STAMP_BYTES = 9  # eight bytes and one of padding: exactly twelve characters of base64


def age_ns(audio: bytes) -> int:
    """Return the nanoseconds since the server stamped this audio."""
    sent: int = STAMP.unpack_from(audio)[0]
    return time.monotonic_ns() - sent


@functools.lru_cache(maxsize=64)  # where each stream has an id of its own, none is used again
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
    """A frame whose first audio bytes are the time at which it is sent."""

    def __init__(self, stream_id: str, size: int) -> None:
        self._frame = bytearray(tts_audio(stream_id, size))
        self._at = self._frame.index(b'"audio":"') + len(b'"audio":"')

    def now(self) -> bytes:
        """Return the frame stamped with the current time."""
        stamp = STAMP.pack(time.monotonic_ns()).ljust(_STAMP_BYTES, b"\0")
        encoded = base64.b64encode(stamp)
        self._frame[self._at : self._at + len(encoded)] = encoded
        return bytes(self._frame)


@functools.cache
def stt_result(count: int) -> bytes:
    """Return a result of ``count`` tokens, a quarter of them final, as in a live session."""
    final = count // 4
    message = {
        "tokens": [_token(index, index < final) for index in range(count)],
        "final_audio_proc_ms": 120 * final,
        "total_audio_proc_ms": 120 * count,
    }
    return json_frame(message)


@functools.lru_cache(maxsize=1024)
def _live_result(number: int, count: int, period_ms: int) -> Tuple[bytes, bytes]:
    """Return the result of ``stt_result`` at its place in a recording, around the stamp."""
    final, start = count // 4, period_ms * number
    tokens = [_token(index, index < final) for index in range(count)]
    for index, token in enumerate(tokens):
        token["start_ms"], token["end_ms"] = start + 5 * index, start + 5 * index + 5
    tokens[-1]["text"] = "0" * _STAMP_DIGITS
    message = {
        "tokens": tokens,
        "final_audio_proc_ms": start + 5 * final,
        "total_audio_proc_ms": start + period_ms,
    }
    before, _, after = json_frame(message).partition(b"0" * _STAMP_DIGITS)
    return before, after


def live_result(number: int, count: int, period_ms: int) -> bytes:
    """Return the result number ``number`` of a session; its last token is the current time.

    There is one for each ``period_ms`` of audio.
    """
    before, after = _live_result(number, count, period_ms)
    return b"%b%0*d%b" % (before, _STAMP_DIGITS, time.monotonic_ns(), after)


# more than any row sends: a session fails if the server processed less
_ALL_AUDIO_MS = 3_600_000


def stt_finished() -> bytes:
    """Return the last result of a session."""
    tokens: List[Dict[str, Any]] = []
    return json_frame(
        {
            "tokens": tokens,
            "final_audio_proc_ms": _ALL_AUDIO_MS,
            "total_audio_proc_ms": _ALL_AUDIO_MS,
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
