"""Decoding of Opus in Ogg by libsndfile, as the bytes arrive."""

from __future__ import annotations

import io
import os
import threading
from typing import Any, Optional, Union

from ..._support.locks import new_lock
from ..problems import bad_request

__all__ = ["OpusDecoder", "is_opus"]

# Windows: libsndfile has another C runtime than Python, and so other descriptors
_HAS_PIPES = os.name != "nt"
# samples that are decoded at a time, 0.1 s at 24 kHz
_FRAMES = 2400
# For what is left in the pipe at the end, which takes milliseconds: longer only if a forked child
# still holds the other end.
_END_SEC = 10.0


def is_opus(head: bytes) -> Optional[bool]:
    """Return whether Ogg with these first bytes contains Opus, `None` if more are needed."""
    # the name of the codec is behind the header of the first page, which has one segment
    return None if len(head) < 36 else head[28:36] == b"OpusHead"


class OpusDecoder:
    """Decodes Opus to mono at the rate that its header names. Not thread-safe.

    It decodes on a thread of its own, which reads from a pipe; on Windows everything is decoded at
    the end.

    Raises
        Problem: 400 if soundfile is not installed; the message names the package.
    """

    def __init__(self) -> None:
        try:
            import soundfile
        except (ImportError, OSError):  # OSError: without its library
            raise bad_request(
                "Invalid audio data format: to decode opus, the sandbox needs soundfile "
                '(python -m pip install "soniox-sync[sandbox]").'
            ) from None
        self._soundfile: Any = soundfile
        # Guards the fields below. Leaf.
        self._lock = new_lock()
        self._out = bytearray()
        self._rate = 0
        self._failed = False
        # Caller only
        self._kept: Optional[io.BytesIO] = None
        self._input: Optional[int] = None
        self._thread: Optional[threading.Thread] = None
        if not _HAS_PIPES:
            self._kept = io.BytesIO()
        else:
            self._start()

    @property
    def sample_rate(self) -> int:
        """Rate of the decoded audio in Hz, 0 until it is known."""
        with self._lock:
            return self._rate

    def feed(self, data: bytes) -> bytes:
        """Pass bytes to the decoder; return the audio decoded so far.

        Raises
            Problem: 400 if it is not Opus.
        """
        if self._kept is not None:
            self._kept.write(data)
        elif self._input is not None:
            left = memoryview(data)
            try:
                while left:
                    left = left[os.write(self._input, left) :]
            except BrokenPipeError:
                self._close_input()  # it has failed, or the audio was over
        return self._take()

    def finish(self) -> bytes:
        """Wait for the decoder; return the rest of the audio.

        Raises
            Problem: 400 if it is not Opus.
        """
        if self._kept is not None:
            self._kept.seek(0)
            self._decode(self._kept)
            self._kept = None
        self.close()
        return self._take()

    def close(self) -> None:
        """Stop the thread. Idempotent."""
        self._close_input()
        if self._thread is not None:
            self._thread.join(_END_SEC)

    def _start(self) -> None:
        output, self._input = os.pipe()
        self._thread = threading.Thread(
            target=self._decode, args=(output,), name="soniox-sandbox-decode", daemon=True
        )
        self._thread.start()

    def _close_input(self) -> None:
        if self._input is not None:
            os.close(self._input)
            self._input = None

    def _take(self) -> bytes:
        with self._lock:
            if self._failed:
                raise bad_request("Audio decode error.")
            out, self._out = bytes(self._out), bytearray()
        return out

    def _decode(self, source: Union[int, io.BytesIO]) -> None:
        """Decode to the end, on a thread of its own unless everything is there.

        libsndfile closes the descriptor, also when it cannot open it.
        """
        try:
            with self._soundfile.SoundFile(source) as file:
                with self._lock:
                    self._rate = file.samplerate
                while len(frames := file.read(_FRAMES, dtype="int16", always_2d=True)):
                    pcm = frames.mean(axis=1).astype("<i2").tobytes()
                    with self._lock:
                        self._out += pcm
        except (RuntimeError, TypeError, ValueError):
            # LibsndfileError is a RuntimeError; a header of nonsense is one of the others
            with self._lock:
                self._failed = True
