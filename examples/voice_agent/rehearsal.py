"""A call without microphone and loudspeaker, for trying the agent out."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator

from agent import RATE, RAW, Agent

from soniox_sync import SonioxClient

SILENCE = bytes(RATE // 5)  # a tenth of a second


class SilentPlayer:
    """Takes as long as the audio lasts, like a `Player`, and makes no sound."""

    def __init__(self) -> None:
        self._stopped = threading.Event()

    def write(self, audio: bytes) -> None:
        """Wait as long as it would sound."""
        self._stopped.wait(len(audio) / 2 / RATE)

    def stop(self) -> None:
        """Be quiet at once."""
        self._stopped.set()

    def finish(self) -> None:
        """Do nothing: what was written has sounded."""

    def __enter__(self) -> SilentPlayer:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.stop()


def written_call(client: SonioxClient, agent: Agent) -> Iterator[bytes]:
    """Ask, listen for two seconds, interrupt, and hear the good bye."""
    for words, patience_sec in (("How do the tides work?", 2.0), ("Stop, thank you.", 60.0)):
        yield client.realtime.speak(words, voice="Emma", **RAW).read()
        while agent.speech is None:
            yield SILENCE
        tired_at = time.monotonic() + patience_sec
        while agent.speech and time.monotonic() < tired_at:
            yield SILENCE
