"""The checks of the service, with the key: HTTP, WebSockets, transcription, speech."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Callable, Optional, Protocol, TypeVar

from ...client import SonioxClient
from ...errors import SonioxError
from ...transport.deadline import Deadline
from . import advice
from .bounded import run_all
from .plan import Limits, Outcome
from .setup import Setup

if TYPE_CHECKING:
    from ...realtime.stt.session import SttSession
    from ...realtime.tts.handle import TtsConnection

__all__ = ["Service"]


class Closable(Protocol):
    """Session or connection."""

    def close(self) -> None:
        """End it."""


T = TypeVar("T")
C = TypeVar("C", bound=Closable)

_AUDIO: Mapping[str, Any] = {
    "audio_format": "pcm_s16le",
    "sample_rate": 16_000,
    "num_channels": 1,
}
_SECOND_OF_SILENCE = bytes(2 * 16_000)
_WORD = "Hello."
# a voice of every model, as in the documentation of the service
_VOICE = "Adrian"
_SPEECH: Mapping[str, Any] = {
    "voice": _VOICE,
    "language": "en",
    "audio_format": "pcm_s16le",
    "sample_rate": 24_000,
}


class Service:
    """Checks of the service, by a client like that of any other command; nothing is tried twice."""

    def __init__(self, setup: Setup, limits: Limits) -> None:
        self._temporary = setup.is_temporary
        self._check_sec = limits.check_sec
        self._call_sec = limits.call_sec
        key = setup.bare_key
        self._client = SonioxClient(
            key,
            config=setup.connection,
            timeout_sec=self._call_sec,
            max_retries=0,
            **setup.trace,
        )
        self._session: Optional[SttSession] = None
        self._connection: Optional[TtsConnection] = None

    def close(self) -> None:
        """Close everything at once; what still runs ends soon."""
        if self._session is not None:
            self._session.close()
        if self._connection is not None:
            self._connection.close()
        self._client.close()

    # -- the checks ------------------------------------------------------------------------------

    def check_http(self) -> Outcome:
        """List the models. A temporary key may not, which then is the right answer."""
        outcome = self._call(lambda: f"{len(self._client.models.list())} models")
        if outcome.kind == "usage":
            return Outcome(detail="answered; a temporary key cannot list models")
        return outcome

    def check_stt_websocket(self) -> Outcome:
        """Open the connection for the transcription."""

        def connect() -> SttSession:
            options = {"connect_timeout_sec": self._call_sec}
            return self._client.realtime.stt(_AUDIO, options=options)

        outcome, self._session = self._open(connect)
        return outcome

    def check_transcription(self) -> Outcome:
        """Transcribe one second of silence."""

        def transcribe() -> str:
            session = self._session
            assert session is not None
            session.send_audio(_SECOND_OF_SILENCE)
            session.finish(self._call_sec)
            return "1 s of audio"

        return self._call(transcribe)

    def check_tts_websocket(self) -> Outcome:
        """Open the connection for the speech."""

        def connect() -> TtsConnection:
            return self._client.realtime.tts.multi_stream(connect_timeout_sec=self._call_sec)

        outcome, self._connection = self._open(connect)
        return outcome

    def check_speech(self) -> Outcome:
        """Speak one word."""

        def speak() -> str:
            assert self._connection is not None
            with self._connection.stream(_SPEECH) as stream:
                stream.send_text(_WORD, end=True)
                return _described(stream.read(self._call_sec))

        return self._call(speak)

    def check_speech_over_http(self) -> Outcome:
        """Speak one word by an HTTP request; not with a temporary key, which may be used up."""
        if self._temporary:
            return Outcome(detail="a temporary key may be for one use only", left_out=True)
        return self._call(lambda: _described(self._client.tts.generate(text=_WORD, **_SPEECH)))

    # -- behind them -----------------------------------------------------------------------------

    def _call(self, call: Callable[[], str]) -> Outcome:
        """Make a call to the service; its result is the detail, none at all a failure."""

        def attempt() -> Outcome:
            try:
                detail = call()
            except SonioxError as error:
                return advice.of_error(error, temporary=self._temporary)
            return Outcome(None if detail else "no_audio", detail)

        return self._bounded(attempt) or self._late()

    def _open(self, connect: Callable[[], C]) -> tuple[Outcome, Optional[C]]:
        """Open a connection; return it, or `None` with the reason."""
        deadline = Deadline(self._check_sec)

        def attempt() -> tuple[Outcome, Optional[C]]:
            try:
                opened = connect()
            except SonioxError as error:
                return advice.of_upgrade(error, temporary=self._temporary), None
            if deadline.passed:  # nobody waits for it
                opened.close()
            return Outcome(detail="open"), opened

        return self._bounded(attempt) or (self._late("upgrade_silent"), None)

    def _bounded(self, call: Callable[[], T]) -> Optional[T]:
        return run_all([call], Deadline(self._check_sec))[0]

    def _late(self, kind: str = "late") -> Outcome:
        return Outcome(kind, f"nothing in {self._check_sec:g} s")


def _described(audio: bytes) -> str:
    return f"{len(audio) / 1024:.1f} KB of audio" if audio else ""
