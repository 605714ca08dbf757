"""Transcribing a source until it ends or until Ctrl-C, across lost connections."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Optional

from ..recorder.actions import Reconnected, RecordingState
from ..sources.base import AudioSource, AudioSourceHandlers
from .console import Console, UsageError
from .outputs import Outputs

if TYPE_CHECKING:
    # not at run time: the parser imports every command, and few transcribe
    from ..protocol.tokens import Result
    from ..realtime.recording.events import Reconnecting
    from ..realtime.recording.recording import Recording
    from .services import Client

__all__ = ["transcribe"]

log: logging.Logger = logging.getLogger("soniox_sync.cli")


def transcribe(
    console: Console,
    outputs: Outputs,
    source: AudioSource,
    client: Client,
    config: Mapping[str, Any],
    *,
    reconnect: bool = True,
) -> None:
    """Transcribe a source and write its events to the outputs.

    The first Ctrl-C ends the audio and waits for the rest of the transcript, the second cancels.
    An error of the source is raised once the audio before it was transcribed.

    Raises
        UsageError: the source had no audio.
    """
    watched = _WatchedSource(source)
    log.info("transcribing with %r, %s", client, dict(config))
    transcription = client.realtime.transcribe(watched, auto_reconnect=reconnect, **config)
    recording = transcription.recording
    monitor = _Monitor(console, recording)

    def finish() -> None:
        console.note("finishing; press Ctrl-C again to cancel")
        recording.stop()

    with transcription, console.interrupts.graceful(finish, recording.cancel):
        for event in transcription:
            monitor.was_connected = True
            monitor.log_model(event.result)
            outputs.add(event)
    outputs.mark_complete()
    monitor.report_losses(source)
    if not watched.had_audio and not console.interrupts.interrupted:
        raise UsageError("there is no audio to transcribe")


class _WatchedSource:
    """Wrapper of a source that records whether it has delivered any audio."""

    def __init__(self, source: AudioSource) -> None:
        self._source = source
        self.had_audio = False

    def start(self, handlers: AudioSourceHandlers) -> None:
        """Start the source."""
        pass_on = handlers.on_data

        def on_data(data: bytes) -> None:
            self.had_audio = True
            pass_on(data)

        self._source.start(replace(handlers, on_data=on_data))

    def stop(self) -> None:
        """Stop the source."""
        self._source.stop()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._source, name)


class _Monitor:
    """Reports reconnects and the microphone's state on a terminal.

    After Ctrl-C it stops reconnecting if no connection ever succeeded. Its handlers run on the
    recording's callback thread.
    """

    def __init__(self, console: Console, recording: Recording) -> None:
        self._console = console
        self._recording = recording
        recording.on("connected", self._on_connected)
        recording.on("reconnecting", self._on_reconnecting)
        recording.on("reconnected", self._on_reconnected)
        recording.on("source_muted", lambda: console.note("the microphone is muted or silent"))
        recording.on("source_unmuted", lambda: console.note("the microphone delivers sound again"))
        # it may have connected before the handlers were registered
        self.was_connected = recording.state is RecordingState.RECORDING
        self._model: Optional[str] = None

    def log_model(self, result: Result) -> None:
        """Log the model that a result names, if it is another than before."""
        if result.model not in (None, self._model):
            self._model = result.model
            log.info("the service runs model %r", result.model)

    def report_losses(self, source: AudioSource) -> None:
        """Warn about lost audio, with the cause."""
        causes = {
            "lost while the connection was down": self._recording.lost_ms,
            "dropped because it arrived too fast": getattr(source, "dropped_ms", 0),
        }
        for cause, lost_ms in causes.items():
            if lost_ms:
                self._console.write_error(
                    f"soniox-sync: {lost_ms} ms of audio {cause}; the transcript has gaps"
                )

    def _on_connected(self) -> None:
        self.was_connected = True

    def _on_reconnecting(self, event: Reconnecting) -> None:
        if not self.was_connected and self._console.interrupts.interrupted:
            event.prevent_default()
            return
        wait = f" in {event.delay_sec:.1f} s" if event.delay_sec else ""
        of = "" if event.max_attempts is None else f" of {event.max_attempts}"
        self._console.note(f"reconnecting{wait} ... (attempt {event.attempt}{of})")

    def _on_reconnected(self, event: Reconnected) -> None:
        lost = f", {event.lost_ms} ms lost" if event.lost_ms else ""
        self._console.note(f"reconnected, {event.replayed_ms} ms replayed{lost}")
