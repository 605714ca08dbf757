"""A recording: loss, rotation, stop, pause, a config that blocks or fails, cancel, Ctrl-C."""

from __future__ import annotations

from typing import Any

from tests.simulation.runner import Simulation
from tests.simulation.words import CONFIG, FAULTS, Words, numbers_of, speak

URL = "ws://localhost/transcribe"
# close() waits for the pump, and for handlers; none of them blocks here
CLOSE_SEC = 5.0 + 0.5
_GAP_MS = 40


class PlannedError(Exception):
    """Raised by code of the user's, on purpose."""


def run(simulation: Simulation) -> None:
    """Record a few words over sessions that are lost, while somebody stops, pauses or cancels."""
    _Recording(simulation).run()


class _LiveSource:
    """A microphone: it delivers in real time and must not be held back."""

    is_live = True

    def __init__(self, scenario: _Recording) -> None:
        self._scenario = scenario
        self._is_stopped = False
        self._thread: Any = None

    def start(self, handlers: Any) -> None:
        def deliver() -> None:
            for chunk in self._scenario.chunks():
                if self._is_stopped:
                    return
                handlers.on_data(chunk)
            handlers.on_end()

        self._thread = self._scenario.simulation.thread(deliver, "microphone")

    def stop(self) -> None:
        self._is_stopped = True
        sim = self._scenario.simulation
        thread = self._thread  # None: Ctrl-C struck in start()
        if thread is not None and sim.threading.current_thread() is not thread:
            thread.join()


class _Recording:
    def __init__(self, simulation: Simulation) -> None:
        self.simulation = sim = simulation
        self.errors = sim.soniox.errors
        rng = sim.rng
        faults = [
            rng.choice((None, *FAULTS, "refuse", "http 503"))
            for _ in range(rng.choice((0, 1, 1, 2, 3)))
        ]
        self.service = Words(sim.kernel, tuple(faults))
        self.client = sim.soniox.SonioxClient(api_key="k", stt_ws_url=URL, timeout_sec=3.0)
        self.cancel = sim.soniox.CancelToken() if sim.chance(0.2) else None
        self.count = rng.randint(1, 12)
        self.delivered: list[int] = []
        self.captured = 0  # the last word whose handler has returned
        self.promised = 0  # the last word that was captured before stop()
        self.words: list[int] = []
        self.paused = self.stopped = False  # ever
        self.ended_well = False
        self.interrupted = sim.chance(0.2)
        self.is_live = sim.chance(0.5)

    def chunks(self) -> Any:
        """Speak word by word, in real time or faster."""
        sim = self.simulation
        for number in range(1, self.count + 1):
            self.delivered.append(number)
            yield speak([number], _GAP_MS)
            self.captured = number
            if self.is_live or sim.chance(0.3):
                sim.time.sleep(0.14)

    def _config(self, _: Any) -> Any:
        sim = self.simulation
        if sim.chance(0.2):
            sim.time.sleep(sim.rng.choice((0.1, 3.0)))
        if sim.chance(0.05):
            raise PlannedError("no config today")
        return CONFIG

    def run(self) -> None:
        sim = self.simulation
        if self.interrupted:
            sim.interrupt(within=200, late=sim.chance(0.5))
        try:
            self._use()
        except KeyboardInterrupt:
            sim.check(sim.kernel.struck, "an interrupt that nobody sent")
        except (self.errors.SonioxError, PlannedError):
            pass
        sim.disarm()
        self._check_truth()

    def _start(self) -> Any:
        sim = self.simulation
        source: Any = _LiveSource(self)
        if not self.is_live:
            source = sim.soniox.sources.IterableSource(self.chunks(), **CONFIG)
        options: dict[str, Any] = {
            "source": source,
            "session_options": {
                "connect_timeout_sec": 2.0,
                "ping_interval_sec": 1.0,
                "ping_timeout_sec": 1.0,
            },
            "auto_reconnect": sim.chance(0.85),
            "max_reconnect_attempts": 6,
            "reconnect_base_delay_sec": 0.2,
            "cancel": self.cancel,
        }
        if sim.chance(0.3):
            options["rotate_after_sec"] = 1.0
        options["session_config"] = self._config if sim.chance(0.3) else CONFIG
        return self.client.realtime.record(**options)

    def _use(self) -> None:
        sim = self.simulation
        with self._start() as recording:
            self.recording = recording
            threads = []
            if self.cancel is not None:
                threads.append(sim.thread(self._cancel, "canceller"))
            if sim.chance(0.6):
                threads.append(sim.thread(lambda: self._interfere(recording), "other"))
            if sim.chance(0.8):
                self._iterate(recording)
            else:
                threads.append(sim.thread(lambda: self._iterate(recording), "consumer"))
                sim.pause(2.0)
                if sim.chance(0.5):
                    self._stop(recording)
            sim.leaving()
            if sim.chance(0.3):
                sim.bounded("close", CLOSE_SEC, recording.close)
            for thread in threads:
                thread.join()

    def _cancel(self) -> None:
        self.simulation.pause(2.0)
        assert self.cancel is not None
        self.cancel.cancel()

    def _stop(self, recording: Any) -> None:
        if not self.stopped:
            self.stopped, self.promised = True, self.captured
        recording.stop(60.0)
        state = recording.state
        self.simulation.check(state.is_over, f"stopped, but {state}")

    def _interfere(self, recording: Any) -> None:
        sim = self.simulation
        try:
            for _ in range(sim.rng.randint(1, 3)):
                sim.pause(1.0)
                act = sim.rng.choice(
                    ("stop", "close", "cancel", "pause", "finalize", "reconnect", "message", "repr")
                )
                sim.note(act)
                if act == "pause":
                    self.paused = True
                    recording.pause()
                    sim.pause(0.5)
                    recording.resume()
                elif act == "close":
                    sim.bounded("close", CLOSE_SEC, recording.close)
                elif act == "message":
                    recording.send_message({"type": "keepalive"})
                elif act == "repr":
                    repr(recording)
                elif act == "stop":
                    self._stop(recording)
                else:
                    getattr(recording, act)()
        except (self.errors.SonioxError, PlannedError):
            pass

    def _iterate(self, recording: Any) -> None:
        try:
            for event in recording:
                self.words += numbers_of(event.result.tokens)
            self.ended_well = True
        except (self.errors.SonioxError, PlannedError):
            pass

    def _check_truth(self) -> None:
        sim = self.simulation
        words, delivered = self.words, self.delivered
        sim.check(
            words == sorted(set(words)) and set(words) <= set(delivered),
            f"heard {words}, said {delivered}",
        )
        if self.ended_well and not (self.paused or self.interrupted or self.recording.lost_ms):
            whole = words == delivered
            if self.stopped:  # what was on its way meanwhile may be lost
                whole = words == delivered[: len(words)] and len(words) >= self.promised
            sim.check(whole, f"heard only {words} of {delivered}")
