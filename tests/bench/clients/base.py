"""Interface between workloads and clients.

An adapter adds as little as possible: it returns the client's own iterator, without a wrapper, so
that only the client is measured.
"""

from __future__ import annotations

from typing import ContextManager, Iterator, List, Protocol

TTS_ID = "b0"
MULTI_IDS = ("b0", "b1", "b2", "b3", "b4")
TEXT = "Hello from the benchmark."


class Speech(Protocol):
    """One stream of synthesised audio."""

    def start(self) -> None:
        """Send the stream's text and end it."""

    def chunks(self) -> Iterator[bytes]:
        """Return the client's iterator over decoded audio."""


class Listening(Protocol):
    """One transcription session."""

    def send(self, audio: bytes) -> None:
        """Send one chunk of audio."""

    def consume(self, every_field: bool = False) -> int:
        """Read all results and each token's text and finality; return the number of tokens.

        ``every_field`` also reads the other fields of each token, as a program for captions does.
        """


class Closable(Protocol):
    """An open connection."""

    def close(self) -> None:
        """Close the connection as a user would."""


class Client(Protocol):
    """One implementation of a client."""

    def speech(self, url: str) -> ContextManager[Speech]:
        """Open one stream."""

    def speeches(self, url: str, ids: List[str]) -> ContextManager[List[Speech]]:
        """Open several streams on one connection."""

    def listening(self, url: str) -> ContextManager[Listening]:
        """Open a transcription session."""

    def tts_connection(self, url: str) -> Closable:
        """Open a connection for several streams, without a stream."""

    def stt_connection(self, url: str) -> Closable:
        """Open a transcription session that will be closed unused."""
