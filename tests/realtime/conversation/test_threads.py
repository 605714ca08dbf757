"""The threads of a conversation: who waits for whom, what is raised where, and how all end."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any

import pytest

from soniox_sync import (
    AbortError,
    CancelToken,
    Conversation,
    ConversationState,
    Silence,
    SonioxConnectionError,
    SonioxTimeoutError,
    StateError,
)
from soniox_sync.errors import InputTypeError
from soniox_sync.realtime.conversation.texts import Job
from tests.realtime.conversation.stage import CHAR_MS, FakeSink, FakeSpeech, Stage
from tests.waiting import WAIT, Task, eventually

LONG = "One two three four five six seven eight nine ten."


def echo(text: str, conversation: Conversation) -> str:
    """Answer with what was said."""
    return f"You said {text}"


# -- reply ----------------------------------------------------------------------------------------


def test_replies_never_overlap() -> None:
    """One that is not wanted is cancelled at once, ends by itself, and is closed before the next.

    A tool that has begun ends, and its caller can keep the result.
    """
    log: list[str] = []
    tool, cancelled = threading.Event(), threading.Event()

    def reply(text: str, conversation: Conversation) -> Iterator[str]:
        log.append(f"begin {text}")
        if text == "second":
            yield "Yes."
            return
        try:
            yield "One moment. "
            assert conversation.reply_cancel.wait(WAIT)
            cancelled.set()
            assert tool.wait(WAIT)
            log.append("result kept")
            yield "Too late."
            log.append("never")
        finally:
            log.append("closed")

    with Stage(reply) as stage:
        stage.ask("first").until("thinking")
        eventually(lambda: stage.sink.written)
        stage.ask("second")
        assert cancelled.wait(WAIT)
        turn = stage.wait_turns(1)[0]
        assert turn.interrupted and turn.agent_text == "One moment."
        assert log == ["begin first"]
        tool.set()
        assert stage.wait_turns(2)[1].agent_text == "Yes."
    assert log == ["begin first", "result kept", "closed", "begin second"]


def test_the_iterator_that_reply_returned_is_closed() -> None:
    """Also one that is no generator: the response of a language model."""

    class Tokens:
        closed = 0

        def __iter__(self) -> Iterator[str]:
            return iter(["One. ", "Two. "])

        def close(self) -> None:
            self.closed += 1

    tokens = Tokens()
    with Stage(lambda text, conversation: tokens) as stage:
        stage.ask("hello")
        assert stage.wait_turns(1)[0].agent_text == "One. Two."
        eventually(lambda: tokens.closed)


def test_an_endless_reply_is_not_drawn_faster_than_it_is_spoken() -> None:
    """It takes no memory, and ends when it is interrupted."""
    drawn = [0]
    closed = threading.Event()

    def reply(text: str, conversation: Conversation) -> Iterator[str]:
        if text == "stop":
            return
        try:
            while True:
                drawn[0] += 1
                yield "and so on "
        finally:
            closed.set()

    sink = FakeSink(is_fast=False)
    sink.on_write = lambda: eventually(lambda: sink.waiting_ms < 500 or sink.cleared)
    with Stage(reply, sink=sink) as stage:
        stage.ask("tell me")
        eventually(lambda: sink.waiting_ms > 300)
        sink.play(100)
        stage.until("speaking")
        assert drawn[0] < 1000
        stage.ask("stop")
        assert closed.wait(WAIT)
        assert stage.wait_turns(1)[0].interrupted


def test_messages_are_complete_though_the_loop_is_late() -> None:
    """`reply` sees every turn before, while the body of the loop still has the first."""
    asked: list[list[dict[str, str]]] = []
    may_go_on = threading.Event()

    def reply(text: str, conversation: Conversation) -> str:
        asked.append(conversation.messages())
        if text == "two":
            may_go_on.set()
        return text.upper()

    with Stage(reply) as stage:
        stage.ask("one")
        stage.wait_turns(1)
        stage.ask("two")
        for turn in stage.conversation:
            assert may_go_on.wait(WAIT), "the body held the conversation up"
            if turn.user_text == "two":
                break
    assert [len(each) for each in asked] == [1, 3]
    assert [m["content"] for m in asked[1]] == ["one", "ONE", "two"]


def test_an_error_of_reply_comes_out_of_the_loop() -> None:
    """Unchanged, after the turns before it."""

    def reply(text: str, conversation: Conversation) -> Iterator[str]:
        yield "Well. "
        raise ZeroDivisionError("no model")

    with Stage(reply) as stage:
        errors: list[Exception] = []
        stage.conversation.on("error", errors.append)
        stage.ask("hello")
        turns = []
        with pytest.raises(ZeroDivisionError, match="no model"):
            for turn in stage.conversation:
                turns.append(turn)
        assert [turn.user_text for turn in turns] == ["hello"]
        assert stage.conversation.ended_by == "error"
        with pytest.raises(ZeroDivisionError):
            stage.conversation.wait()
    eventually(lambda: [type(each) for each in errors] == [ZeroDivisionError])


@pytest.mark.parametrize("answer", [5, b"x", {"a": 1}, [5], object()])
def test_what_is_no_text_is_refused(answer: Any) -> None:
    """`reply` returns a str, an iterable of str, or `None`."""
    with Stage(lambda text, conversation: answer) as stage:
        stage.ask("hello")
        with pytest.raises(InputTypeError, match=r"^reply: expected "):
            list(stage.conversation)


@pytest.mark.parametrize("answer", [None, "", [], [None, ""], iter(())])
def test_nothing_is_a_silent_turn(answer: Any) -> None:
    """`None`, or nothing to say."""
    with Stage(lambda text, conversation: answer) as stage:
        stage.ask("hello")
        turn = stage.wait_turns(1)[0]
        assert (turn.agent_text, turn.interrupted) == ("", False)
        assert stage.sink.written == []


def test_reply_cancel_is_that_of_the_call() -> None:
    """Inside `reply` that of its own call, elsewhere that of the last one; never `None`."""
    tokens: list[CancelToken] = []

    def reply(text: str, conversation: Conversation) -> str:
        tokens.append(conversation.reply_cancel)
        return text

    with Stage(reply) as stage:
        assert not stage.conversation.reply_cancel.cancelled
        stage.ask("one")
        stage.wait_turns(1)
        stage.ask("two")
        stage.wait_turns(2)
        assert stage.conversation.reply_cancel is tokens[1] is not tokens[0]
        assert not any(each.cancelled for each in tokens)


# -- the sink -------------------------------------------------------------------------------------


def test_nothing_sounds_after_a_cut() -> None:
    """A piece that was being written when the cut was decided is cleared after it."""
    sink = FakeSink(is_fast=False)
    is_writing, may_write = threading.Event(), threading.Event()
    with Stage(lambda *_: LONG, sink=sink) as stage:
        stage.ask("hello")
        eventually(lambda: sink.waiting_ms >= len(LONG) * CHAR_MS - 1)
        sink.play(CHAR_MS * 8)
        stage.until("speaking")

        def block() -> None:
            is_writing.set()
            may_write.wait(WAIT)

        sink.on_write = block
        stage.conversation.say("More of it.")
        stage.hear("stop")
        turn = stage.wait_turns(1)[0]
        assert turn.agent_text_heard == "One two"
        assert sink.waiting_ms == 0
        stage.mark().until("thinking")  # the next answer is being written
        assert is_writing.wait(WAIT)
        cleared = sink.cleared
        stage.conversation.interrupt()
        eventually(lambda: sink.cleared > cleared)
        may_write.set()
        eventually(lambda: sink.cleared > cleared + 1, "a second clear, after the write")
        assert sink.waiting_ms == 0


def test_heard_is_what_the_sink_had_played() -> None:
    """To the word; the rest was written, and is gone."""
    sink = FakeSink(is_fast=False)
    with Stage(lambda *_: LONG, sink=sink) as stage:
        stage.ask("hello")
        eventually(lambda: sink.waiting_ms >= len(LONG) * CHAR_MS - 1)
        sink.play(CHAR_MS * len("One two three fo"))
        stage.until("speaking").hear("stop")
        turn = stage.wait_turns(1)[0]
        assert (turn.agent_text, turn.agent_text_heard) == (LONG, "One two three")
        assert stage.conversation.messages()[1]["content"] == "One two three"


def test_a_cut_that_is_taken_back_goes_on_at_the_word() -> None:
    """The rest is spoken anew, from the first word that was not heard."""
    sink = FakeSink(is_fast=False)
    with Stage(lambda *_: LONG, sink=sink, false_interruption_sec=0.01) as stage:
        stage.ask("hello")
        eventually(lambda: sink.waiting_ms >= len(LONG) * CHAR_MS - 1)
        sink.play(CHAR_MS * len("One two th"))
        stage.until("speaking").hear("hm", final=False).until("listening").hear("")
        rest = len(LONG) - len("One two")
        eventually(lambda: sink.waiting_ms >= rest * CHAR_MS - 1)
        sink.is_fast = True
        turn = stage.wait_turns(1)[0]
        assert (turn.agent_text_heard, turn.interrupted) == (LONG, False)
        whole = ["endpoint", "reply", "interrupted", "resumed", "heard"]
        eventually(lambda: stage.reasons == whole)  # handlers run on a thread of their own


def test_a_sink_that_cannot_be_cleared_is_written_little_ahead() -> None:
    """At most 0.2 s, in pieces of 20 ms."""

    class Slow:
        def __init__(self) -> None:
            self.ms = 0.0
            self.is_fast = False
            self.sizes: set[int] = set()
            self.asked = 0

        @property
        def played_ms(self) -> float:
            self.asked += 1
            return self.ms if self.is_fast else 0.0

        def write(self, data: bytes) -> None:
            self.ms += len(data) / 16
            self.sizes.add(len(data))

    sink = Slow()
    with Stage(lambda *_: LONG, sink=sink) as stage:
        stage.ask("hello")
        eventually(lambda: sink.ms > 150)
        asked = sink.asked
        eventually(lambda: sink.asked > asked + 20, "asking the sink again and again")
        assert 150 < sink.ms <= 200
        assert max(sink.sizes) <= 16 * 20
        sink.is_fast = True
        assert stage.wait_turns(1)[0].agent_text_heard == LONG


def test_no_text_is_drawn_while_an_answer_is_held() -> None:
    """Nor while enough waits for the voice, nor once it is not wanted."""
    job = Job(1, "hello")
    assert job.may_go_on()
    job.hold(True)
    waiting = Task(job.may_go_on)
    job.count(5000)
    job.hold(False)
    job.count(-1)
    assert not waiting.done
    job.count(-4000)
    assert waiting.result() is True
    job.hold(True)
    waiting = Task(job.may_go_on)
    job.count(-999)
    assert not waiting.done
    job.hold(False)
    assert waiting.result() is True
    job.end()
    assert job.may_go_on() is False


def test_a_held_reply_that_is_cut_for_good_is_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its generator waits to go on; the cut tells it that it will not."""
    sink = FakeSink(is_fast=False)
    is_held, may_go_on, closed = threading.Event(), threading.Event(), threading.Event()

    def reply(*_: Any) -> Iterator[str]:
        try:
            yield LONG
            assert is_held.wait(WAIT)
            yield ""
            yield "never drawn"
        finally:
            closed.set()

    asked = Job.may_go_on

    def ask(job: Job) -> bool:
        if is_held.is_set():
            may_go_on.set()
        return asked(job)

    monkeypatch.setattr(Job, "may_go_on", ask)
    with Stage(reply, sink=sink) as stage:
        stage.ask("hello")
        eventually(lambda: sink.waiting_ms >= len(LONG) * CHAR_MS - 1)
        sink.play(CHAR_MS * 8)
        stage.until("speaking").hear("hm", final=False).until("listening")
        is_held.set()
        assert may_go_on.wait(WAIT)
        stage.hear("stop")
        assert closed.wait(WAIT)


def test_a_peer_that_is_gone_is_a_hang_up() -> None:
    """The loop ends normally."""

    def write(data: bytes) -> None:
        raise BrokenPipeError

    with Stage(echo, sink=write) as stage:
        stage.ask("hello")
        turns = list(stage.conversation)
        assert [turn.user_text for turn in turns] == ["hello"]
        assert stage.conversation.ended_by == "user"


def test_an_error_of_the_sink_comes_out_of_the_loop() -> None:
    """What it raised, unchanged; also from `played_ms`."""
    with Stage(echo, sink=lambda data: 1 // 0) as stage:
        stage.ask("hello")
        with pytest.raises(ZeroDivisionError):
            list(stage.conversation)

    class Broken(FakeSink):
        is_broken = False

        @property
        def played_ms(self) -> float:
            if self.is_broken:
                raise ValueError("no position")
            return 0.0

    broken = Broken()
    with Stage(echo, sink=broken) as stage:
        broken.is_broken = True
        stage.ask("hello")
        with pytest.raises(ValueError, match="no position"):
            list(stage.conversation)


def test_an_error_of_the_voice_comes_out_of_the_loop() -> None:
    """After the turn, with what was heard."""

    class Failing(FakeSpeech):
        def events(self) -> Any:
            raise SonioxConnectionError("lost")

    with Stage(echo, make_speech=lambda text, voice: Failing(text)) as stage:
        stage.ask("hello")
        with pytest.raises(SonioxConnectionError, match="lost"):
            list(stage.conversation)
        assert [turn.user_text for turn in stage.conversation.turns] == ["hello"]


def test_an_error_of_the_recogniser_comes_out_of_the_loop() -> None:
    """Of its own class."""
    with Stage(echo) as stage:
        stage.recording.events.put(SonioxConnectionError("gone for good"))
        with pytest.raises(SonioxConnectionError, match="gone for good"):
            list(stage.conversation)
        assert stage.conversation.ended_by == "error"


# -- the loop, handlers, the end ------------------------------------------------------------------


def test_leaving_the_loop_ends_it_at_once() -> None:
    """The sink is cleared in the middle of a word, and no thread is left."""
    sink = FakeSink(is_fast=False)
    with Stage(lambda *_: LONG, sink=sink) as stage:
        stage.ask("hello")
        eventually(lambda: sink.waiting_ms > 100)
        stage.conversation.say("Never heard.")
        sink.play(CHAR_MS * 4)
        stage.until("speaking").conversation.interrupt()
        for _ in stage.conversation:
            break
        assert stage.conversation.state is ConversationState.ENDED
        assert stage.conversation.ended_by == "cancel"
        assert sink.waiting_ms == 0
        assert "cancel" in stage.recording.calls


def test_what_needs_a_conversation_is_refused_after_its_end() -> None:
    """`say()`, `user_said()` and `end_turn()` say so; ending again is nothing."""
    with Stage(echo) as stage:
        stage.conversation.close()
        for call in (
            lambda: stage.conversation.say("Hi."),
            lambda: stage.conversation.user_said("Hi."),
            lambda: stage.conversation.end_turn(),
        ):
            with pytest.raises(StateError, match="the conversation has ended"):
                call()
        stage.conversation.interrupt()
        stage.conversation.cancel()
        stage.conversation.stop()
        assert list(stage.conversation) == []


def test_leaving_with_by_an_exception_ends_it() -> None:
    """And lets the exception pass."""
    with pytest.raises(KeyError), Stage(echo) as stage, stage.conversation:
        raise KeyError
    assert stage.conversation.state is ConversationState.ENDED


def test_a_turn_handler_takes_the_place_of_the_loop() -> None:
    """`on("turn")` switches to push; iterating is refused; `wait()` waits for the end."""
    with Stage(echo) as stage:
        turns: list[Any] = []
        stage.conversation.on("turn", turns.append)
        with pytest.raises(StateError, match="cannot iterate"):
            iter(stage.conversation)
        with pytest.raises(SonioxTimeoutError, match=r"within 0 s: wait longer .* with stop\(\)$"):
            stage.conversation.wait(0)
        stage.ask("hello")
        stage.wait_turns(1)
        stage.hang_up().conversation.wait(WAIT)
    eventually(lambda: [turn.user_text for turn in turns] == ["hello"])


def test_a_handler_that_blocks_delays_no_interruption() -> None:
    """The agent is cut while a handler of partial words waits."""
    sink = FakeSink(is_fast=False)
    may_go_on = threading.Event()
    with Stage(lambda *_: LONG, sink=sink) as stage:
        stage.conversation.on("user_partial", lambda text: may_go_on.wait(WAIT))
        stage.ask("hello")
        eventually(lambda: sink.waiting_ms > 100)
        sink.play(CHAR_MS * 4)
        stage.until("speaking").hear("stop")
        assert stage.wait_turns(1)[0].interrupted
        may_go_on.set()


def test_stop_from_the_loop() -> None:
    """It returns when the farewell was heard; the loop is then over."""
    with Stage(echo) as stage:
        stage.ask("hello")
        for turn in stage.conversation:
            if turn.user_text:
                stage.conversation.stop("Bye.")
                assert stage.conversation.turns[-1].agent_text_heard == "Bye."
        assert stage.conversation.ended_by == "agent"


def test_stop_inside_reply() -> None:
    """Its text so far, then the farewell; what would follow is not said."""

    def reply(text: str, conversation: Conversation) -> Iterator[str]:
        yield "Well. "
        conversation.stop("Bye.")
        yield "Never."

    with Stage(reply) as stage:
        stage.ask("hello")
        assert list(stage.conversation)[-1].agent_text_heard == "Well. Bye."


def test_stop_inside_a_handler() -> None:
    """A key ends the call."""
    with Stage(echo) as stage:
        stage.conversation.on("dtmf", lambda: stage.conversation.stop("Bye."))
        stage.runtime.post(lambda turns, at: turns.dtmf(at, "0"))
        assert [turn.agent_text_heard for turn in stage.conversation] == ["Bye."]


def test_stop_that_takes_too_long_ends_all_the_same() -> None:
    """The farewell is cut, and who called is told."""
    sink = FakeSink(is_fast=False)
    with Stage(echo, sink=sink) as stage:
        with pytest.raises(SonioxTimeoutError, match=r"not heard within 0\.01 s"):
            stage.conversation.stop(LONG, timeout_sec=0.01)
        stage.conversation.wait(WAIT)
        assert stage.conversation.ended_by == "agent"
        assert sink.waiting_ms == 0


def test_close_from_inside() -> None:
    """Of `reply` and of a handler: legal, and everything ends."""

    def reply(text: str, conversation: Conversation) -> str:
        conversation.close()
        return "Never."

    with Stage(reply) as stage:
        stage.ask("hello")
        assert [turn.agent_text for turn in stage.conversation] == [""]
    with Stage(echo) as stage:
        stage.conversation.on("state_change", lambda: stage.conversation.close())
        stage.ask("hello")
        stage.conversation.wait(WAIT)
        assert stage.conversation.ended_by == "cancel"


def test_a_token_ends_it_with_abort_error() -> None:
    """And a conversation that ended forgets the token."""
    token = CancelToken()
    with Stage(echo, cancel=token) as stage:
        token.cancel("shutdown")
        with pytest.raises(AbortError, match="shutdown"):
            list(stage.conversation)
        assert stage.conversation.ended_by == "cancel"


def test_a_hang_up_is_no_error() -> None:
    """The last words come unanswered."""
    with Stage(echo) as stage:
        stage.hear("bye")
        eventually(lambda: stage.runtime.turns.messages() == [])
        stage.hang_up()
        assert [(t.user_text, t.agent_text) for t in stage.conversation] == [("bye", "")]
        assert stage.conversation.ended_by == "user"


def test_silence_may_be_answered() -> None:
    """A handler reminds the user, and ends the conversation after that."""
    with Stage(echo, user_silence_sec=0.02) as stage:

        @stage.conversation.on("silence")
        def remind(silence: Silence) -> None:
            if silence.count < 3:
                stage.conversation.say("Hello?", remember=False)
            else:
                stage.conversation.stop("Bye.")

        assert [turn.agent_text_heard for turn in stage.conversation] == ["Bye."]


def test_settings_may_be_changed_at_any_time() -> None:
    """`barge_in`, `patience_sec` and the voice."""
    with Stage(echo) as stage:
        conversation = stage.conversation
        assert (conversation.barge_in, conversation.patience_sec) == (True, 0.0)
        conversation.barge_in, conversation.patience_sec = False, 0.01
        conversation.set_voice(voice="Nina")
        assert (conversation.barge_in, conversation.patience_sec) == (False, 0.01)
        stage.ask("hello")
        stage.wait_turns(1)
        assert stage.voices == [{"voice": "Nina"}]
        assert (stage.runtime.turns.barge_in, stage.runtime.turns.patience_sec) == (False, 0.01)
        with pytest.raises(InputTypeError):
            conversation.barge_in = 1  # type: ignore[assignment]
        with pytest.raises(InputTypeError):
            conversation.patience_sec = "1"  # type: ignore[assignment]


def test_pause_and_resume_are_those_of_the_recording() -> None:
    """And the user's silence does not count meanwhile."""
    with Stage(echo) as stage:
        stage.conversation.pause()
        stage.conversation.resume()
        assert stage.recording.calls[:3] == ["start", "pause", "resume"]


def test_end_turn_finalises() -> None:
    """In push-to-talk; `<fin>` ends the turn."""
    with Stage(echo, turn_end="manual") as stage:
        stage.ask("hello").hear("there")
        stage.conversation.end_turn()
        eventually(lambda: "finalize" in stage.recording.calls)
        stage.mark("finalized")
        assert stage.wait_turns(1)[0].user_text == "hello there"


def test_say_and_user_said_from_any_thread() -> None:
    """Texts are spoken in the order of calls; a typed turn is answered."""
    with Stage(echo) as stage:
        Task(lambda: stage.conversation.say("One.")).result()
        Task(lambda: stage.conversation.say("Two.")).result()
        Task(lambda: stage.conversation.user_said("three")).result()
        found = [(turn.user_text, turn.agent_text) for turn in stage.wait_turns(3)]
        assert found == [("", "One."), ("", "Two."), ("three", "You said three")]


def test_the_filter_makes_texts_speakable() -> None:
    """`agent_text` is what it gives, of `reply` and of `say()`."""

    def shout(texts: Any) -> Iterator[str]:
        for text in texts:
            yield text.upper()
        yield "!"

    with Stage(lambda *_: ["o", "ne"], text_filter=shout) as stage:
        stage.conversation.say("two")
        stage.wait_turns(1)
        stage.ask("hello")
        assert [turn.agent_text for turn in stage.wait_turns(2)] == ["TWO!", "ONE!"]


def test_a_repr_shows_the_state() -> None:
    """And how many turns there were."""
    with Stage(echo) as stage:
        assert repr(stage.conversation) == "<Conversation listening 0 turns>"
        stage.ask("hello")
        stage.wait_turns(1)
    assert repr(stage.conversation) == "<Conversation ended 1 turn>"


@pytest.mark.parametrize("when", ["idle", "speaking"])
def test_a_sink_that_cannot_be_cleared_at_the_end_leaves_nothing(when: str) -> None:
    """Its error is not the end of the clean-up: no thread and no connection is left."""

    class Lost(FakeSink):
        def clear(self) -> None:
            raise RuntimeError("device lost")

    sink = Lost(is_fast=False)
    with Stage(lambda *_: LONG, sink=sink) as stage:
        if when == "speaking":
            stage.ask("hello")
            eventually(lambda: sink.waiting_ms > 0)
        conversation = stage.conversation
        conversation.close()
        eventually(lambda: conversation._runtime.over.is_set())
        assert conversation.ended_by in ("cancel", "error")
