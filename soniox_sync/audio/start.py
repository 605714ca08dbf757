"""Checking the start of audio that is passed on unchanged, in chunks of any size."""

from __future__ import annotations

from .signatures import SIGNATURE_BYTES, check_start, container_of
from .wav.header import WavParser

# metadata before the samples may be longer, but the format, which decides, comes before it
_MAX_HEADER_BYTES = 64 * 1024


class StartCheck:
    """Check of the first chunks of a stream: its container, and whether a WAV can be read.

    A refused chunk does not count: the next one is checked in its place. Several threads that send
    the first chunks at the same time have no order, so there is nothing to lock.
    """

    def __init__(self, audio_format: str) -> None:
        self._audio_format = audio_format
        self._begun = b""  # what was accepted while undecided
        self._is_over = False

    def check(self, data: bytes, name: str) -> None:
        """Check the next chunk; `name` is the argument's name in errors.

        Raises
            ConfigurationError: not what was declared, or not readable in real time.
        """
        if self._is_over or not data:
            return
        start = self._begun + data[:_MAX_HEADER_BYTES]
        undecided = len(start) < SIGNATURE_BYTES
        if not undecided:
            check_start(start, self._audio_format, name=name)
            if container_of(start) == "wav" and WavParser().feed(start) is None:
                undecided = len(start) < _MAX_HEADER_BYTES
        self._begun = start if undecided else b""
        self._is_over = not undecided
