"""Interface through which a stream of speech reports to a pool's slot, or to a speech."""

from __future__ import annotations

from typing import Optional, Protocol

from ...errors import SonioxError
from ...protocol.tts import AudioChunk


class StreamObserver(Protocol):
    """Observer of one stream, mostly called on the reader thread without a lock. Must not block."""

    def received(self, chunk: AudioChunk) -> None:
        """Handle audio that has just been queued for the consumer."""

    def failed(self, error: SonioxError) -> None:
        """Handle a failure; the stream's id is still taken."""

    def released(self, error: Optional[SonioxError]) -> None:
        """Handle the end: the id is free. `error` is the stream's error, or `None`."""
