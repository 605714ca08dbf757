"""Lost lines while transcribing: told to who watches, given up when there never was one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..recording import ReconnectingEvent, Recording
from .console import Console

__all__ = ["MAX_ATTEMPTS", "Outages"]

# with the recording's delays (0, 1, 2, 4, ... s) nearly as long as it keeps audio, 120 s
MAX_ATTEMPTS = 8
# a service that never answered is rather not there: wrong address, no network at all
_FIRST_ATTEMPTS = 2


class Outages:
    """Watches over the lines of one recording. Its handlers run on the recording's own thread."""

    def __init__(self, console: Console, recording: Recording) -> None:
        self._console = console
        self._recording = recording
        self._was_connected = False
        recording.on("connected", self._connected)
        recording.on("reconnecting", self._reconnecting)
        recording.on("reconnected", self._reconnected)

    def report(self) -> None:
        """Say how much audio was lost, if any was."""
        lost_ms = self._recording.lost_ms
        if lost_ms:
            self._console.say(
                f"soniox-sync: {lost_ms} ms of audio could not be kept while the connection was "
                "down: their words are missing"
            )

    def _connected(self) -> None:
        self._was_connected = True

    def _reconnecting(self, event: ReconnectingEvent) -> None:
        if not self._was_connected and event.attempt > _FIRST_ATTEMPTS:
            event.prevent_default()
            return
        wait = f" in {event.delay_sec:.1f} s" if event.delay_sec else ""
        self._console.note(f"reconnecting{wait} ... ({event.attempt} of {event.max_attempts})")

    def _reconnected(self, facts: Mapping[str, Any]) -> None:
        lost = f", {facts['lost_ms']} ms lost" if facts["lost_ms"] else ""
        self._console.note(f"reconnected, {facts['replayed_ms']} ms replayed{lost}")
