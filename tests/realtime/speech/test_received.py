"""What is known of a stream's audio, and how much of the text a user has heard of it."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, Optional

import pytest

from soniox_sync.config import TtsStreamConfig
from soniox_sync.errors import SonioxConnectionError, SonioxError
from soniox_sync.protocol.tts import AudioChunk, Timestamps
from soniox_sync.realtime.speech.attempt import Attempt
from soniox_sync.realtime.speech.planner import Part
from soniox_sync.realtime.speech.played import Played
from tests.waiting import ManualClock

LOST = SonioxConnectionError("lost")
TEXT = "One two three four."


def config(audio_format: str = "pcm_s16le", **more: Any) -> TtsStreamConfig:
    return TtsStreamConfig(
        model="tts-rt-v2",
        language="en",
        voice="Emma",
        audio_format=audio_format,
        stream_id="s",
        **{"sample_rate": 8000 if audio_format != "mp3" else 16000, **more},
    )


def stamps(text: str, each_sec: float = 0.1) -> Timestamps:
    starts = tuple(round(at * each_sec, 3) for at in range(len(text)))
    return Timestamps(tuple(text), starts, tuple(round(at + each_sec, 3) for at in starts))


class Bench:
    """An attempt at a part, its clock, and what it reports."""

    def __init__(self, audio_format: str = "pcm_s16le", begin: int = 0, **more: Any) -> None:
        self.clock = ManualClock(100.0)
        self.part = Part(0, text=TEXT, begin=begin)
        self.firsts: list[float] = []
        self.ends: list[Optional[SonioxError]] = []
        stream: Any = SimpleNamespace(config=config(audio_format, **more))
        self.attempt = Attempt(
            self.part,
            stream,
            self.clock,  # type: ignore[arg-type]
            lambda: self.firsts.append(self.clock.now()),
            lambda attempt, error: self.ends.append(error),
        )

    def hear(self, size: int, times: Optional[Timestamps] = None, *, end: bool = False) -> None:
        self.attempt.received(AudioChunk(bytes(size), times, end))


def test_audio_is_counted_as_it_comes() -> None:
    """Its bytes and seconds, when the last of it came, and the first time that any did."""
    bench = Bench()
    bench.hear(0, stamps("O"))
    assert (bench.firsts, bench.part.progress.has_audio) == ([], False)
    bench.clock.advance(1.0)
    bench.hear(16000)
    bench.clock.advance(1.0)
    bench.hear(8000)
    progress = bench.part.progress
    assert bench.firsts == [101.0]
    assert (bench.attempt.audio_bytes, progress.audio_sec) == (24000, 1.5)
    assert (progress.has_audio, progress.last_audio_at) == (True, 102.0)


@pytest.mark.parametrize(
    ("audio_format", "more", "seconds"),
    [
        ("pcm_s16le", {}, 1.0),
        ("pcm_mulaw", {}, 2.0),
        ("wav", {}, (16000 - 44) / 16000),  # its header is no sound
        ("mp3", {"bitrate": 64000}, 2.0),
        ("mp3", {"bitrate": None}, 0.3),  # when the last character begins
    ],
)
def test_the_length_of_audio_follows_from_its_format(
    audio_format: str, more: dict[str, Any], seconds: float
) -> None:
    """Or, where that does not tell, from the times of its characters."""
    bench = Bench(audio_format, **more)
    bench.hear(16000, stamps("One "))
    assert bench.part.progress.audio_sec == pytest.approx(seconds)


def test_a_header_alone_is_no_time() -> None:
    """Nor is less than one."""
    bench = Bench("wav")
    bench.hear(20)
    assert bench.part.progress.audio_sec == 0


def test_without_times_half_of_a_high_estimate_is_a_low_one() -> None:
    """For a compressed format of unknown bit rate."""
    bench = Bench("mp3", bitrate=None)
    bench.attempt.text_sec = 3.0
    bench.hear(16000)
    assert bench.part.progress.audio_sec == 1.5


def test_a_stream_is_complete_with_its_last_audio() -> None:
    """What comes without audio after it does not change that."""
    bench = Bench()
    assert not bench.attempt.is_complete
    bench.hear(100)
    assert not bench.attempt.is_complete
    bench.hear(0, end=True)
    bench.hear(0, stamps("."))
    assert bench.attempt.is_complete


def test_a_stream_ends_once() -> None:
    """With its failure, or without one."""
    failed, ended = Bench(), Bench()
    failed.attempt.failed(LOST)
    failed.attempt.released(None)
    ended.attempt.released(None)
    ended.attempt.failed(LOST)
    assert (failed.ends, ended.ends) == ([LOST], [None])


@pytest.mark.parametrize("claims_first", [True, False])
def test_audio_belongs_to_whoever_asks_first(claims_first: bool) -> None:
    """It is played, or dropped and spoken anew: never both, however often they ask."""
    attempt = Bench().attempt
    first, second = (
        (attempt.claim, attempt.revoke) if claims_first else (attempt.revoke, attempt.claim)
    )
    assert [first(), second(), first(), second()] == [True, False, True, False]


@pytest.mark.parametrize(
    ("audio_format", "begin", "size", "spoken"),
    [
        ("pcm_s16le", 0, 11200, "One two"),  # 0.7 s: seven characters have begun
        ("pcm_s16le", 4, 4800, "One two"),
        ("wav", 0, 11244, "One two"),
        ("mp3", 0, 1, TEXT),  # all whose times are known
    ],
)
def test_the_times_say_up_to_where_a_stream_spoke(
    audio_format: str, begin: int, size: int, spoken: str
) -> None:
    """Characters that begin after the audio that was received were not heard."""
    bench = Bench(audio_format, begin)
    bench.hear(size, stamps(TEXT[begin:]))
    assert TEXT[: bench.attempt.spoken_chars()] == spoken


# -- the user -------------------------------------------------------------------------------------


def heard(bench: Bench, size: int, times: Optional[Timestamps] = None) -> str:
    """Return the text that a user has heard who was given so much of a stream's audio."""
    played = Played(bench.attempt.stream.config)
    played.begin(bench.attempt)
    played.stream_audio(size, times)
    return played.text


def test_text_is_heard_by_the_times_of_its_characters() -> None:
    """As far as the audio goes that was given out."""
    assert heard(Bench(), 11200, stamps(TEXT)) == "One two"


def test_without_times_text_is_heard_in_proportion_to_the_audio() -> None:
    """Once all audio is there; down to the end of a word."""
    bench = Bench()
    bench.hear(19000, end=True)
    assert heard(bench, 0) == ""
    assert heard(bench, 10500) == "One two "  # 10.5 of 19 characters
    assert heard(bench, 12900) == "One two "
    assert heard(bench, 13000) == "One two three "
    assert heard(bench, 19000) == TEXT


def test_until_then_text_is_heard_as_it_is_estimated() -> None:
    """The estimate is 1.3 times too high: 1.825 s for this text of 2.05 at most, at any speed."""
    bench = Bench()
    bench.hear(8000)
    estimate = 0.13 + 14 * 0.085 + 3 * 0.08 + 0.35
    for chars, text in ((8, "One two "), (12, "One two "), (13, "One two three "), (19, TEXT)):
        size = int((chars + 0.01) / 19 * estimate / 1.3 * 16000) + 1
        assert heard(bench, size) == text
    fast = Bench(speed=1.25)
    fast.hear(8000)
    assert heard(fast, int(estimate / 1.3 / 1.25 * 16000) + 1) == TEXT


def test_parts_that_were_played_are_whole() -> None:
    """With what led to them and was not spoken; then comes the current one, from its start."""
    played = Played(config())
    played.part_ended(Part(0, lead="... ", text="First. "))
    assert played.text == "... First. "
    bench = Bench(begin=4)
    bench.part.lead = "- "
    played.begin(bench.attempt)
    assert played.text == "... First. - One "
    played.stream_audio(4800, stamps(TEXT[4:]))
    assert played.text == "... First. - One two"
    played.part_ended(bench.part)
    assert played.text == f"... First. - {TEXT}"


@pytest.mark.parametrize(
    ("made", "seconds", "ms"),
    [
        (config(), 1.5, 1500),
        (config("mp3", bitrate=64000), None, 2000),
        (config("mp3", bitrate=None), None, None),
    ],
)
def test_milliseconds_are_known_if_a_rate_is(
    made: TtsStreamConfig, seconds: Optional[float], ms: Optional[int]
) -> None:
    """From the joined audio, or from its bytes and bit rate."""
    played = Played(made)
    played.handed_out(10000, None)
    played.handed_out(6000, seconds)
    assert (played.audio_bytes, played.audio_ms) == (16000, ms)
