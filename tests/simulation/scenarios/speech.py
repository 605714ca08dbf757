"""speak(): a writer that stalls, streams that fail, lost connections, cancel, Ctrl-C."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from tests.simulation.runner import Simulation
from tests.simulation.voices import CONFIG, FAULTS, STREAM_FAULTS, Voices, heard

URL = "ws://localhost/tts"
# the thread, and a handler that is running
CLOSE_SEC = 3.0 + 0.5
_WORDS = ("one", "two", "three", "four", "five", "six", "seven.", "eight.", "nine!", "ten?")


class PlannedError(Exception):
    """Raised by the writer, on purpose."""


def run(simulation: Simulation) -> None:
    """Speak a text that comes in pieces while the service fails, and somebody cancels."""
    _Speech(simulation).run()


class _Speech:
    def __init__(self, simulation: Simulation) -> None:
        self.simulation = sim = simulation
        rng = sim.rng
        self.errors = sim.soniox.errors
        self.timestamps = sim.chance(0.5)
        self.service = Voices(
            sim.kernel,
            tuple(rng.choice((None, *FAULTS, "refuse")) for _ in range(rng.choice((0, 0, 1, 2)))),
            tuple(rng.choice(STREAM_FAULTS) for _ in range(rng.choice((0, 0, 1, 3)))),
            timestamps=self.timestamps,
        )
        self.client = sim.soniox.SonioxClient(
            api_key="k", stt_ws_url=URL, tts_ws_url=URL, timeout_sec=3.0
        )
        self.written = ""
        self.audio: list[bytes] = []
        self.whole = False
        self.failed = False
        self.interrupted = sim.chance(0.2)

    def run(self) -> None:
        sim = self.simulation
        if self.interrupted:
            sim.interrupt(within=150, late=sim.chance(0.5))
        try:
            self._use()
        except KeyboardInterrupt:
            sim.check(sim.kernel.struck, "an interrupt that nobody sent")
        except (self.errors.SonioxError, PlannedError):
            pass
        sim.disarm()
        self._check_truth()

    def _text(self) -> Iterator[str]:
        """Write words, sometimes with pauses that are longer than the service's patience."""
        sim = self.simulation
        for _ in range(sim.rng.randint(1, 20)):
            word = sim.rng.choice(_WORDS) + " "
            self.written += word
            yield word
            if sim.chance(0.2):
                sim.time.sleep(sim.rng.choice((0.1, 1.0, 7.0)))
            if sim.chance(0.01):
                raise PlannedError("no more text")

    def _use(self) -> None:
        sim = self.simulation
        text: Any = self._text()
        if sim.chance(0.4):
            self.written = text = "".join(
                sim.rng.choice(_WORDS) + " " for _ in range(sim.rng.randint(1, 20))
            )
        speech = self.client.realtime.speak(
            text,
            timestamps=self.timestamps,
            connect_timeout_sec=2.0,
            ping_interval_sec=1.0,
            ping_timeout_sec=1.0,
            give_up_after_sec=10.0,
            reconnect_base_delay_sec=0.2,
            **CONFIG,
        )
        with speech:
            if sim.chance(0.3):
                sim.thread(lambda: self._interfere(speech), "other")
            if sim.chance(0.7):
                for chunk in speech:
                    self.audio.append(chunk)
                    if sim.chance(0.05):
                        sim.time.sleep(0.5)
                self.whole = True
            elif sim.chance(0.8):
                self.audio.append(speech.read())
                self.whole = True
            else:
                sim.pause(1.0)
            sim.leaving()
            if sim.chance(0.3):
                sim.bounded("close", CLOSE_SEC, speech.close)

    def _interfere(self, speech: Any) -> None:
        sim = self.simulation
        sim.pause(2.0)
        act = sim.rng.choice(("cancel", "close", "repr", "metrics"))
        sim.note(act)
        if act == "close":
            self.failed = True
            sim.bounded("close", CLOSE_SEC, speech.close)
        elif act == "cancel":
            self.failed = True
            speech.cancel()
        elif act == "repr":
            repr(speech)
        else:
            repr(speech.metrics)

    def _check_truth(self) -> None:
        sim = self.simulation
        # what is left of a part when only its full stop was not spoken is not spoken again
        said = _letters(heard(b"".join(self.audio)))
        text = _letters(self.written)
        sim.check(text.startswith(said), f"heard {said!r}, the text was {text!r}")
        if self.whole and not (self.failed or self.interrupted):
            sim.check(said == text, f"heard only {said!r} of {text!r}")


def _letters(text: str) -> str:
    return "".join(filter(str.isalpha, text))
