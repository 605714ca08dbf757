"""A fork at any point: nothing that the child inherits makes it wait, and what it makes works."""

from __future__ import annotations

from typing import Any, Callable

from tests.simulation.runner import Simulation
from tests.simulation.scenarios.connection import CLOSE_SEC, speak_and_check
from tests.simulation.scenarios.conversation import Talk
from tests.simulation.voices import CONFIG as VOICE
from tests.simulation.voices import Voices
from tests.simulation.words import CONFIG, Words, numbers_of, speak

STT_URL = "ws://localhost/transcribe"
TTS_URL = "ws://localhost/tts"
# nothing of the parent's is waited for: a look at what is over, or a thread for a signal handler
_USE_SEC = 1.0
# what was not started before works in the child
_WHOLE_SEC = 60.0

# what a child may do with what it inherits, by kind; each call in a random order
_USES: dict[str, tuple[Callable[[Any], object], ...]] = {
    "SttSession": (
        list,
        lambda it: it.send_audio(b"\0\0"),
        lambda it: it.finish(),
        lambda it: it.keep_alive(),
        lambda it: it.finalize(),
        lambda it: it.pause(),
        lambda it: it.resume(),
        lambda it: it.end_audio(),
        lambda it: it.read(),
    ),
    "TtsStream": (
        list,
        lambda it: it.send_text("x"),
        lambda it: it.read(),
        lambda it: it.wait(),
        lambda it: it.finish(),
        lambda it: it.cancel(),
    ),
    "TtsConnection": (
        lambda it: it.keep_alive(),
        lambda it: it.active_streams,
    ),
    "TtsPool": (lambda it: it.active_streams,),
    "Recording": (
        list,
        lambda it: it.wait(),
        lambda it: it.stop(),
        lambda it: it.pause(),
        lambda it: it.resume(),
        lambda it: it.finalize(),
        lambda it: it.reconnect(),
        lambda it: it.send_message({"type": "keepalive"}),
        lambda it: it.cancel(),
        lambda it: it.read(),
    ),
    "Transcription": (
        list,
        lambda it: it.read(),
        lambda it: it.next_event(),
        lambda it: it.recording.stop(),
    ),
    "Speech": (
        list,
        lambda it: it.read(),
        lambda it: it.cancel(),
        lambda it: it.spoken_text,
        lambda it: it.metrics,
    ),
    "Conversation": (
        list,
        lambda it: it.wait(),
        lambda it: it.say("x"),
        lambda it: it.interrupt(),
        lambda it: it.end_turn(),
        lambda it: it.messages(),
        lambda it: it.turns,
        lambda it: it.stop("x", timeout_sec=0.1),
        lambda it: setattr(it, "barge_in", True),
        lambda it: it.cancel(),
    ),
    "CancelToken": (lambda it: it.cancel("enough"), lambda it: it.wait(0.0)),
}
# what opens a connection of its own in the child
_REUSED = ("TtsConnection", "TtsPool")


def run(simulation: Simulation) -> None:
    """Use some things in threads, fork at some point, and use them all in the child."""
    _Forking(simulation).run()


class _Forking:
    def __init__(self, simulation: Simulation) -> None:
        self.simulation = sim = simulation
        self.errors = sim.soniox.errors
        self.things: list[Any] = []
        self.words = Words(sim.kernel, (sim.rng.choice((None, None, "reset")),))
        self.accept_words = sim.kernel.net.accept
        self.voices = Voices(sim.kernel)
        self.accept_voices = sim.kernel.net.accept
        self.client = self._client()
        self.cancel = sim.soniox.CancelToken()
        self.things.append(self.cancel)
        self.is_closing = False  # the pool

    def _client(self) -> Any:
        return self.simulation.soniox.SonioxClient(
            api_key="k", stt_ws_url=STT_URL, tts_ws_url=TTS_URL, timeout_sec=3.0
        )

    def run(self) -> None:
        sim = self.simulation
        kinds: tuple[Callable[[], None], ...] = (
            *(self._session, self._stream, self._connection, self._pool),
            *(self._recording, self._transcription, self._speech, self._conversation),
        )
        use = sim.rng.choice(kinds)
        is_hearing = use in (self._session, self._recording, self._transcription)
        sim.kernel.net.accept = self.accept_words if is_hearing else self.accept_voices
        for number in range(sim.rng.choice((1, 1, 2))):
            sim.thread(lambda: self._quietly(use), f"user {number}")
        self._let_them_run()
        sim.fork()
        self.idle = [thing for thing in self.things if getattr(thing, "recording", None)]
        self.idle = [thing for thing in self.idle if thing.recording.state == "idle"]
        for thing in sim.rng.sample(self.things, len(self.things)):
            self._use_inherited(thing)
        for thing in self.things:
            if type(thing).__name__ in _REUSED:
                self._use_again(thing)
            if hasattr(thing, "close"):
                self._quietly(
                    lambda thing=thing: sim.bounded(  # type: ignore[misc]
                        "close",
                        CLOSE_SEC if type(thing).__name__ in _REUSED else _USE_SEC,
                        thing.close,
                    )
                )
        self._use_new()

    def _let_them_run(self) -> None:
        """Have others run, and fork wherever they are, not only when all of them wait."""
        sim = self.simulation
        most = sim.rng.choice((30, 100, 300))
        sim.kernel.let_others_run(sim.rng.randint(1, most), 3.0)

    def _quietly(self, call: Callable[[], object]) -> None:
        try:
            call()
        except self.errors.SonioxError:
            pass

    # -- the parent ------------------------------------------------------------------------------

    def _made(self, thing: Any) -> Any:
        self.things.append(thing)
        return thing

    def _session(self) -> None:
        sim = self.simulation
        session = self._made(self.client.realtime.stt(**CONFIG, cancel=self.cancel))
        if sim.chance(0.5):
            session.on("result", lambda result: sim.pause(0.2))
        sim.thread(lambda: self._quietly(lambda: self._talk(session)), "sender")
        if not sim.chance(0.5):
            list(session)

    def _talk(self, session: Any) -> None:
        for word in range(1, 6):
            session.send_audio(speak([word]))
            self.simulation.pause(0.2)
        session.finish()
        session.close()

    def _stream(self) -> None:
        sim = self.simulation
        self._speak(self._made(self.client.realtime.tts(**VOICE)), sim.chance(0.5))

    def _speak(self, stream: Any, with_handler: bool) -> None:
        sim = self.simulation
        if with_handler:
            stream.on("audio", lambda audio: sim.pause(0.1))
        for text in ("some", "text"):
            stream.send_text(text)
            sim.pause(0.3)
        stream.finish()
        if with_handler:
            stream.wait()
        else:
            list(stream)
        stream.close()

    def _connection(self) -> None:
        connection = self._made(self.client.realtime.tts.multi_stream())
        connection.on("close", lambda: None)
        self._speak_on(connection)

    def _pool(self) -> None:
        pool = self.client.realtime.tts.pool(max_connections=self.simulation.rng.randint(1, 2))
        self._speak_on(self._made(pool))
        if self.simulation.chance(0.3):
            self.is_closing = True
            pool.close()

    def _speak_on(self, connection: Any) -> None:
        sim = self.simulation

        def one() -> None:
            self._speak(self._made(connection.stream(**VOICE)), sim.chance(0.3))

        for number in range(sim.rng.randint(0, 3)):
            sim.thread(lambda: self._quietly(one), f"speaker {number}")
        if sim.chance(0.2):
            sim.pause(0.5)
            for peer in self.voices.peers:  # streams move meanwhile
                peer.close(1000)
        one()

    def _chunks(self) -> Any:
        for word in range(1, 6):
            yield speak([word])
            self.simulation.pause(0.2)

    def _recording(self) -> None:
        recording = self.client.realtime.record(
            source=self.simulation.soniox.sources.IterableSource(self._chunks(), **CONFIG),
            session_config=CONFIG,
            auto_reconnect=True,
            cancel=self.cancel,
        )
        self._made(recording)
        if self.simulation.chance(0.3):
            recording.on("reconnecting", lambda event: self.simulation.pause(0.5))
        self._made(recording.source)
        list(recording)
        recording.close()

    def _transcription(self) -> None:
        transcription = self.client.realtime.transcribe(self._chunks(), pace=False, **CONFIG)
        list(self._made(transcription))

    def _speech(self) -> None:
        sim = self.simulation

        def text() -> Any:
            for word in ("One. ", "Two. ", "Three."):
                yield word
                sim.pause(0.3)

        speech = self.client.realtime.speak(sim.rng.choice((text(), "One. Two.")), **VOICE)
        list(self._made(speech))
        speech.close()

    def _conversation(self) -> None:
        talk = Talk(self.simulation)
        conversation = talk.open()
        self._made(conversation)
        self.simulation.thread(talk.talk, "caller")
        list(conversation)
        conversation.close()

    # -- the child -------------------------------------------------------------------------------

    def _use_inherited(self, thing: Any) -> None:
        sim = self.simulation
        uses = _USES.get(type(thing).__name__, ())
        for use in sim.rng.sample(uses, len(uses)):
            self._bounded(thing, lambda use=use: use(thing))  # type: ignore[misc]
        repr(thing)

    def _bounded(self, thing: Any, call: Callable[[], object]) -> None:
        what = f"in the child, something with {type(thing).__name__}"
        most_sec = _WHOLE_SEC if thing in self.idle else _USE_SEC
        self._quietly(lambda: self.simulation.bounded(what, most_sec, call))

    def _use_again(self, thing: Any) -> None:
        """Speak on what was made before the fork, and opens a connection of its own."""
        self.simulation.kernel.net.accept = self.accept_voices
        if self.is_closing:
            return
        stream = thing.stream(**VOICE)
        said = speak_and_check(self.simulation, stream, "again", "read")
        self.simulation.check(said == "again", f"{type(thing).__name__} does not work in the child")

    def _use_new(self) -> None:
        """Transcribe and speak, with the parent's client or a new one."""
        sim = self.simulation
        client = self.client if sim.chance(0.5) else self._client()
        Words(sim.kernel)
        heard: list[int] = []
        with client.realtime.stt(**CONFIG) as session:
            session.send_audio(speak([1, 2]))
            session.end_audio()
            for event in session:
                heard += numbers_of(event.result.tokens)
        sim.check(heard == [1, 2], f"a new session in the child heard {heard}")
        Voices(sim.kernel)
        stream = client.realtime.tts(**VOICE)
        said = speak_and_check(sim, stream, "new", sim.rng.choice(("read", "handlers")))
        sim.check(said == "new", f"a new stream in the child said {said}")
