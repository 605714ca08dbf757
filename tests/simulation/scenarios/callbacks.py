"""Handlers: ones that block, close, raise, register others; in order, and to their end."""

from __future__ import annotations

from typing import Any

from tests.simulation.runner import Simulation
from tests.simulation.words import CONFIG, FAULTS, Words, numbers_of, speak

URL = "ws://localhost/transcribe"
# finishing, handlers that are due, and the end of the connection
LEAVE_SEC = 3.0 + 3.0 + 10.0 + 3.5


def run(simulation: Simulation) -> None:
    """Push results to handlers while they and other threads close, block and raise."""
    _Callbacks(simulation).run()


class _Callbacks:
    def __init__(self, simulation: Simulation) -> None:
        self.simulation = sim = simulation
        self.errors = sim.soniox.errors
        self.service = Words(sim.kernel, (sim.rng.choice((None, None, *FAULTS)),))
        self.client = sim.soniox.SonioxClient(api_key="k", stt_ws_url=URL, timeout_sec=3.0)
        self.words: list[int] = []
        self.sent: list[int] = []
        self.running = 0  # handlers at this moment
        self.calls: list[str] = []
        self.act = sim.rng.choice(("none", "none", "block", "close", "raise", "off", "once"))
        self.interrupted = sim.chance(0.2)
        self.whole = False
        sim.allowed_logs = ("! the handler of",)

    def run(self) -> None:
        sim = self.simulation
        if self.interrupted:
            sim.interrupt(within=120, late=sim.chance(0.5))
        try:
            self._use()
        except KeyboardInterrupt:
            sim.check(sim.kernel.struck, "an interrupt that nobody sent")
        except self.errors.SonioxError:
            pass
        sim.disarm()
        self._check_truth()

    def _use(self) -> None:
        sim = self.simulation
        options = {"connect_timeout_sec": 2.0, "finish_timeout_sec": 3.0}
        session = self.client.realtime.stt(**CONFIG, options=options)
        began, slack = sim.kernel.now, sim.kernel.slack_sec
        with session:
            session.on("state_change", lambda change: self._enter(session, "state"))
            session.on("result", lambda result: self._result(session, result))
            for name in ("error", "finished", "disconnected"):
                session.on(name, lambda *_, name=name: self._enter(session, name))
            if self.act == "once":
                session.once("result", lambda result: self._enter(session, "once"))
            for word in range(1, sim.rng.randint(2, 6)):
                self.sent.append(word)
                session.send_audio(speak([word]))
                sim.pause(0.1)
            if sim.chance(0.3):
                sim.thread(session.close, "closer")
                sim.pause(0.1)
            sim.leaving()
            session.finish()
            self.whole = True
            began, slack = sim.kernel.now, sim.kernel.slack_sec
        took = sim.kernel.now - began - (sim.kernel.slack_sec - slack)
        sim.check(took < LEAVE_SEC, f"leaving took {took} s")

    def _result(self, session: Any, result: Any) -> None:
        self._enter(session, "result")
        self.words += numbers_of(result.tokens)

    def _enter(self, session: Any, name: str) -> None:
        """Be a handler: no two run at once; do what this scenario is about."""
        sim = self.simulation
        self.running += 1
        sim.check(self.running == 1, f"two handlers at once: {self.calls} and {name}")
        self.calls.append(name)
        try:
            if self.act == "block" and sim.chance(0.3):
                sim.time.sleep(sim.rng.choice((0.01, 1.0)))
            elif self.act == "close" and sim.chance(0.3):
                sim.bounded("close in a handler", 4.5, session.close)
            elif self.act == "off" and name == "state":
                session.off("state_change")
            elif self.act == "raise" and name == "result":
                raise ValueError("planned")
        finally:
            self.running -= 1

    def _check_truth(self) -> None:
        sim, calls = self.simulation, self.calls
        expected = self.sent[: len(self.words)]
        sim.check(self.words == expected, f"handlers got {self.words}, said {self.sent}")
        # "error" also has what handlers raise
        for name in ("finished", "disconnected", "once"):
            sim.check(calls.count(name) <= 1, f"{name} more than once: {calls}")
        if "disconnected" in calls and self.act != "raise":
            sim.check(calls[-1] == "disconnected", f"something after the end: {calls}")
        if self.whole and self.act in ("none", "once", "off") and not self.interrupted:
            sim.check(self.words == self.sent, f"handlers got {self.words} of {self.sent}")
            sim.check("finished" in calls, f"finished was not reported: {calls}")
