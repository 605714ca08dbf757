"""The first cause of an end wins: an error frame, a loss, a close, a cancel, all at once."""

from __future__ import annotations

from typing import Any

from tests.simulation.runner import Simulation
from tests.simulation.words import CONFIG, Words, speak

URL = "ws://localhost/transcribe"


def run(simulation: Simulation) -> None:
    """End a session in several ways at once; everybody must see one and the same reason."""
    sim = simulation
    errors = sim.soniox.errors
    rng = sim.rng
    service = Words(sim.kernel, (None,))
    client = sim.soniox.SonioxClient(api_key="k", stt_ws_url=URL, timeout_sec=3.0)
    token = sim.soniox.CancelToken()
    seen: list[BaseException] = []
    cancelled: list[bool] = []  # cancel() has returned
    when_connecting = sim.chance(0.4)

    def server() -> None:
        peer: Any = service.peers[0] if service.peers else None
        if peer is None:
            return
        if rng.random() < 0.5:
            service.refuse(peer, 400, "invalid_request")
        else:
            peer.reset()

    def cancel() -> None:
        token.cancel()
        cancelled.append(True)

    def look(call: Any) -> None:
        try:
            call()
        except errors.SonioxError as error:
            seen.append(error)

    def open_and_use() -> None:
        session = client.realtime.stt(**CONFIG, options={"connect_timeout_sec": 2.0}, cancel=token)
        try:
            enders = [("canceller", cancel), ("server", server), ("closer", session.close)]
            rng.shuffle(enders)
            threads = [sim.thread(act, name) for name, act in enders[: rng.randint(1, 3)]]
            threads.append(sim.thread(lambda: look(session.finish), "finisher"))
            look(lambda: session.send_audio(speak([1])))
            look(lambda: list(session))  # and again: it does not wait
            look(lambda: list(session))
            for thread in threads:
                thread.join()
            sim.check(session.state.is_over or not cancelled, "cancelled, and still going on")
            _check(sim, session, seen)
        finally:
            session.close()

    if when_connecting:
        canceller = sim.thread(lambda: (sim.pause(0.3), cancel()), "early canceller")
    if sim.chance(0.3):
        sim.interrupt(within=80)
    try:
        look(open_and_use)
    except KeyboardInterrupt:
        sim.check(sim.kernel.struck, "an interrupt that nobody sent")
    sim.disarm()
    if when_connecting:
        canceller.join()


def _check(sim: Simulation, session: Any, seen: list[BaseException]) -> None:
    """Every caller got the session's one error, as an exception of its own."""
    errors = sim.soniox.errors
    # a StateError names what was refused after a close()
    reasons = {
        type(error).__name__ + str(error)
        for error in seen
        if not isinstance(error, errors.StateError)
    }
    sim.check(len(reasons) <= 1, f"more than one reason: {sorted(reasons)}")
    sim.check(len({id(error) for error in seen}) == len(seen), "two callers share an exception")
    if session.state == "canceled":
        sim.check(
            all(isinstance(e, (errors.AbortError, errors.StateError)) for e in seen),
            f"cancelled, but {seen}",
        )
