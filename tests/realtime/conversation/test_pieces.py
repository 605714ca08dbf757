"""How a voice's audio is cut into pieces, and what each is counted as."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import pytest

from soniox_sync.protocol.tts import AudioChunk
from tests.realtime.conversation.stage import FakeSink, Stage
from tests.waiting import WAIT


class OneChunk:
    """Speech that has all its audio at once: a quarter of a second."""

    spoken_text = ""

    def __init__(self, text: Iterable[str]) -> None:
        self._text = text

    def events(self) -> Iterator[AudioChunk]:
        self.spoken_text = "".join(self._text)
        yield AudioChunk(b"\1\0" * 2000, None, True)

    def cancel(self) -> None:
        """Everything was said."""


class Deaf:
    """Sink that can drop nothing."""

    def __init__(self) -> None:
        self.written: list[bytes] = []

    def write(self, data: bytes) -> None:
        self.written.append(data)


@pytest.mark.parametrize(("sink", "ms"), [(FakeSink(), [100, 100, 50]), (Deaf(), [20] * 12 + [10])])
def test_pieces_are_as_long_as_a_cut_may_wait(sink: Any, ms: list[int]) -> None:
    """100 ms for a sink that can be cleared, 20 ms for one that plays on."""
    speech = lambda text, voice: OneChunk(text)  # noqa: E731
    with Stage(lambda text, conversation: "Yes.", sink=sink, make_speech=speech) as stage:
        stage.ask("hello").wait_turns(1)
        stage.conversation.say("Bye.")
        stage.conversation.stop()
        stage.conversation.wait(WAIT)
    assert [len(piece) / 16 for piece in sink.written[: len(ms)]] == ms
