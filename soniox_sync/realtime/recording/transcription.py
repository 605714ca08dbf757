"""`Transcription`: what `client.realtime.transcribe()` returns, a recording to loop over."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Callable, Optional, TypeVar

from ..._support.checks import timeout
from ..._support.locks import new_lock
from ...errors import SonioxTimeoutError, StateError
from ...protocol.tokens import SttEvent
from ...recorder.actions import RecordingState
from ...runtime import forks
from ...transcript import Transcript, Utterance
from .capture import StartConfig
from .recording import Recording

T = TypeVar("T")


class Transcription:
    """Events or utterances of a recording, to be iterated in the caller's thread.

    Made by `client.realtime.transcribe()`. It starts on first use: with the first item of a loop,
    `read()`, `next_event()`, `start()`, or on entering a `with` block. Leaving a loop early, by
    `break` or an exception, stops everything; so do `close()` and the end of a `with` block.
    Thread-safe.

    `utterances()` and `read()` switch endpoint detection on, unless the config says otherwise or it
    has started already, as it has inside a `with` block: pass `enable_endpoint_detection=True`
    there. Speaker labels become final at each endpoint, so the service decides on them early.
    """

    def __init__(self, recording: Recording, config: StartConfig) -> None:
        self._recording = recording
        self._config = config
        # Guards _is_started. Leaf.
        self._lock = new_lock()
        self._is_started = False
        forks.register(self._invalidate)

    def _invalidate(self) -> None:
        """Let a forked child start what a thread of the parent was only about to start."""
        self._is_started = self._recording.state is not RecordingState.IDLE

    @property
    def recording(self) -> Recording:
        """Recording underneath, for `pause()`, `stop()` and its events."""
        return self._recording

    @property
    def transcript(self) -> Transcript:
        """Live transcript of everything received so far. Safe to read at any time."""
        return self._recording.transcript

    def start(self) -> Transcription:
        """Start now, without waiting for a first item; return this object. Idempotent.

        Raises
            AudioSourceError, OSError: the source could not start.
        """
        with self._lock:
            is_first, self._is_started = not self._is_started, True
        if is_first and not self._recording.state.is_over:
            self._recording.start()
        return self

    def __iter__(self) -> Iterator[SttEvent]:
        """Iterate over the events; see `Recording`. The generator stops everything when closed."""
        return _stopping(self._recording, self.start, self._recording.__iter__)

    def utterances(self) -> Iterator[Utterance]:
        """Iterate over what was said, one finished utterance at a time; see `Recording`.

        Switches endpoint detection on (see the class). The generator stops everything when closed.
        """
        self._prefer_endpoints()
        return _stopping(self._recording, self.start, self._recording.utterances)

    def read(self, timeout_sec: Optional[float] = None) -> Transcript:
        """Transcribe to the end and return the whole transcript; see `Recording`.

        `timeout_sec`: the longest wait, `None` (the default) for as long as it takes, 0: do not
        wait. Switches endpoint detection on (see the class).

        Raises
            SonioxTimeoutError: the end did not come in time; the transcription goes on, and what
                has come is in `transcript`.
            AbortError: it was cancelled or closed.
            StateError: its events go to handlers; nothing is stopped.
            SonioxError: what ended it early, of its own class.
        """
        timeout("timeout_sec", timeout_sec)  # before anything is started
        self._prefer_endpoints()
        try:
            self.start()
            transcript = self._recording.read(timeout_sec)
        except (SonioxTimeoutError, StateError):  # StateError: its events go to handlers
            raise
        except BaseException:
            self.close()
            raise
        self.close()
        return transcript

    def next_event(self, timeout_sec: Optional[float] = None) -> Optional[SttEvent]:
        """Wait for the next event and return it; `None`: the transcription has finished.

        `timeout_sec`: the longest wait, `None` (the default) for as long as it takes, 0: do not
        wait.

        Raises
            SonioxTimeoutError: no event came in time.
            SonioxError: what ended the transcription early, after the events before it.
        """
        timeout("timeout_sec", timeout_sec)
        self.start()
        return self._recording.next_event(timeout_sec)

    def close(self) -> None:
        """Stop everything at once. Idempotent. It can then no longer be started."""
        self._recording.close()

    def __enter__(self) -> Transcription:
        return self.start()

    def __exit__(self, *exc_info: object) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<Transcription {self._recording.state}>"

    def _prefer_endpoints(self) -> None:
        if not self._is_started:
            self._config.prefer_endpoints()


def _stopping(
    recording: Recording, start: Callable[[], object], items: Callable[[], Iterator[T]]
) -> Iterator[T]:
    """Start, yield items, and close the recording when the generator ends or is closed.

    A loop that is left drops the generator, whoever still holds the `Transcription`. One that was
    refused, because the events go to handlers, stops nothing.
    """
    is_refused = False
    try:
        start()
        yield from items()
    except StateError:
        is_refused = True
        raise
    finally:
        if not is_refused:
            recording.close()
