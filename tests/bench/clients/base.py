"""What a workload asks of a client.

An adapter adds as little as it can: it hands out the client's own iterator, not one wrapped round
it, so that the numbers are the client's.
"""

from __future__ import annotations

from typing import ContextManager, Iterator, List, Protocol

TTS_ID = "b0"
MULTI_IDS = ("b0", "b1", "b2", "b3", "b4")
TEXT = "Hello from the benchmark."


class Speech(Protocol):
    """One stream of synthesised audio."""

    def start(self) -> None:
        """Send the stream's whole text."""

    def chunks(self) -> Iterator[bytes]:
        """Return the client's iterator over decoded audio; it ends with the stream."""


class Listening(Protocol):
    """One transcription session."""

    def send(self, audio: bytes) -> None:
        """Send one chunk of audio."""

    def consume(self, every_field: bool = False) -> int:
        """Read results to the end, every token's text and finality; return how many tokens.

        ``every_field`` reads the other fields of a token as well, as a subtitle maker does.
        """


class Closable(Protocol):
    """An open connection."""

    def close(self) -> None:
        """Close it as a user would."""


class Client(Protocol):
    """One way to talk to the service."""

    def speech(self, url: str) -> ContextManager[Speech]:
        """Open one stream."""

    def speeches(self, url: str, ids: List[str]) -> ContextManager[List[Speech]]:
        """Open several streams on one connection."""

    def listening(self, url: str) -> ContextManager[Listening]:
        """Open a transcription session."""

    def tts_connection(self, url: str) -> Closable:
        """Open a connection for several streams and nothing on it."""

    def stt_connection(self, url: str) -> Closable:
        """Open a transcription session for closing it."""
