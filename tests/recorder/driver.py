"""Driver for one `Recorder`, and tokens for it."""

from __future__ import annotations

from typing import Any, Optional

from soniox_sync.config.recording import RecordingOptions
from soniox_sync.errors import RateLimitError, SonioxConnectionError, error_from_frame
from soniox_sync.protocol.tokens import Result, SttEvent, Token
from soniox_sync.recorder.actions import (
    Announce,
    Done,
    Open,
    Reconnected,
    RecorderContext,
    Send,
    Wait,
)
from soniox_sync.recorder.recorder import Recorder
from tests.recorder.world import AUDIO, BYTES_PER_MS


class Driver:
    """Acts as runtime and service for one recorder, step by step.

    The recorder's jitter is 1.0, so that delays are round numbers; `now` is the time, set by tests.
    """

    def __init__(
        self,
        *,
        container: bool = False,
        can_restart: bool = False,
        can_wait: bool = False,
        new_key_possible: bool = False,
        **options: Any,
    ) -> None:
        self.now = 0.0
        context = RecorderContext(
            can_restart=can_restart, can_wait=can_wait, new_key_possible=new_key_possible
        )
        self.recorder = Recorder(RecordingOptions(**options), context, jitter=lambda: 1.0)
        self.recorder.start()
        self.recorder.set_audio_format(None if container else AUDIO)
        self.done: list[Any] = []
        self._notices: list[Any] = []

    def go(self) -> Any:
        """Carry out actions until one is a wait, and return that."""
        for _ in range(10_000):
            action = self.recorder.next(self.now)
            if isinstance(action, (Wait, Done)):
                return action
            self.done.append(action)
            if isinstance(action, Announce):
                return action
        raise AssertionError("never waits")

    def open(self) -> int:
        """Open the session that the recorder requests; return its number."""
        self.go()
        number = next(a.number for a in reversed(self.done) if isinstance(a, Open))
        self.recorder.opened(number, self.now)
        self.go()
        return number

    def capture(self, ms: int) -> None:
        """Capture `ms` of headerless audio."""
        self.recorder.capture(b"\1\0" * ms)
        self.go()

    def receive(self, number: int, *tokens: Token, final_ms: int = 0, total_ms: int = 0) -> None:
        """Receive a result."""
        event = SttEvent("result", Result(list(tokens), final_ms, total_ms))
        self.recorder.received(number, event, self.now)
        self.go()

    def lose(self, number: int, error: Optional[BaseException] = None) -> Any:
        """Lose a session; no handler prevents its replacement."""
        self.recorder.failed(number, error or SonioxConnectionError("lost"), self.now)
        action = self.go()
        if isinstance(action, Announce):
            self.recorder.announced(False, self.now)
            return self.go()
        return action

    def sent(self, number: int) -> int:
        """Return the milliseconds of audio sent to a session."""
        return sum(
            len(a.data) // BYTES_PER_MS
            for a in self.done
            if isinstance(a, Send) and a.number == number
        )

    @property
    def notices(self) -> list[Any]:
        """All events and notices so far."""
        self._notices += self.recorder.take_notices()
        return self._notices

    @property
    def events(self) -> list[SttEvent]:
        """All events so far."""
        return [notice for notice in self.notices if isinstance(notice, SttEvent)]

    @property
    def reconnected(self) -> list[Reconnected]:
        """All notices of that kind so far."""
        return [notice for notice in self.notices if isinstance(notice, Reconnected)]


def final(text: str, start: int, end: int, **more: Any) -> Token:
    return Token(text, start, end, 1.0, True, **more)


def partial(text: str, start: int, end: int) -> Token:
    return Token(text, start, end, 0.5, False)


def frame_error(code: int, error_type: str = "", retry_after_sec: Optional[float] = None) -> Any:
    """Return the error of a frame, as of an upgrade that was refused with `Retry-After`."""
    error = error_from_frame({"error_code": code, "error_type": error_type, "request_id": "r-1"})
    if retry_after_sec is not None:
        assert isinstance(error, RateLimitError)
        error.retry_after_sec = retry_after_sec
    return error
