"""A pool of speech: many callers, few connections, moves, 429s, retirement, drain."""

from __future__ import annotations

from typing import Any

from tests.simulation.runner import Simulation
from tests.simulation.scenarios.connection import speak_and_check
from tests.simulation.voices import CONFIG, FAULTS, STREAM_FAULTS, Voices

URL = "ws://localhost/tts"
# after the drain: the connections in parallel
CLOSE_SEC = 2.0 + 0.5 + 2.0 + 2.0 + 0.5
_HOWS = ("read", "read", "iterate", "handlers", "cancel", "close", "other", "leave")


def run(simulation: Simulation) -> None:
    """Let callers speak on a pool whose connections are lost, and close it at some time."""
    _Pool(simulation).run()


class _Pool:
    def __init__(self, simulation: Simulation) -> None:
        self.simulation = sim = simulation
        rng = sim.rng
        self.errors = sim.soniox.errors
        self.service = Voices(
            sim.kernel,
            tuple(rng.choice((None, None, *FAULTS, "refuse")) for _ in range(rng.randint(0, 4))),
            tuple(rng.choice(STREAM_FAULTS) for _ in range(rng.choice((0, 6, 12)))),
        )
        if sim.chance(0.3):
            self.service.most_streams = rng.randint(1, 4)
        self.client = sim.soniox.SonioxClient(
            api_key="k", stt_ws_url=URL, tts_ws_url=URL, timeout_sec=3.0
        )
        self.callers = rng.choice((2, 3, 5, 8, 8, 16, 32))
        self.interrupted = sim.chance(0.2)

    def run(self) -> None:
        sim = self.simulation
        if self.interrupted:
            sim.interrupt(within=150, late=sim.chance(0.5))
        try:
            self._use()
        except KeyboardInterrupt:
            sim.check(sim.kernel.struck, "an interrupt that nobody sent")
        except self.errors.SonioxError:
            pass
        sim.disarm()
        sim.check(not self.service.violations, f"against the protocol: {self.service.violations}")

    def _use(self) -> None:
        sim = self.simulation
        pool = self.client.realtime.tts.pool(
            max_connections=sim.rng.randint(1, 3),
            connect_timeout_sec=2.0,
            ping_interval_sec=1.0,
            ping_timeout_sec=1.0,
        )
        with pool:
            threads = [
                sim.thread(lambda n=n: self._call(pool, n), f"caller {n}")
                for n in range(self.callers)
            ]
            if sim.chance(0.3):
                sim.thread(lambda: self._lose_some(), "network")
            drain_sec = None
            if sim.chance(0.4):
                sim.pause(1.0)
                sim.leaving()
                drain_sec = sim.rng.choice((0.0, 1.0, 10.0))
                sim.bounded(
                    "close of the pool", drain_sec + CLOSE_SEC, lambda: pool.close(drain_sec)
                )
            for thread in threads:
                thread.join()
            if not sim.kernel.struck:
                self._check_slots(pool)
            sim.leaving()

    def _check_slots(self, pool: Any) -> None:
        """Every slot comes back, at the latest when the wait for a confirmation ends."""
        sim = self.simulation
        for _ in range(24):
            if not pool.active_streams:
                return
            sim.time.sleep(0.5)
        sim.check(False, f"{pool.active_streams} slots are not free again")

    def _lose_some(self) -> None:
        """Close connections that may be idle, as the service does."""
        sim = self.simulation
        for _ in range(sim.rng.randint(1, 3)):
            sim.pause(0.5)
            alive = [peer for peer in self.service.peers if not peer.is_gone]
            if alive:
                peer = sim.rng.choice(alive)
                peer.close(1000)

    def _call(self, pool: Any, number: int) -> None:
        sim = self.simulation
        for _ in range(sim.rng.randint(1, 2)):
            try:
                stream = pool.stream(**CONFIG, wait_sec=sim.rng.choice((None, None, 0.0, 2.0)))
            except self.errors.SonioxError:
                continue
            sim.pause(0.1)
            text = f"<{number}>" * sim.rng.randint(0, 8)
            speak_and_check(sim, stream, text, sim.rng.choice(_HOWS))
