"""Promises of `converse()` that need the whole way: through the service, or out of the program."""

from __future__ import annotations

import queue
import subprocess
import sys
import textwrap
import threading
from collections.abc import Iterator
from typing import Any, Callable

import pytest

from soniox_sync import Conversation, ConversationState
from soniox_sync.protocol.tts import AudioChunk
from soniox_sync.realtime.conversation import runtime
from soniox_sync.sandbox import Key, Quiet, Sandbox
from soniox_sync.sources import AudioSourceHandlers, SourceAudio
from tests.arguments import unreachable_client
from tests.realtime.conversation.conftest import Call
from tests.realtime.conversation.stage import CHAR_MS, FakeSink, FakeSpeech, Stage
from tests.waiting import WAIT, eventually

Begin = Callable[..., Call]


def test_it_is_returned_listening(call: Begin) -> None:
    """The source has started; the first words are heard and answered though nobody iterates."""
    begun = call(["Good morning.", Quiet(600)], lambda text, conversation: "Hello.")
    assert begun.conversation.state is ConversationState.LISTENING
    assert "calling" in repr(begun.caller)
    eventually(lambda: begun.conversation.turns)
    turn = begun.conversation.turns[0]
    assert (turn.user_text, turn.agent_text_heard) == ("Good morning.", "Hello.")


@pytest.mark.parametrize(
    ("options", "spoken"), [({"text_filter": None}, "It is **noon**."), ({}, "It is noon.")]
)
def test_the_voice_gets_what_the_filter_gives(
    call: Begin, sandbox: Sandbox, options: dict[str, Any], spoken: str
) -> None:
    """Marks and all without one; `agent_text` is the same."""
    begun = call(["Hello there.", Quiet(600)], lambda *_: ["It is **no", "on**."], **options)
    turn = next(iter(begun.conversation))
    assert turn.agent_text == turn.agent_text_heard == spoken
    sent = [message.get("text", "") for message in sandbox.log.messages(kind="tts")]
    assert "".join(sent).strip() == spoken


def test_what_is_said_in_a_pause_is_left_out(call: Begin) -> None:
    """Of the recogniser and of the turns; after `resume()` the user is heard again."""
    lines = ["Nobody hears this.", Quiet(3), Key("1"), Quiet(20), "This is heard.", Quiet(600)]
    begun = call(lines, lambda text, conversation: "Yes.")
    conversation = begun.conversation
    conversation.pause()
    conversation.on("dtmf", lambda: conversation.resume())
    assert next(iter(conversation)).user_text == "This is heard."


def test_without_times_heard_is_in_proportion() -> None:
    """To the audio that was received: half of it, half of the text, to a whole word."""

    class Plain(FakeSpeech):
        def events(self) -> Iterator[AudioChunk]:
            for chunk in super().events():
                yield AudioChunk(chunk.audio, None, False)

    text = "One two three four five."
    sink = FakeSink(is_fast=False)
    with Stage(lambda *_: text, sink=sink, make_speech=lambda texts, voice: Plain(texts)) as stage:
        stage.ask("hello")
        eventually(lambda: sink.waiting_ms >= len(text) * CHAR_MS - 1)
        sink.play(CHAR_MS * len(text) / 2)
        stage.until("speaking").hear("stop")
        assert stage.wait_turns(1)[0].agent_text_heard == "One two"


@pytest.mark.parametrize("end", ["", "raise SystemExit(3)"])
def test_a_program_may_end_while_the_agent_speaks(end: str) -> None:
    """Without `close()`: it ends, with its own code and without a word on standard error."""
    program = f"""
        import threading
        from soniox_sync import IterableSource
        from soniox_sync.sandbox import Sandbox

        speaking = threading.Event()

        def microphone():
            while True:
                threading.Event().wait(0.02)
                yield bytes(640)

        def reply(text, conversation):
            while True:
                yield "And so on. "

        class Sink:
            def write(self, data):
                speaking.set()

            def clear(self):
                pass

        sandbox = Sandbox().__enter__()
        source = IterableSource(
            microphone(), audio_format="pcm_s16le", sample_rate=16000, num_channels=1
        )
        conversation = sandbox.client().realtime.converse(source, reply, Sink(), voice="Emma")
        conversation.on("state_change", print)
        conversation.user_said("Hello.")
        assert speaking.wait({WAIT})
        {end}
    """
    done = subprocess.run(
        [sys.executable, "-X", "dev", "-c", textwrap.dedent(program)],
        capture_output=True,
        text=True,
        timeout=6 * WAIT,
        check=False,
    )
    assert (done.returncode, done.stderr) == (3 if end else 0, "")


def test_a_source_may_end_the_conversation(monkeypatch: pytest.MonkeyPatch) -> None:
    """`close()` on its thread does not wait for what waits for that thread."""
    monkeypatch.setattr(runtime, "_CLOSE_WAIT_SEC", 100 * WAIT)

    class Joined:
        """Source whose `stop()` waits for its thread."""

        audio = SourceAudio("pcm_s16le", 16000, 1)

        def __init__(self) -> None:
            self.conversation: queue.SimpleQueue[Conversation] = queue.SimpleQueue()

        def start(self, handlers: AudioSourceHandlers) -> None:
            self.handlers = handlers
            self.thread = threading.Thread(target=self._run, daemon=True)
            self.thread.start()

        def _run(self) -> None:
            self.handlers.on_data(bytes(640))
            self.conversation.get().close()

        def stop(self) -> None:
            self.thread.join()

    source = Joined()
    with unreachable_client() as client:
        conversation = client.realtime.converse(source, str, None, voice="Emma")
        source.conversation.put(conversation)
        assert list(conversation) == []
        eventually(conversation._runtime.over.is_set)
        assert conversation.ended_by == "cancel"
