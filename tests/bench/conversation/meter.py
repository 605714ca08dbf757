"""One measured conversation: a source of silence, an instant reply, a sink that keeps times."""

from __future__ import annotations

import threading
import time
from typing import Any, Dict, List, Mapping, Optional

from soniox_sync import SonioxClient
from soniox_sync.sources.base import AudioSourceHandlers, SourceAudio

RATE = 16000
CHUNK_SEC = 0.1
TICK_SEC = 0.02
# longer than the questions are apart, so that each question interrupts the answer before
ANSWER = "It is noon, and the bells of the old town will be ringing for a while. "


class Feeder:
    """Thread that delivers silence in real time, to each source at moments of its own.

    Users do not speak at the same time: the sources begin evenly spread over `spacing_sec`.
    """

    def __init__(self, count: int, spacing_sec: float) -> None:
        self._count = count
        self._spacing_ticks = spacing_sec / TICK_SEC
        self._handlers: List[AudioSourceHandlers] = []
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name="bench-feeder", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def add(self, handlers: AudioSourceHandlers) -> None:
        self._handlers.append(handlers)

    def stop(self) -> None:
        self._stopped.set()
        self._thread.join()

    def _run(self) -> None:
        chunk = bytes(int(2 * RATE * CHUNK_SEC))
        due, tick, each_ticks = time.monotonic(), 0, round(CHUNK_SEC / TICK_SEC)
        while not self._stopped.wait(max(0.0, due - time.monotonic())):
            due += TICK_SEC
            tick += 1
            for number, handlers in enumerate(self._handlers):
                since = tick - int(number * self._spacing_ticks / self._count)
                if since > 0 and since % each_ticks == 0:
                    handlers.on_data(chunk)


class Silence:
    """Live source that the feeder serves."""

    is_live = True
    audio = SourceAudio("pcm_s16le", RATE, 1)

    def __init__(self, feeder: Feeder) -> None:
        self._feeder = feeder

    def start(self, handlers: AudioSourceHandlers) -> None:
        self._feeder.add(handlers)

    def stop(self) -> None:
        """Do nothing: the feeder ends with all of them."""


class Meter:
    """Times of one conversation, in seconds; one thing is measured for each turn.

    `answers`: from the frame with the endpoint to the first audio at the sink, without what the
    voice's service took; `parts`: what it took; `cuts`: from the frame with the first word to
    `clear()`.
    """

    def __init__(self) -> None:
        self.answers: List[float] = []
        self.parts: List[float] = []
        self.cuts: List[float] = []
        self._endpoint: Optional[float] = None
        self._word: Optional[float] = None
        self._text: Optional[float] = None
        self._audio: Optional[float] = None
        self._is_heard = False

    # -- frames, from the trace ------------------------------------------------------------------

    def frame(self, record: Mapping[str, Any]) -> None:
        """Note a frame of either service."""
        message = record.get("json")
        if not isinstance(message, dict):
            return
        now = time.monotonic()
        if record["direction"] == "received" and "tokens" in message:
            texts = [token.get("text", "") for token in message["tokens"]]
            if "<end>" in texts:
                self._endpoint, self._text, self._audio = now, None, None
            elif texts and self._is_heard and self._word is None:
                self._word = now
        elif record["direction"] == "sent" and message.get("text"):
            self._text = now
        elif record["direction"] == "received" and message.get("audio") and self._audio is None:
            self._audio = now

    # -- the sink --------------------------------------------------------------------------------

    audio_format = "pcm_s16le"
    sample_rate = RATE

    def write(self, data: bytes) -> None:
        """Note the first audio of an answer."""
        now = time.monotonic()
        endpoint, text, audio = self._endpoint, self._text, self._audio
        if endpoint is not None and text is not None and audio is not None:
            self.parts.append(audio - text)
            self.answers.append((text - endpoint) + (now - audio))
            self._endpoint, self._is_heard, self._word = None, True, None

    def clear(self) -> None:
        """Note a cut."""
        if self._word is not None:
            self.cuts.append(time.monotonic() - self._word)
        self._word, self._is_heard = None, False


def converse(urls: Mapping[str, Any], feeder: Feeder, meter: Meter) -> Any:
    """Start one conversation that `meter` measures; return it."""
    client = SonioxClient(
        "bench-key",
        api_url=urls["api"],
        stt_ws_url=urls["stt"],
        tts_api_url=urls["tts_api"],
        tts_ws_url=urls["tts"],
        trace=meter.frame,
    )
    return client.realtime.converse(
        Silence(feeder), lambda text, conversation: ANSWER, meter, voice="Adrian", text_filter=None
    )


def summary(meters: List[Meter], name: str) -> List[float]:
    """Return all values of a kind, sorted, in milliseconds."""
    values: Dict[str, List[float]] = {name: []}
    for meter in meters:
        values[name] += getattr(meter, name)
    return sorted(value * 1000 for value in values[name])
