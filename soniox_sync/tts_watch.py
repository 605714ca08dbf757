"""Who is told what happens to a speech stream, and who moves it from a lost line to another."""

from __future__ import annotations

from typing import TYPE_CHECKING, Optional, Protocol

from .errors import SonioxError
from .protocol.tts import AudioChunk

if TYPE_CHECKING:
    from .tts_line import TtsLine
    from .tts_stream import TtsStream


class StreamWatcher(Protocol):
    """Is told what happens to a stream. All calls must not block; mostly on the reader thread."""

    def heard(self, chunk: AudioChunk) -> None:
        """Learn of audio that was just queued."""

    def failed(self, error: SonioxError) -> None:
        """Learn that the stream failed; its id is not free yet."""

    def freed(self, error: Optional[SonioxError]) -> None:
        """Learn that the stream is over, with its error if it had one, and its id is free."""


class LineLeft(Exception):
    """Reports that a stream left a lost line for another; `taken`: the text goes with it."""

    def __init__(self, taken: bool) -> None:
        super().__init__("the stream is between two lines")
        self.taken = taken


class StreamPlace(StreamWatcher, Protocol):
    """Is a stream's place in a pool, and finds another line for it when its own is lost unheard.

    `drift` and `land` are called under the line's lock. All but `await_line` must not block.
    """

    def attach(self, stream: TtsStream) -> None:
        """Learn whose place it is, before anything else happens."""

    def drift(self, error: SonioxError) -> bool:
        """Say whether the stream leaves the line that ended with `error`; it is on none then."""

    def seek_line(self) -> None:
        """Begin to move."""

    def await_line(self) -> None:
        """Wait until the stream is on a line again, or over; begin to move if need be."""

    def land(self, line: TtsLine) -> bool:
        """Put the stream on `line`; False when it was given up."""

    def give_up(self, error: Optional[SonioxError]) -> bool:
        """End a stream that is on no line: cancelled, or failed; False when it is on one."""
