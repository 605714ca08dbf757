"""`Transcription`: what `client.realtime.transcribe()` gives, a recording to loop over."""

from __future__ import annotations

from collections.abc import Iterator

from .protocol.tokens import SttEvent
from .recording import Recording
from .transcript import Transcript


class Transcription:
    """Iterates over the events of a recording in the caller's thread.

    Made by `client.realtime.transcribe()`, already at work.

    Leaving the loop early, by `break` or an exception, stops everything; so do `close()` and the
    end of a `with` block. `transcript` is live: it holds what was delivered so far.
    """

    def __init__(self, recording: Recording) -> None:
        self._recording = recording

    @property
    def recording(self) -> Recording:
        """Give the recording underneath, for `pause()`, `stop()` and its events."""
        return self._recording

    @property
    def transcript(self) -> Transcript:
        """Give the live transcript."""
        return self._recording.transcript

    def __iter__(self) -> Iterator[SttEvent]:
        """Iterate over the events; see `Recording`. The generator stops everything when closed."""
        return _events(self._recording)

    def close(self) -> None:
        """Stop everything at once. Idempotent."""
        self._recording.close()

    def __enter__(self) -> Transcription:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<Transcription {self._recording.state}>"


def _events(recording: Recording) -> Iterator[SttEvent]:
    # holds nothing but the recording, so that a loop that is left drops it, and thereby closes it
    try:
        yield from recording
    finally:
        recording.close()
