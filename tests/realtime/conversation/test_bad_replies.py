"""Replies, filters and sources as they should not be: each ends in a way that helps."""

from __future__ import annotations

import threading
from collections.abc import AsyncIterator, Iterable, Iterator
from typing import Any

import pytest

from soniox_sync import (
    ConfigurationError,
    Conversation,
    ConversationState,
    IterableSource,
    SonioxClient,
    StateError,
)
from soniox_sync.errors import InputTypeError
from tests.arguments import unreachable_client
from tests.realtime.conversation.stage import Stage
from tests.waiting import WAIT, Task, eventually


def raising(error: BaseException, *texts: str) -> Any:
    """Return a `reply` that yields texts and fails."""

    def reply(text: str, conversation: Conversation) -> Iterator[str]:
        yield from texts
        raise error

    return reply


def failing(error: BaseException) -> Any:
    """Return a `reply` that fails at once."""

    def reply(text: str, conversation: Conversation) -> str:
        raise error

    return reply


def ended(stage: Stage, kind: type[BaseException]) -> BaseException:
    """Ask; return what came out of the loop after the turn, which was not answered."""
    stage.ask("hello")
    turns = []
    with pytest.raises(kind) as caught:
        for turn in stage.conversation:
            turns.append(turn)
    assert [(turn.user_text, turn.interrupted) for turn in turns] == [("hello", True)]
    assert stage.conversation.ended_by == "error"
    assert stage.conversation.state is ConversationState.ENDED
    eventually(lambda: stage.reasons[-1] == "stopped")
    return caught.value


@pytest.mark.parametrize("make", [failing, lambda error: raising(error, "Well. ")])
@pytest.mark.parametrize(
    "error", [SystemExit(3), KeyboardInterrupt(), BaseException("odd"), KeyError("k")]
)
def test_what_reply_raises_comes_out_unchanged(make: Any, error: BaseException) -> None:
    """Also what is meant to end the program: `sys.exit()` does so where the loop runs."""
    with Stage(make(error)) as stage:
        assert ended(stage, type(error)) is error


@pytest.mark.parametrize("error", [StopIteration(5), GeneratorExit()])
def test_what_would_end_the_loop_silently_is_reported(error: BaseException) -> None:
    """The loop is an iterator, to which these mean something else."""
    with Stage(failing(error)) as stage:
        found = ended(stage, RuntimeError)
        assert str(found) == f"reply raised {type(error).__name__}"
        assert found.__cause__ is error


async def coroutine() -> str:
    """Return a text, in an event loop."""
    return "never"


async def tokens() -> AsyncIterator[str]:
    """Yield a text, in an event loop."""
    yield "never"


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (coroutine, "got coroutine; there is no event loop here"),
        (tokens, "got async_generator; there is no event loop here"),
        (lambda: b"bytes", "reply: expected a str, an iterable of str, or None, got bytes"),
        (lambda: 5, "reply: expected a str, an iterable of str, or None, got int"),
        (lambda: str, "reply: expected a str, an iterable of str, or None, got type"),
        (lambda: print, "got builtin_function_or_method"),
        (lambda: [b"bytes"], "reply: expected texts that are str, got bytes"),
        (lambda: [["nested"]], "reply: expected texts that are str, got list"),
        (lambda: iter([1]), "reply: expected texts that are str, got int"),
    ],
)
def test_what_is_no_text_is_named(make: Any, message: str) -> None:
    """With what is expected, and what to do."""
    with Stage(lambda text, conversation: make()) as stage:
        assert message in str(ended(stage, InputTypeError))


def test_a_reply_that_never_yields_holds_nobody() -> None:
    """The agent's silence is reported, the user may hang up, and `close()` does not wait for it."""
    may_return, quiet = threading.Event(), threading.Event()

    def reply(text: str, conversation: Conversation) -> Iterator[str]:
        assert may_return.wait(WAIT)
        yield "Too late."

    with Stage(reply, agent_silence_sec=0.01) as stage:
        stage.conversation.on("silence", lambda silence: quiet.set())
        stage.ask("hello")
        assert quiet.wait(WAIT)
        stage.hang_up()
        assert [turn.user_text for turn in stage.conversation] == ["hello"]
        assert stage.runtime.over.is_set()
        may_return.set()


def test_a_generator_that_does_not_end_when_it_is_closed() -> None:
    """It is only logged: nobody wants that reply any more."""
    begun = threading.Event()

    def reply(text: str, conversation: Conversation) -> Iterator[str]:
        if text != "hello":
            yield "Yes."
            return
        while True:
            try:
                begun.set()
                conversation.reply_cancel.wait(WAIT)
                yield "and so on "
            except GeneratorExit:
                yield "no"

    with Stage(reply) as stage:
        stage.ask("hello")
        assert begun.wait(WAIT)
        stage.ask("again")
        assert stage.wait_turns(1)[0].agent_text_heard == "Yes."


def test_an_iterator_that_cannot_be_closed() -> None:
    """What closing it raises comes out of the loop, as if `reply` had raised it."""

    class Tokens:
        def __iter__(self) -> Iterator[str]:
            return iter(["One. "])

        def close(self) -> None:
            raise OSError("cannot close")

    with Stage(lambda *_: Tokens()) as stage:
        stage.ask("hello")
        with pytest.raises(OSError, match="cannot close"):
            list(stage.conversation)


@pytest.mark.parametrize("take", [list, next])
def test_turns_cannot_be_taken_inside_reply(take: Any) -> None:
    """It would wait for the turn that waits for it, and take those of the loop."""

    def reply(text: str, conversation: Conversation) -> str:
        take(iter(conversation))
        return "never"

    with Stage(reply) as stage:
        error = ended(stage, StateError)
        assert str(error) == "cannot iterate inside reply: the next turn waits for its answer"


def test_a_loop_that_was_begun_elsewhere_does_not_go_on_inside_reply() -> None:
    """Whoever has the iterator."""
    loops: list[Iterator[Any]] = []

    def reply(text: str, conversation: Conversation) -> str:
        if text == "two":
            next(loops[0])
        return text

    with Stage(reply) as stage:
        loops.append(iter(stage.conversation))
        stage.ask("one")
        assert next(loops[0]).user_text == "one"
        stage.ask("two")
        with pytest.raises(StateError, match="cannot iterate inside reply"):
            stage.conversation.wait(WAIT)


# -- arguments ------------------------------------------------------------------------------------


@pytest.fixture
def client() -> Iterator[SonioxClient]:
    """Provide a client whose requests would fail."""
    with unreachable_client() as client:
        yield client


class Agent:
    """Agent whose method answers."""

    def reply(self, text: str) -> str:
        """Answer without the conversation."""
        return text

    async def __call__(self, text: str, conversation: Conversation) -> str:
        """Answer in an event loop."""
        return text


async def stream(text: str, conversation: Conversation) -> AsyncIterator[str]:
    """Yield the answer in an event loop."""
    yield text


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (
            {"reply": lambda text: text},
            "(text, conversation), got one with the parameters (text); it is called as reply(text,",
        ),
        ({"reply": lambda: ""}, "got one with the parameters ()"),
        ({"reply": lambda a, b, c: ""}, "got one with the parameters (a, b, c)"),
        ({"reply": lambda text, *, conversation: ""}, "got one with the parameters (text, *, conv"),
        ({"reply": Agent().reply}, "got one with the parameters (text: "),
        ({"reply": Agent()}, "reply: expected a plain function, got an async def"),
        ({"reply": stream}, "reply: expected a plain function, got an async def"),
        ({"reply": "Hello."}, "reply: expected a callable, got str"),
        ({"text_filter": lambda: ()}, "text_filter: expected a callable with the parameters (tex"),
        ({"text_filter": "plain"}, "text_filter: expected a callable, got str"),
        ({"sink": lambda: None}, "sink: expected a callable with the parameters (data)"),
    ],
)
def test_functions_that_cannot_be_called_are_refused_at_once(
    client: SonioxClient, given: dict[str, Any], message: str
) -> None:
    """Not in the middle of the first turn."""
    arguments: dict[str, Any] = {"source": b"\0\0", "reply": str, "sink": None, "voice": "Emma"}
    with pytest.raises(InputTypeError) as caught:
        client.realtime.converse(**{**arguments, **given})
    assert message in str(caught.value)


@pytest.mark.parametrize(
    "reply", [str, print, lambda text, conversation=None, *more: "", lambda *given: "", Agent.reply]
)
def test_functions_that_can_be_called_are_taken(client: SonioxClient, reply: Any) -> None:
    """Also builtins whose parameters nobody knows, and those with further ones."""
    client.realtime.converse(b"\0\0", reply, None, voice="Emma").close()


@pytest.mark.parametrize(
    ("text_filter", "message"),
    [
        (lambda texts: None, "text_filter: expected one that returns an iterable of str, got None"),
        (lambda texts: [5], "text_filter: expected one that gives texts that are str, got int"),
        (lambda texts: tokens(), "there is no event loop here"),
    ],
)
def test_a_filter_that_gives_no_text_is_named(text_filter: Any, message: str) -> None:
    """In `say()` and `stop()` at once, of `reply` out of the loop."""
    with Stage(lambda *_: "Hi.", text_filter=text_filter) as stage:
        for call in (stage.conversation.say, stage.conversation.stop):
            with pytest.raises(InputTypeError) as caught:
                call("Hello.")
            assert message in str(caught.value)
        assert message in str(ended(stage, InputTypeError))


# -- sources --------------------------------------------------------------------------------------


RAW = {"audio_format": "pcm_s16le", "sample_rate": 16000, "num_channels": 1}


@pytest.mark.parametrize(
    ("make", "stt"),
    [
        (list, {}),
        (lambda: iter(()), {}),
        (lambda: [b""], RAW),
        (lambda: (chunk for chunk in ()), RAW),
        (lambda: IterableSource([], **RAW), {}),
    ],
)
def test_a_source_without_audio_ends_the_conversation(
    client: SonioxClient, make: Any, stt: dict[str, Any]
) -> None:
    """As it ends a transcription."""
    source: Iterable[bytes] = make()
    conversation = client.realtime.converse(source, str, None, voice="Emma", stt=stt)
    loop = Task(lambda: list(conversation))
    with pytest.raises(ConfigurationError, match="expected audio to transcribe, got no audio"):
        loop.result()
    assert conversation.ended_by == "error"


def test_empty_bytes_are_refused_at_once(client: SonioxClient) -> None:
    """They cannot become audio."""
    with pytest.raises(ConfigurationError, match="no audio: the input is empty"):
        client.realtime.converse(b"", str, None, voice="Emma")
