"""Sinks that fail, hang or say nonsense, at any moment: how the conversation ends."""

from __future__ import annotations

import threading
from typing import Any, Callable, Optional

import pytest

from soniox_sync import ConfigurationError, ConversationState, SonioxTimeoutError, StateError
from soniox_sync.errors import InputTypeError
from soniox_sync.realtime.conversation import sinks
from soniox_sync.realtime.conversation.sinks import Sink
from tests.realtime.conversation.stage import CHAR_MS, FakeSink, Stage
from tests.waiting import WAIT, eventually

LONG = "One two three four five six seven eight nine ten."


class Failing(FakeSink):
    """Sink whose members raise what they are told to."""

    def __init__(self) -> None:
        super().__init__(is_fast=False)
        self.errors: dict[str, BaseException] = {}

    def _fail(self, name: str) -> None:
        if name in self.errors:
            raise self.errors[name]

    def write(self, data: bytes) -> None:
        self._fail("write")
        super().write(data)

    def clear(self) -> None:
        self._fail("clear")
        super().clear()

    @property
    def played_ms(self) -> float:
        self._fail("played_ms")
        return super().played_ms


def speaking(stage: Stage, sink: FakeSink, heard: str) -> None:
    """Let the agent say a long text, and the sink play some of it."""
    stage.ask("hello")
    eventually(lambda: sink.waiting_ms >= len(LONG) * CHAR_MS - 1)
    sink.play(CHAR_MS * len(heard))
    stage.until("speaking")


def fail_write(stage: Stage) -> None:
    stage.conversation.say("More of it.")
    stage.sink.play(float("inf"))


@pytest.mark.parametrize("error", [RuntimeError("device lost"), SystemExit(3)])
@pytest.mark.parametrize(
    ("name", "provoke", "heard"),
    [
        ("clear", lambda stage: stage.hear("stop"), "One two three"),
        ("clear", lambda stage: stage.conversation.interrupt(), "One two three"),
        ("played_ms", lambda stage: None, "One two three"),
        ("write", fail_write, LONG),
    ],
)
def test_an_error_of_the_sink_ends_the_conversation_visibly(
    name: str, provoke: Callable[[Stage], Any], heard: str, error: BaseException
) -> None:
    """The turn comes with what was heard until then, the state is `ended`, and the loop raises."""
    sink = Failing()
    with Stage(lambda *_: LONG, sink=sink) as stage:
        speaking(stage, sink, "One two three fo")
        sink.errors[name] = error
        provoke(stage)
        turns = []
        with pytest.raises(type(error)) as caught:
            for turn in stage.conversation:
                turns.append(turn)
        assert caught.value is error
        assert turns[0].agent_text_heard == heard
        assert turns[0].interrupted is (heard != LONG)
        assert turns[0] == stage.conversation.turns[0]
        with pytest.raises(type(error)):
            stage.conversation.wait(0)
        assert stage.conversation.state is ConversationState.ENDED
        assert stage.conversation.ended_by == "error"
        eventually(lambda: stage.reasons[-1] == "stopped")


def test_an_error_in_the_middle_of_an_answer_keeps_what_was_heard() -> None:
    """To the last whole word that the sink had played when writing failed."""
    sink = FakeSink()

    def fail_at_last() -> None:
        if len(sink.written) == len("One two th"):
            raise OSError("device lost")

    sink.on_write = fail_at_last
    with Stage(lambda *_: LONG, sink=sink) as stage:
        stage.ask("hello")
        turns = []
        with pytest.raises(OSError, match="device lost"):
            for turn in stage.conversation:
                turns.append(turn)
        assert [(turn.agent_text_heard, turn.interrupted) for turn in turns] == [("One two", True)]
        eventually(lambda: stage.reasons[-1] == "stopped")


def test_the_first_cause_is_raised() -> None:
    """That the sink cannot be cleared because of it comes second."""
    sink = Failing()

    def reply(text: str, conversation: Any) -> Any:
        yield LONG
        assert may_fail.wait(WAIT)
        raise ZeroDivisionError("first")

    may_fail = threading.Event()
    with Stage(reply, sink=sink) as stage:
        speaking(stage, sink, "One two")
        sink.errors["clear"] = RuntimeError("second")
        may_fail.set()
        with pytest.raises(ZeroDivisionError, match="first"):
            list(stage.conversation)
        assert stage.conversation.turns[0].interrupted
    sink = Failing()
    with Stage(lambda *_: LONG, sink=sink) as stage:
        speaking(stage, sink, "One two")
        sink.errors["clear"] = RuntimeError("second")
        stage.conversation.cancel()
        assert [turn.interrupted for turn in stage.conversation] == [True]
        assert stage.conversation.ended_by == "cancel"


def test_a_peer_that_is_gone_when_it_is_asked_is_a_hang_up() -> None:
    """As when it is written to."""
    sink = Failing()
    with Stage(lambda *_: LONG, sink=sink) as stage:
        speaking(stage, sink, "One two")
        sink.errors["played_ms"] = sink.errors["clear"] = BrokenPipeError()
        assert [turn.interrupted for turn in stage.conversation] == [True]
        assert stage.conversation.ended_by == "user"


def test_a_sink_that_cannot_be_cleared_after_a_cut_is_an_error() -> None:
    """What was being written when the agent was cut would sound."""
    sink = FakeSink(is_fast=False)
    is_writing, may_write = threading.Event(), threading.Event()

    def block() -> None:
        is_writing.set()
        assert may_write.wait(WAIT)

    with Stage(lambda *_: LONG, sink=sink) as stage:
        speaking(stage, sink, "One two")
        sink.on_write = block
        stage.conversation.say("More of it.")
        sink.play(float("inf"))
        assert is_writing.wait(WAIT)
        cleared = sink.cleared
        stage.conversation.interrupt()
        eventually(lambda: sink.cleared > cleared)
        sink.clear = lambda: 1 // 0  # type: ignore[assignment, method-assign, return-value]
        stage.runtime._sink._clear = sink.clear
        may_write.set()
        with pytest.raises(ZeroDivisionError):
            list(stage.conversation)


def test_a_clear_that_blocks_holds_nobody_for_long(monkeypatch: pytest.MonkeyPatch) -> None:
    """After a while it counts as failed: the loop ends, and so does `close()`."""
    monkeypatch.setattr(sinks, "_CLEAR_SEC", 0.02)
    may_clear, calls = threading.Event(), []

    class Hanging(FakeSink):
        def clear(self) -> None:
            calls.append(1)
            assert may_clear.wait(WAIT)

    sink = Hanging(is_fast=False)
    with Stage(lambda *_: LONG, sink=sink) as stage:
        speaking(stage, sink, "One two")
        stage.hear("stop")
        turns = []
        with pytest.raises(SonioxTimeoutError, match=r"clear\(\) has not returned within 0\.02 s"):
            for turn in stage.conversation:
                turns.append(turn)
        assert turns[0].agent_text_heard == "One two"
        assert stage.runtime.over.is_set()
        assert calls == [1]
        may_clear.set()
        eventually(lambda: not sinks_threads(), "the thread to end")


def sinks_threads() -> list[threading.Thread]:
    return [each for each in threading.enumerate() if each.name == "soniox-conversation-clear"]


def test_a_clear_that_returned_late_is_called_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """It may have been slow once."""
    monkeypatch.setattr(sinks, "_CLEAR_SEC", 0.01)
    may_clear, calls = threading.Event(), []

    class Slow(FakeSink):
        def clear(self) -> None:
            calls.append(1)
            may_clear.wait(WAIT)

    sink = Sink(Slow())
    for _ in range(2):
        with pytest.raises(SonioxTimeoutError):
            sink.clear()
    assert calls == [1]
    may_clear.set()
    eventually(lambda: not sinks_threads())
    monkeypatch.setattr(sinks, "_CLEAR_SEC", WAIT)
    sink.clear()
    assert calls == [1, 1]


@pytest.mark.parametrize("where", ["write", "clear", "played_ms"])
@pytest.mark.parametrize("call", ["close", "stop"])
def test_the_sink_may_end_the_conversation(where: str, call: str) -> None:
    """It does not wait there for threads that wait for it."""

    class Ending(FakeSink):
        conversation: Optional[Any] = None
        was_over: Optional[bool] = None

        def _end(self, name: str) -> None:
            if name == where and self.conversation is not None:
                conversation, self.conversation = self.conversation, None
                getattr(conversation, call)()
                self.was_over = conversation._runtime.over.is_set()

        def write(self, data: bytes) -> None:
            super().write(data)
            self._end("write")

        def clear(self) -> None:
            super().clear()
            self._end("clear")

        @property
        def played_ms(self) -> float:
            self._end("played_ms")
            return super().played_ms

    sink = Ending(is_fast=where != "clear")
    with Stage(lambda *_: LONG, sink=sink) as stage:
        sink.conversation = stage.conversation
        stage.ask("hello")
        if where == "clear":
            eventually(lambda: sink.waiting_ms)
            stage.conversation.interrupt()
        stage.conversation.wait(WAIT)
        assert stage.conversation.ended_by == ("cancel" if call == "close" else "agent")
        eventually(stage.runtime.over.is_set)
    assert sink.was_over is False  # it cannot be over before the sink has returned


def test_the_sink_cannot_take_the_turns() -> None:
    """They would wait for it."""
    raised: list[BaseException] = []

    def write(data: bytes) -> None:
        try:
            list(stage.conversation)
        except StateError as error:
            raised.append(error)

    with Stage(lambda *_: "Yes.", sink=write) as stage:
        stage.ask("hello")
        eventually(lambda: raised)
        assert "cannot iterate inside the sink" in str(raised[0])


# -- what it is ------------------------------------------------------------------------------------


def with_played(value: Any) -> Any:
    """Return a sink with a value or a property in place of what it has played."""
    return type("Odd", (), {"write": lambda self, data: None, "played_ms": value})()


def with_shape(**shape: Any) -> Any:
    """Return a sink that says what it plays."""
    return type("Shaped", (), {"write": lambda self, data: None, **shape})()


class Coroutines:
    """Sink for an event loop."""

    async def write(self, data: bytes) -> None:
        """Write nothing."""


class AsyncClear:
    """Sink of which only a part is for an event loop."""

    def write(self, data: bytes) -> None:
        """Write nothing."""

    async def clear(self) -> None:
        """Clear nothing."""


def raising(error: Exception) -> property:
    def get(self: object) -> float:
        raise error

    return property(get)


@pytest.mark.parametrize(
    ("sink", "message"),
    [
        (with_played(property(lambda self: None)), "sink.played_ms: expected a number"),
        (with_played("12"), "sink.played_ms: expected a number of milliseconds, got str"),
        (with_played(True), "sink.played_ms: expected a number of milliseconds, got bool"),
        (with_played(lambda self: 0.0), "it is an attribute or a property, not a method"),
        (with_played(float("nan")), "sink.played_ms: expected a finite number"),
        (with_played(float("inf")), "sink.played_ms: expected a finite number"),
        (with_played(-1), "from 0 up, got -1"),
        (with_played(raising(OSError("no device"))), "got OSError: no device"),
        (with_played(raising(AttributeError("oops"))), "got AttributeError: oops"),
        (Coroutines(), "sink.write: expected a plain function, got an async def"),
        (AsyncClear(), "sink.clear: expected a plain function, got an async def"),
        (lambda: None, "sink: expected a callable with the parameters (data)"),
        (lambda data, more: None, "it is called as sink(data)"),
        (type("NoData", (), {"write": lambda self: None})(), "called as sink.write(data)"),
        (FakeSink, "sink: expected an object, got its class; write FakeSink()"),
        (with_played(0).__class__, "write Odd()"),
        (with_shape(sample_rate="8000"), "sink.sample_rate: expected an int, got str"),
        (with_shape(sample_rate=8000.0), "sink.sample_rate: expected an int, got float"),
        (with_shape(sample_rate=0), "sink.sample_rate: expected an int of at least 1, got 0"),
        (with_shape(audio_format=b"pcm"), "sink.audio_format: expected a str, got bytes"),
        (
            type("A", (), {"write": lambda s, d: None, "clear": lambda s, all: None})(),
            "sink.clear: expected a callable with the parameters (), got one with",
        ),
    ],
)
def test_what_cannot_be_a_sink_is_refused_at_once(sink: Any, message: str) -> None:
    """By name, with what to do, before anything is started."""
    with pytest.raises(ConfigurationError) as caught:
        Sink(sink)
    assert message in str(caught.value)


@pytest.mark.parametrize("value", [0, 1.5, None])
def test_what_a_sink_may_say_to_have_played(value: Optional[float]) -> None:
    """A number; `None` as an attribute means that it does not say."""
    assert Sink(with_played(value)).reports is (value is not None)


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (None, "sink.played_ms: expected a number of milliseconds, got None"),
        (float("nan"), "sink.played_ms: expected a finite number"),
        (0.0, "sink.played_ms: expected a number that never falls, as it was 200 before, got 0.0"),
    ],
)
def test_nonsense_later_on_ends_the_conversation(value: Any, message: str) -> None:
    """With an error that names it; a small step back is none."""

    class Odd(FakeSink):
        value: Any = 0.0

        @property
        def played_ms(self) -> Any:
            return self.value

    sink = Odd()
    with Stage(lambda *_: LONG, sink=sink) as stage:
        stage.ask("hello")
        eventually(lambda: len(sink.written) > 4)
        sink.value = 200.0
        stage.until("speaking")
        sink.value = 150.0
        stage.conversation.user_said("and")
        assert stage.wait_turns(1)[0].interrupted
        sink.value = value
        with pytest.raises(ConfigurationError) as caught:
            list(stage.conversation)
        assert message in str(caught.value)


def test_a_write_that_returns_a_coroutine_is_an_error() -> None:
    """Nobody would await it, and nobody would hear anything."""

    async def send(data: bytes) -> None:
        """Send nothing."""

    with Stage(lambda *_: LONG, sink=lambda data: send(data)) as stage:
        stage.ask("hello")
        with pytest.raises(InputTypeError, match=r"sink\.write: .*there is no event loop here"):
            list(stage.conversation)


# -- mistakes of the library ----------------------------------------------------------------------


@pytest.mark.parametrize("name", ["words", "failed"])
def test_a_mistake_in_the_decisions_ends_the_conversation_visibly(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Like any other error; even if the decision about that is the mistake."""

    def wrong(*args: Any, **keywords: Any) -> None:
        raise ZeroDivisionError(name)

    sink = FakeSink(is_fast=False)
    with Stage(lambda *_: LONG, sink=sink) as stage:
        speaking(stage, sink, "One two")
        monkeypatch.setattr(stage.runtime.turns, name, wrong)
        if name == "failed":
            stage.runtime.fail(RuntimeError("lost"))
        stage.hear("stop")
        with pytest.raises(ZeroDivisionError):
            list(stage.conversation)
        assert stage.conversation.state is ConversationState.ENDED
        assert stage.conversation.ended_by == "error"
        eventually(lambda: stage.reasons[-1] == "stopped")
        if name == "words":
            assert [turn.agent_text_heard for turn in stage.conversation.turns] == ["One two"]


def test_an_action_that_fails_does_not_cost_the_others() -> None:
    """The turn that ends in the same moment is handed out all the same."""
    with Stage(lambda *_: "Yes.") as stage:
        stage.recording.cancel = lambda: 1 // 0  # type: ignore[assignment, method-assign, return-value]
        stage.recording.close = lambda: None  # type: ignore[method-assign]
        stage.hear("hello")
        eventually(lambda: stage.runtime.turns._user.has_words)
        stage.conversation.cancel()
        assert [turn.user_text for turn in stage.conversation] == ["hello"]
        stage.recording.events.put(None)
