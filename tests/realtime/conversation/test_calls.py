"""Whole calls: a caller that speaks, the recogniser, `reply`, the voice, and what is heard."""

from __future__ import annotations

import gc
import threading
import weakref
from collections.abc import Iterator
from typing import Any, Callable

import pytest

from soniox_sync import ConfigurationError, Conversation, ConversationState, SonioxClient
from soniox_sync.sandbox import HangUp, Key, Line, Quiet, Sandbox
from tests.realtime.conversation.conftest import SPEED, STT, Call
from tests.waiting import WAIT, Task, eventually

Begin = Callable[..., Call]
TIDES = "The moon pulls the water towards it, and leaves some behind on the far side. "


def echo(text: str, conversation: Conversation) -> str:
    """Answer with what was said."""
    return f"You said: {text}"


def test_a_call_from_greeting_to_hang_up(call: Begin) -> None:
    """The caller is greeted, asks, interrupts, is answered, presses a key and hangs up."""
    asked: list[tuple[str, list[dict[str, str]]]] = []
    keys: list[str] = []

    def reply(text: str, conversation: Conversation) -> Any:
        asked.append((text, conversation.messages()))
        return "Good bye." if "Stop" in text else [TIDES[:20], TIDES[20:], TIDES]

    stop = Line("Stop, thank you.", over=True, after="towards it")
    ask = Line("How do the tides work?", after="hello")  # however late it is greeted
    begun = call([ask, stop, Key("5"), Quiet(0.1), HangUp()], reply)
    conversation = begun.conversation
    conversation.on("dtmf", lambda key: keys.append(key.digit))
    conversation.say("Hello!")
    turns = list(conversation)
    assert conversation.ended_by == "user"
    eventually(lambda: keys == ["5"])  # handlers run on a thread of their own
    assert [turn.user_text for turn in turns] == [
        "",
        "How do the tides work?",
        "Stop, thank you.",
    ]
    greeting, tides, bye = turns
    assert greeting.agent_text_heard == "Hello!"
    assert tides.interrupted and not bye.interrupted
    assert tides.agent_text == (TIDES + TIDES).strip()
    assert tides.agent_text_heard.startswith("The moon pulls the water towards it")
    assert len(tides.agent_text_heard) < len(tides.agent_text)
    assert bye.agent_text_heard == "Good bye."
    # what it says was heard is what the caller heard, to the word
    heard = [word for turn in turns for word in words(turn.agent_text_heard)]
    assert words(begun.caller.heard) == heard
    for text, messages in asked:
        assert messages[-1] == {"role": "user", "content": text}
    assert asked[1][1][2] == {"role": "assistant", "content": tides.agent_text_heard}
    assert bye.latency.total_sec is not None and bye.latency.total_sec > 0.3
    assert conversation.metrics.count == 3
    assert conversation.metrics.interrupted == 1


def words(text: str) -> list[str]:
    return [word.strip(".,!?").lower() for word in text.split()]


def test_a_pause_in_a_sentence_does_not_split_the_turn(call: Begin) -> None:
    """The caller goes on before the answer is heard: `reply` gets it whole, and answers once."""
    asked: list[str] = []
    may_answer = threading.Event()

    def reply(text: str, conversation: Conversation) -> Iterator[str]:
        asked.append(text)
        if len(asked) == 1:
            assert conversation.reply_cancel.wait(WAIT)  # withdrawn while it works
        yield "All right."
        may_answer.set()

    begun = call(["I need two tickets", Quiet(1.5), "to Berlin, please.", HangUp()], reply)
    turns = list(begun.conversation)
    assert asked[0].startswith("I need two tickets")
    assert asked[-1] == turns[0].user_text
    assert words(turns[0].user_text) == words("I need two tickets to Berlin, please.")
    assert [turn.agent_text_heard for turn in turns if turn.agent_text_heard] == ["All right."]


def test_markdown_is_not_spoken(call: Begin) -> None:
    """`agent_text` is what `speakable()` gives, however the tokens are cut."""
    begun = call(["Hello there.", HangUp()], lambda *_: ["It is **no", "on**, I think."])
    assert next(iter(begun.conversation)).agent_text == "It is noon, I think."


def test_push_to_talk(call: Begin) -> None:
    """Only `end_turn()` ends a turn, whole."""
    begun = call(["One two three.", Quiet(60)], echo, turn_end="manual")
    conversation = begun.conversation
    loop = Task(lambda: list(conversation))
    partial: list[str] = []
    conversation.on("user_partial", partial.append)
    eventually(lambda: any("three" in each for each in partial))
    assert conversation.state is ConversationState.LISTENING
    conversation.end_turn()
    eventually(lambda: conversation.turns)
    conversation.cancel()
    assert loop.result()[0].user_text == "One two three."


def test_a_hang_up_in_a_word_leaves_a_last_turn(call: Begin) -> None:
    """The last words are finalised, and not answered."""
    begun = call(["Please call me back tomorrow", Quiet(0.05), HangUp()], echo, stt={})
    (turn,) = begun.conversation
    assert words(turn.user_text) == words("Please call me back tomorrow")
    assert turn.agent_text == "" and not turn.interrupted


def test_another_voice_from_the_next_sentence_on(call: Begin, sandbox: Sandbox) -> None:
    """`set_voice()` inside `reply`; each sentence is asked for in its voice."""

    def reply(text: str, conversation: Conversation) -> Iterator[str]:
        yield "One. "
        conversation.set_voice(voice="Nina", language="de")
        yield "Zwei."

    begun = call(["Hello there.", HangUp()], reply)
    (turn,) = begun.conversation
    assert turn.agent_text_heard == "One. Zwei."
    configs = [m for m in sandbox.log.messages(kind="tts") if "voice" in m]
    assert [(m["voice"], m["language"]) for m in configs] == [("Adrian", "en"), ("Nina", "de")]


def test_lost_connections_cost_no_word_and_no_second_answer(call: Begin, sandbox: Sandbox) -> None:
    """The recogniser's connection drops in a word, the voice's in an answer."""
    sandbox.faults.drop(kind="stt", after_audio_ms=1500)
    sandbox.faults.drop(kind="tts", after_audio_ms=900)
    asked: list[str] = []

    def reply(text: str, conversation: Conversation) -> str:
        asked.append(text)
        return TIDES

    begun = call(["Could you please tell me about the tides today?", Quiet(600)], reply)
    turn = next(iter(begun.conversation))  # the caller hangs up only after that, however long
    assert len(asked) == 1
    assert words(asked[0]) == words("Could you please tell me about the tides today?")
    assert turn.agent_text_heard == TIDES.strip()


def test_the_gateway_holds_conversations_too(sandbox: Sandbox) -> None:
    """The same call over SLNG, with ids of its own."""
    caller = sandbox.caller(["Good morning.", HangUp()], speed=SPEED)
    with sandbox.slng_client() as client:
        with client.realtime.converse(
            caller, echo, caller, voice="Adrian", session_id="call-7", stt=STT
        ) as conversation:
            (turn,) = conversation
    assert (turn.user_text, turn.agent_text_heard) == ("Good morning.", "You said: Good morning.")


def test_a_route_without_endpoints_is_push_to_talk(sandbox: Sandbox) -> None:
    """Endpoints are refused by name; with `end_turn()` its turns are answered, without times."""
    caller = sandbox.caller(["One two three.", Quiet(60)], speed=SPEED)
    options: Any = {"voice": "Adrian", "stt": {"model": "rt-v3"}}
    with sandbox.slng_client() as client:
        with pytest.raises(ConfigurationError, match="enable_endpoint_detection"):
            client.realtime.converse(caller, echo, caller, **options)
        partial: list[str] = []
        with client.realtime.converse(
            caller, echo, caller, turn_end="manual", **options
        ) as conversation:
            conversation.on("user_partial", partial.append)
            eventually(lambda: any("three" in each for each in partial))
            conversation.end_turn()
            eventually(lambda: conversation.turns)
            (turn,) = conversation.turns
    assert (turn.user_text, turn.agent_text_heard) == ("One two three.", "You said: One two three.")
    assert turn.latency.total_sec is None


def test_the_language_of_the_voice_is_the_hint(call: Begin, sandbox: Sandbox) -> None:
    """Unless `stt` says otherwise."""

    def hints() -> list[list[str]]:
        found = sandbox.log.messages(kind="stt")
        return [message["language_hints"] for message in found if "model" in message]

    call([Quiet(60)], echo, language="de")
    eventually(hints)
    call([Quiet(60)], echo, stt={"language_hints": ["fr"]})
    eventually(lambda: len(hints()) == 2)
    assert hints() == [["de"], ["fr"]]


def test_a_conversation_that_is_dropped_is_closed(sandbox: Sandbox, client: SonioxClient) -> None:
    """With a warning; neither its threads nor `reply` keep it alive."""
    caller = sandbox.caller([Quiet(60)])
    conversation = client.realtime.converse(caller, echo, None, voice="Emma")
    gone = weakref.ref(conversation)
    with pytest.warns(ResourceWarning, match="unclosed Conversation"):
        del conversation
        gc.collect()
        eventually(lambda: gone() is None)
