"""One transcription: send, receive, finish, close, fail and cancel, from any thread."""

from __future__ import annotations

from typing import Any

from tests.simulation.runner import Simulation
from tests.simulation.words import CONFIG, FAULTS, Words, numbers_of, speak

URL = "ws://localhost/transcribe"
# the close frame, the answer to it, and the reader's end (see the constants in the library)
CLOSE_SEC = 0.5 + 1.0 + 2.0 + 0.5
# connecting; after a failure the server's reason, and the reader's end
OPEN_SEC = 2.0 + 1.0 + 2.0 + 0.5


def run(simulation: Simulation) -> None:
    """Transcribe a few words; one thread sends, one iterates, one interferes."""
    _Session(simulation).run()


class _Session:
    def __init__(self, simulation: Simulation) -> None:
        self.simulation = sim = simulation
        self.errors = sim.soniox.errors
        fault = sim.rng.choice((None, None, *FAULTS, "refuse", "hang", "http 429", "http 401"))
        self.service = Words(sim.kernel, (fault,))
        self.client = sim.soniox.SonioxClient(api_key="k", stt_ws_url=URL, timeout_sec=3.0)
        self.cancel = sim.soniox.CancelToken() if sim.chance(0.3) else None
        self.sent: list[int] = []
        self.complete = False  # the end of the audio was sent
        self.words: list[int] = []
        self.ended_well = False
        self.interrupted = sim.chance(0.25)

    def run(self) -> None:
        sim = self.simulation
        canceller = None
        if self.cancel is not None and sim.chance(0.5):
            canceller = sim.thread(self._cancel, "canceller")
        if self.interrupted:
            sim.interrupt(within=150, late=sim.chance(0.5))
        try:
            self._use()
        except KeyboardInterrupt:
            sim.check(sim.kernel.struck, "an interrupt that nobody sent")
        except self.errors.SonioxError:
            pass
        sim.disarm()
        if canceller is not None:
            canceller.join()
        self._check_truth()

    def _use(self) -> None:
        sim = self.simulation
        options = {"connect_timeout_sec": 2.0, "finish_timeout_sec": 3.0}
        session = sim.bounded(
            "opening",
            OPEN_SEC,
            lambda: self.client.realtime.stt(**CONFIG, options=options, cancel=self.cancel),
        )
        with session:
            threads = [sim.thread(lambda: self._send(session), "sender")]
            if self.cancel is not None and sim.chance(0.5):
                threads.append(sim.thread(self._cancel, "late canceller"))
            if sim.chance(0.5):
                threads.append(sim.thread(lambda: self._interfere(session), "other"))
            if sim.chance(0.7):
                self._iterate(session)
            else:
                threads.append(sim.thread(lambda: self._iterate(session), "consumer"))
                sim.pause(1.0)
            sim.leaving()
            if sim.chance(0.3):
                sim.bounded("close", CLOSE_SEC, session.close)
            for thread in threads:
                thread.join()

    def _cancel(self) -> None:
        self.simulation.pause(0.3)
        assert self.cancel is not None
        self.cancel.cancel("enough")

    def _send(self, session: Any) -> None:
        sim = self.simulation
        word = 0
        try:
            for _ in range(sim.rng.randint(1, 5)):
                words = list(range(word + 1, word + 1 + sim.rng.randint(1, 3)))
                word = words[-1]
                self.sent += words
                session.send_audio(speak(words))
                if sim.chance(0.2):
                    session.finalize()
                if sim.chance(0.2):
                    session.pause()
                    sim.pause(0.2)
                    session.resume()
                sim.pause(0.2)
            if sim.chance(0.5):
                session.end_audio()
                self.complete = True
            else:
                sim.bounded("finish", 3.0 + 3.0 + 1.5, session.finish)
                self.complete = True
        except self.errors.SonioxError:
            pass

    def _interfere(self, session: Any) -> None:
        sim = self.simulation
        sim.pause(0.3)
        act = sim.rng.choice(("close", "keep_alive", "end_audio", "finish", "repr"))
        try:
            if act == "close":
                sim.bounded("close", CLOSE_SEC, session.close)
                sim.check(session.state in ("closed", "finished", "error", "canceled"), "not over")
            elif act == "repr":
                repr(session)
            else:
                getattr(session, act)()
        except self.errors.SonioxError:
            pass

    def _iterate(self, session: Any) -> None:
        try:
            for event in session:
                self.words += numbers_of(event.result.tokens)
            self.ended_well = True
        except self.errors.SonioxError:
            pass

    def _check_truth(self) -> None:
        sim = self.simulation
        expected = self.sent[: len(self.words)]
        sim.check(self.words == expected, f"heard {self.words}, said {self.sent}")
        if self.ended_well and not self.interrupted and self.complete:
            sim.check(self.words == self.sent, f"heard only {self.words} of {self.sent}")
