"""The interpreter exits while threads run: they stop wherever they are, lock in hand or not."""

from __future__ import annotations

from typing import Any

from tests.simulation.runner import Simulation
from tests.simulation.voices import CONFIG as VOICE
from tests.simulation.voices import Voices
from tests.simulation.words import CONFIG, Words, speak

STT_URL = "ws://localhost/transcribe"
TTS_URL = "ws://localhost/tts"


def run(simulation: Simulation) -> None:
    """Use one thing, stop all other threads somewhere, and end what the main thread holds."""
    sim = simulation
    use = sim.rng.choice((_session, _stream, _pool, _recording, _speech))
    errors = sim.soniox.errors
    things: list[Any] = []
    workers = [sim.thread(lambda: _quietly(errors, lambda: use(sim, things)), "user")]
    sim.pause(1.0)
    if not things:
        workers[0].join()
    sim.kernel.exit_interpreter()
    began = sim.kernel.now
    # what finalizers and `finally` blocks of generators call while the interpreter shuts down
    for thing in things:
        for name in ("close", "cancel"):
            if hasattr(thing, name):
                _quietly(errors, getattr(thing, name))
    things.clear()
    sim.check(sim.kernel.now - began < 1.0, "waited for threads that do not run any more")


def _quietly(errors: Any, call: Any) -> None:
    try:
        call()
    except errors.SonioxError:
        pass


def _client(sim: Simulation) -> Any:
    return sim.soniox.SonioxClient(api_key="k", stt_ws_url=STT_URL, tts_ws_url=TTS_URL)


def _session(sim: Simulation, things: list[Any]) -> None:
    Words(sim.kernel)
    session = _client(sim).realtime.stt(**CONFIG)
    things.append(session)
    session.on("result", lambda result: sim.time.sleep(0.1))
    for word in range(1, 6):
        session.send_audio(speak([word]))
        sim.pause(0.1)
    session.finish()


def _recording(sim: Simulation, things: list[Any]) -> None:
    Words(sim.kernel, (sim.rng.choice((None, "reset")),))

    def chunks() -> Any:
        for word in range(1, 6):
            yield speak([word])
            sim.pause(0.1)

    source = sim.soniox.sources.IterableSource(chunks(), **CONFIG)
    recording = _client(sim).realtime.record(
        source=source, session_config=CONFIG, auto_reconnect=True
    )
    things.append(recording)
    list(recording)


def _stream(sim: Simulation, things: list[Any]) -> None:
    Voices(sim.kernel)
    stream = _client(sim).realtime.tts(**VOICE)
    things.append(stream)
    stream.send_text("some text", end=True)
    list(stream)


def _pool(sim: Simulation, things: list[Any]) -> None:
    Voices(sim.kernel)
    pool = _client(sim).realtime.tts.pool()
    things.append(pool)
    for _ in range(2):
        stream = pool.stream(**VOICE)
        things.append(stream)
        stream.send_text("some text", end=True)
        list(stream)


def _speech(sim: Simulation, things: list[Any]) -> None:
    Voices(sim.kernel)
    speech = _client(sim).realtime.speak("One. Two. Three.", **VOICE)
    things.append(speech)
    list(speech)
