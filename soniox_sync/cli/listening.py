"""Transcribe a source to its end or to Ctrl-C, through lost lines and closed devices."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from ..protocol.recorder_actions import RecordingState
from ..sources.base import AudioSource, AudioSourceHandlers
from .console import Console, UsageError
from .outputs import Outputs

if TYPE_CHECKING:
    # not at run time: every command parses this module, few transcribe
    from ..recording import ReconnectingEvent, Recording
    from .services import Client

__all__ = ["follow"]

log = logging.getLogger("soniox_sync.cli")

# with the recording's delays (0, 1, 2, 4, ... s) nearly as long as it keeps audio, 120 s
_MAX_ATTEMPTS = 8
# a service that never answered is rather not there: wrong address, no network at all
_FIRST_ATTEMPTS = 2


def follow(
    console: Console,
    outputs: Outputs,
    source: AudioSource,
    client: Client,
    config: Mapping[str, Any],
    *,
    reconnect: bool = True,
) -> None:
    """Transcribe a source into the outputs.

    The first Ctrl-C ends the audio and waits for its last word, the second cancels. What the
    source fails with is raised after what it gave before was transcribed.

    Raises:
        UsageError: there was no audio at all.
    """
    counted = _Counted(source)
    log.info("transcribing with %r, %s", client, dict(config))
    transcription = client.realtime.transcribe(
        counted, auto_reconnect=reconnect, max_reconnect_attempts=_MAX_ATTEMPTS, **config
    )
    recording = transcription.recording
    watch = _Watch(console, recording)

    def finish() -> None:
        console.note("finishing; Ctrl-C again ends at once")
        recording.stop()

    with transcription, console.interrupts.graceful(finish, recording.cancel):
        for event in transcription:
            watch.was_connected = True
            outputs.take(event)
    outputs.complete()
    watch.report(source)
    if not counted.heard and not console.interrupts.interrupted:
        raise UsageError("there is no audio to transcribe")


class _Counted:
    """Is a source that knows whether it gave any audio."""

    def __init__(self, source: AudioSource) -> None:
        self._source = source
        self.heard = False

    def start(self, handlers: AudioSourceHandlers) -> None:
        """Start the source."""
        take = handlers.on_data

        def on_data(data: bytes) -> None:
            self.heard = True
            take(data)

        self._source.start(replace(handlers, on_data=on_data))

    def stop(self) -> None:
        """Stop the source."""
        self._source.stop()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._source, name)


class _Watch:
    """Tells who watches about lines and devices; gives up where there never was a line.

    Its handlers run on the recording's own thread.
    """

    def __init__(self, console: Console, recording: Recording) -> None:
        self._console = console
        self._recording = recording
        recording.on("connected", self._connected)
        recording.on("reconnecting", self._reconnecting)
        recording.on("reconnected", self._reconnected)
        recording.on("source_muted", lambda: console.note("the microphone gives only silence"))
        recording.on("source_unmuted", lambda: console.note("the microphone is heard again"))
        # it may have connected before the handlers were there
        self.was_connected = recording.state is RecordingState.RECORDING

    def report(self, source: AudioSource) -> None:
        """Say how much audio was lost, if any was."""
        causes = {
            "could not be kept while the connection was down": self._recording.lost_ms,
            "came faster than it could be taken": getattr(source, "dropped_ms", 0),
        }
        for cause, lost_ms in causes.items():
            if lost_ms:
                self._console.say(
                    f"soniox-sync: {lost_ms} ms of audio {cause}: their words are missing"
                )

    def _connected(self) -> None:
        self.was_connected = True

    def _reconnecting(self, event: ReconnectingEvent) -> None:
        stopping = self._console.interrupts.interrupted
        if not self.was_connected and (stopping or event.attempt > _FIRST_ATTEMPTS):
            event.prevent_default()
            return
        wait = f" in {event.delay_sec:.1f} s" if event.delay_sec else ""
        self._console.note(f"reconnecting{wait} ... ({event.attempt} of {event.max_attempts})")

    def _reconnected(self, facts: Mapping[str, Any]) -> None:
        lost = f", {facts['lost_ms']} ms lost" if facts["lost_ms"] else ""
        self._console.note(f"reconnected, {facts['replayed_ms']} ms replayed{lost}")
