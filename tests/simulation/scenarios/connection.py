"""Five streams of speech on one connection: cancel, errors, late frames, ids used again."""

from __future__ import annotations

from typing import Any, Optional

from tests.simulation.runner import Simulation
from tests.simulation.voices import CONFIG, FAULTS, STREAM_FAULTS, Voices, heard

URL = "ws://localhost/tts"
# the server's confirmation; the close frame, the answer to it, and the reader's end
CLOSE_SEC = 2.0 + 0.5 + 2.0 + 2.0 + 0.5
_ALPHABET = "abcdefghijklmnopqrstuvwxyz"


def run(simulation: Simulation) -> None:
    """Speak a few texts at once while streams are cancelled and the connection is lost."""
    _Connection(simulation).run()


class _Connection:
    def __init__(self, simulation: Simulation) -> None:
        self.simulation = sim = simulation
        rng = sim.rng
        self.errors = sim.soniox.errors
        self.service = Voices(
            sim.kernel,
            (rng.choice((None, None, *FAULTS, "refuse", "hang")), rng.choice((None, "reset"))),
            tuple(rng.choice(STREAM_FAULTS) for _ in range(8)),
        )
        self.client = sim.soniox.SonioxClient(
            api_key="k", stt_ws_url=URL, tts_ws_url=URL, timeout_sec=3.0
        )
        self.interrupted = sim.chance(0.25)

    def run(self) -> None:
        sim = self.simulation
        if self.interrupted:
            sim.interrupt(within=200, late=sim.chance(0.5))
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
        with self.client.realtime.tts.multi_stream(
            connect_timeout_sec=2.0, ping_interval_sec=1.0, ping_timeout_sec=1.0
        ) as connection:
            threads = [
                sim.thread(lambda n=n: self._speak_some(connection, n), f"speaker {n}")
                for n in range(sim.rng.randint(1, 5))
            ]
            if sim.chance(0.3):
                sim.pause(0.5)
                sim.leaving()
                sim.bounded("close", CLOSE_SEC, connection.close)
            elif sim.chance(0.5):
                self._speak_some(connection, 9)
            sim.leaving()
            for thread in threads:
                thread.join()

    def _speak_some(self, connection: Any, number: int) -> None:
        """Speak one or two texts, one after the other, perhaps with the same id."""
        sim = self.simulation
        same_id = f"s{number}" if sim.chance(0.5) else None
        for _ in range(sim.rng.randint(1, 2)):
            wait_sec = sim.rng.choice((None, 1.0))
            fields = {} if same_id is None else {"stream_id": same_id}
            try:
                stream = connection.stream(**CONFIG, **fields, wait_sec=wait_sec)
            except self.errors.SonioxError:
                continue
            self._speak(stream)

    def _speak(self, stream: Any) -> None:
        sim = self.simulation
        text = "".join(sim.rng.choice(_ALPHABET) for _ in range(sim.rng.randint(0, 40)))
        how = sim.rng.choice(("read", "iterate", "handlers", "cancel", "close", "other", "leave"))
        speak_and_check(sim, stream, text, how)


def speak_and_check(
    sim: Simulation, stream: Any, text: str, how: str, *, closing: bool = False
) -> Optional[str]:
    """Speak a text on a stream; fail the run if it is not heard whole, or visibly failed.

    Return what was heard whole, `None` after a failure or a cancel.
    """
    errors = sim.soniox.errors
    got: list[bytes] = []
    try:
        with stream:
            half = len(text) // 2
            late = sim.chance(0.5)
            if how == "handlers" and not late:
                stream.on("audio", got.append)
            stream.send_text(text[:half])
            sim.pause(0.2)
            if how == "handlers" and late:  # what waits already is pushed, too
                stream.on("audio", got.append)
            stream.send_text(text[half:], end=True)
            if how == "cancel":
                sim.pause(0.2)
                stream.cancel()
                return None
            if how == "close":
                sim.bounded("close of a stream", CLOSE_SEC, stream.close)
                return None
            if how == "leave":
                return None
            if how == "other":
                begun = sim.threading.Event()
                sim.thread(lambda: _cancel_later(sim, stream, begun), "canceller")
                for chunk in stream:
                    begun.set()
                    got.append(chunk)
                said = heard(b"".join(got))
                sim.check(text.startswith(said), f"heard {said!r} of {text!r}")
                return None
            if how == "handlers":
                over = sim.threading.Event()
                stream.on("terminated", over.set)  # the handlers before it have run by then
                stream.wait(60.0)
                over.wait(60.0)
            elif how == "read":
                got.append(stream.read())
            else:
                got.extend(stream)
    except errors.SonioxError:
        said = heard(b"".join(got))
        sim.check(text.startswith(said), f"heard {said!r} before the failure of {text!r}")
        return None
    said = heard(b"".join(got))
    sim.check(said == text, f"heard {said!r}, the text was {text!r}")
    return said


def _cancel_later(sim: Simulation, stream: Any, begun: Any) -> None:
    begun.wait(1.0)
    sim.pause(0.1)
    stream.cancel()
