"""A conversation: its threads, while the user talks, interrupts and hangs up, and others act."""

from __future__ import annotations

from typing import Any

from tests.simulation.runner import Simulation

# close() waits for threads that nothing holds, and for handlers; `reply` may be in its pause
CLOSE_SEC = 5.0 + 0.5 + 3.5
_BYTES_PER_CHAR = 800  # 50 ms


def run(simulation: Simulation) -> None:
    """Converse over a recogniser, a voice and a sink that are played here."""
    Talk(simulation).run()


class _Recording:
    """Recording whose events the scenario sends."""

    def __init__(self, simulation: Simulation) -> None:
        self.events = simulation.queue.SimpleQueue()
        self._abort = simulation.soniox.errors.AbortError

    def __iter__(self) -> Any:
        while (event := self.events.get()) is not None:
            if event == "abort":
                raise self._abort("cancelled")
            yield event

    def start(self) -> None:
        """Nothing is opened."""

    def stop(self, timeout_sec: Any = None) -> None:
        self.events.put(None)

    def cancel(self) -> None:
        self.events.put("abort")

    close = cancel

    def finalize(self) -> None:
        """Nothing answers."""


class _Source:
    """Source that only has a format."""

    audio = None


class _Pool:
    def warm(self) -> None:
        """Connect nothing."""

    def close(self, timeout_sec: float) -> None:
        """Close nothing."""


class _Speech:
    """Speech of what it is given, character by character."""

    def __init__(self, talk: Talk, text: Any) -> None:
        self._talk, self._text = talk, text
        self.is_cancelled = False
        self.spoken_text = ""

    def events(self) -> Any:
        sim, chunk = self._talk.simulation, self._talk.chunk
        for text in self._text:
            sim.pause(0.1)
            if self.is_cancelled:
                return
            self.spoken_text += text
            yield chunk(bytes(_BYTES_PER_CHAR * len(text)), None, False)

    def cancel(self) -> None:
        self.is_cancelled = True


class Talk:
    def __init__(self, simulation: Simulation) -> None:
        self.simulation = sim = simulation
        self.chunk = sim.module("protocol.tts").AudioChunk
        self.tokens = sim.module("protocol.tokens")
        self.recording = _Recording(sim)
        self.said: list[str] = []
        self.running = 0
        self.asked: list[str] = []
        self.written = 0
        self.is_gone = False
        self.ended_well = False

    def open(self) -> Any:
        sim = self.simulation
        clock = sim.module("runtime.clock").process_clock
        parts = "realtime.conversation"
        ears = sim.module(f"{parts}.ears").Ears(
            _Source(), False, lambda: self.runtime.hang_up(), clock
        )
        options = sim.soniox.ConversationOptions(
            barge_in=sim.chance(0.8), false_interruption_sec=sim.rng.choice((None, 0.2))
        )
        self.runtime = sim.module(f"{parts}.runtime").ConversationRuntime(
            options,
            ("mhm",),
            {"voice": "Adrian"},
            self.recording,
            ears,
            sim.module(f"{parts}.sinks").Sink(self),
            _Pool(),
            lambda text, voice: _Speech(self, text),
            sim.module("audio.formats").RawAudio("pcm_s16le", 8000),
            self._reply,
            None,
            clock,
            "soniox-conversation-1",
        )
        conversation = sim.module(f"{parts}.conversation").Conversation(self.runtime, None, dict)
        self.runtime.start()
        return conversation

    # -- the sink --------------------------------------------------------------------------------

    def write(self, data: bytes) -> bool:
        self.written += len(data)
        if self.simulation.chance(0.1):
            self.simulation.pause(0.2)
        return not self.is_gone

    def clear(self) -> None:
        """Drop what was written."""

    # -- the user's code -------------------------------------------------------------------------

    def _reply(self, text: str) -> Any:
        sim = self.simulation
        self.running += 1
        sim.check(self.running == 1, "two calls of reply at a time")
        self.asked.append(text)
        try:
            for number in range(sim.rng.randint(0, 3)):
                sim.pause(0.3)
                yield f"Part {number}. "
        finally:
            self.running -= 1

    def _hear(self, words: list[str], is_final: bool) -> None:
        tokens = [self.tokens.Token(f" {word}", is_final=is_final) for word in words]
        result = self.tokens.Result(tokens)
        self.recording.events.put(self.tokens.SttEvent("result", result))

    def talk(self) -> None:
        """Speak some turns, then hang up."""
        sim = self.simulation
        number = 0
        for _ in range(sim.rng.randint(1, 4)):
            words = [f"w{number + each}" for each in range(sim.rng.randint(1, 2))]
            number += len(words)
            if sim.chance(0.5):
                self._hear(words, False)
                sim.pause(0.3)
            if sim.chance(0.85):
                self._hear(words, True)
                self.said += words
                event = self.tokens.SttEvent("endpoint", self.tokens.Result())
                self.recording.events.put(event)
            else:
                self._hear([], False)  # taken back
            sim.pause(1.0)
        if sim.chance(0.3):
            self.is_gone = True
        self.runtime.hang_up()

    def _interfere(self, conversation: Any) -> None:
        sim = self.simulation
        sim.pause(1.0)
        act = sim.rng.choice(("say", "interrupt", "stop", "cancel", "close", "messages"))
        try:
            if act == "say":
                conversation.say("One moment.", remember=sim.chance(0.5))
            elif act == "stop":
                conversation.stop("Bye.", timeout_sec=5.0)
            elif act == "messages":
                conversation.messages()
            elif act == "close":
                sim.bounded("close", CLOSE_SEC, conversation.close)
            else:
                getattr(conversation, act)()
        except sim.soniox.errors.SonioxError:
            pass  # it was over, or the farewell took too long

    # -- one run ---------------------------------------------------------------------------------

    def run(self) -> None:
        sim = self.simulation
        with self.open() as conversation:
            threads = [sim.thread(self.talk, "user")]
            if sim.chance(0.7):
                threads.append(sim.thread(lambda: self._interfere(conversation), "other"))
            turns = []
            for turn in conversation:
                turns.append(turn)
                if sim.chance(0.1):
                    break
            for thread in threads:
                thread.join()
            sim.bounded("close", CLOSE_SEC, conversation.close)
        self._check(conversation)

    def _check(self, conversation: Any) -> None:
        sim = self.simulation
        words = " ".join(turn.user_text for turn in conversation.turns).split()
        sim.check(len(words) == len(set(words)), f"a word in two turns: {words}")
        sim.check(set(words) <= set(self.said), f"a word that nobody said: {words}")
        if conversation.ended_by == "user":
            sim.check(words == self.said, f"{self.said} became {words}")
        sim.check(self.running == 0 or conversation.ended_by != "user", "a reply that goes on")
        for turn in conversation.turns:
            heard = turn.agent_text_heard
            sim.check(turn.agent_text.startswith(heard), f"heard {heard!r}, said {turn!r}")
