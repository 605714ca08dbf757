"""Captions of ten minutes of speech against the true times of its words; see `spoken`."""

from __future__ import annotations

import importlib.util
import io
from collections.abc import Iterator
from datetime import timedelta
from typing import Any, NamedTuple

import pytest

from soniox_sync.protocol.tokens import SttEvent
from soniox_sync.sandbox import Sandbox
from soniox_sync.transcript import CaptionOptions, CaptionWriter, Transcript
from tests.transcript.spoken import (
    FORMAT,
    Span,
    Talk,
    speak_talk,
    talk_text,
    transcribe_talk,
    words_of,
)

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        not all(map(importlib.util.find_spec, ("espeakng_loader", "numpy"))),
        reason="the sandbox has no voice here",
    ),
]

NEAR_MS = 100.0
# what is lost when a time is written in whole milliseconds
ROUNDING_MS = 2.0
NARROW = CaptionOptions(max_line_length=40)
# each cue ends with its last word, however short that is
AS_SPOKEN = CaptionOptions(max_line_length=40, min_duration_ms=0, chars_per_sec=1e9)


class Heard(NamedTuple):
    """Talk and its transcription."""

    talk: Talk
    events: list[SttEvent]
    transcript: Transcript
    words: list[Span]


def speak_and_transcribe(text: str) -> Heard:
    """Speak a text in a sandbox and transcribe it there."""
    with Sandbox(limits={"tts_pace": None}) as sandbox, sandbox.client() as client:
        talk = speak_talk(client, text)
        events = transcribe_talk(client, talk.audio)
    transcript = Transcript()
    for event in events:
        transcript.add_event(event)
    return Heard(talk, events, transcript, words_of(transcript))


@pytest.fixture(scope="module")
def heard() -> Heard:
    """Provide ten minutes of speech and its transcript."""
    heard = speak_and_transcribe(talk_text(1660))
    assert heard.talk.audio_sec >= 600
    return heard


class Parsed(NamedTuple):
    """Cue as read by an independent parser."""

    start_ms: float
    end_ms: float
    lines: list[str]


def parse_srt(written: str) -> list[Parsed]:
    """Read SubRip with the `srt` package."""
    srt = pytest.importorskip("srt")
    millisecond = timedelta(milliseconds=1)
    cues = list(srt.parse(written))
    assert [cue.index for cue in cues] == list(range(1, len(cues) + 1))
    return [
        Parsed(cue.start / millisecond, cue.end / millisecond, cue.content.split("\n"))
        for cue in cues
    ]


def parse_vtt(written: str) -> list[Parsed]:
    """Read WebVTT with the `webvtt-py` package."""
    webvtt = pytest.importorskip("webvtt")
    return [
        Parsed(_ms(cue.start), _ms(cue.end), cue.text.split("\n"))
        for cue in webvtt.from_buffer(io.BytesIO(written.encode()))
    ]


def _ms(clock: str) -> float:
    hours, minutes, seconds = clock.split(":")
    return round(((int(hours) * 60 + int(minutes)) * 60 + float(seconds)) * 1000)


WRITERS: dict[str, Any] = {
    "srt": (Transcript.to_srt, parse_srt),
    "vtt": (Transcript.to_vtt, parse_vtt),
}


@pytest.fixture(params=WRITERS)
def written(request: pytest.FixtureRequest, heard: Heard) -> tuple[list[Parsed], list[Parsed]]:
    """Provide the captions in one of the formats, with the default times and as spoken."""
    write, parse = WRITERS[request.param]
    return parse(write(heard.transcript, NARROW)), parse(write(heard.transcript, AS_SPOKEN))


def spoken_in(cues: list[Parsed], words: list[Span]) -> Iterator[tuple[Parsed, Span, Span]]:
    """Yield each cue with its true first and last word."""
    at = 0
    for cue in cues:
        count = len(" ".join(cue.lines).split())
        yield cue, words[at], words[at + count - 1]
        at += count


def test_every_word_is_transcribed_once_and_at_its_time(heard: Heard) -> None:
    """The transcript has the words of the text in order, at the times the voice reported."""
    assert [word.text for word in heard.words] == [word.text for word in heard.talk.words]
    for word, true in zip(heard.words, heard.talk.words):
        assert word.start_ms == pytest.approx(true.start_ms, abs=ROUNDING_MS)
        assert word.end_ms == pytest.approx(true.end_ms, abs=ROUNDING_MS)


def test_words_begin_and_end_with_the_sound(heard: Heard) -> None:
    """A word begins wherever the audio grows loud after a pause, and ends where it fades."""
    starts = [word.start_ms for word in heard.words]
    ends = [word.end_ms for word in heard.words]
    assert len(heard.talk.stretches) > 100
    for start, end in heard.talk.stretches:
        assert nearest(starts, start) == pytest.approx(start, abs=NEAR_MS)
        assert nearest(ends, end) == pytest.approx(end, abs=NEAR_MS)


def nearest(times: list[float], wanted: float) -> float:
    """Return the one of `times` that is closest to `wanted`."""
    return min(times, key=lambda time: abs(time - wanted))


def test_words_spoken_one_by_one_are_where_the_sound_is() -> None:
    """With a pause after every word, cues begin and end where the audio alone shows it."""
    # no two that sound alike: the sandbox could not distinguish them
    words = {word.lower() for word in talk_text(120).split() if word.isalpha()}
    text = "\n".join(sorted(words))
    heard = speak_and_transcribe(text)
    options = CaptionOptions(min_duration_ms=0, chars_per_sec=1e9, max_gap_ms=0)
    cues = parse_srt(heard.transcript.to_srt(options))
    assert [cue.lines for cue in cues] == [[word] for word in text.split()]
    sounds = heard.talk.stretches
    for cue in cues:
        start, end = sound_of(cue, sounds)
        assert cue.start_ms == pytest.approx(start, abs=NEAR_MS)
        assert cue.end_ms == pytest.approx(end, abs=NEAR_MS)


def sound_of(cue: Parsed, sounds: list[tuple[float, float]]) -> tuple[float, float]:
    """Return the stretch of sound of a cue; a word may have a silence inside."""
    inside = [each for each in sounds if each[0] < cue.end_ms and each[1] > cue.start_ms]
    return inside[0][0], inside[-1][1]


def test_captions_hold_every_word_in_lines_of_forty_columns(
    heard: Heard, written: tuple[list[Parsed], list[Parsed]]
) -> None:
    """An independent parser reads all words in order, in two lines of at most forty columns."""
    for cues in written:
        lines = [line for cue in cues for line in cue.lines]
        assert " ".join(lines).split() == [word.text for word in heard.talk.words]
        assert max(map(len, lines)) <= 40
        assert max(len(cue.lines) for cue in cues) == 2
        assert all(one.end_ms <= two.start_ms for one, two in zip(cues, cues[1:]))


def test_captions_begin_with_their_first_word(
    heard: Heard, written: tuple[list[Parsed], list[Parsed]]
) -> None:
    """Each cue appears within 100 ms of the beginning of its first word."""
    for cues in written:
        for cue, first, _ in spoken_in(cues, heard.talk.words):
            assert cue.start_ms == pytest.approx(first.start_ms, abs=NEAR_MS)


def test_captions_end_with_their_last_word(
    heard: Heard, written: tuple[list[Parsed], list[Parsed]]
) -> None:
    """Without a minimum duration and a reading speed, each cue ends with its last word."""
    _, as_spoken = written
    for cue, _, last in spoken_in(as_spoken, heard.talk.words):
        assert cue.end_ms == pytest.approx(last.end_ms, abs=NEAR_MS)


def test_captions_stay_as_long_as_reading_takes(
    heard: Heard, written: tuple[list[Parsed], list[Parsed]]
) -> None:
    """A cue ends with its last word, or later as `CaptionOptions` says, up to the next cue."""
    cues, _ = written
    nexts = [cue.start_ms for cue in cues[1:]] + [float("inf")]
    longer = 0
    for (cue, _, last), following in zip(spoken_in(cues, heard.talk.words), nexts):
        reading = len(" ".join(cue.lines)) * 1000 / NARROW.chars_per_sec
        shown = min(max(NARROW.min_duration_ms, reading), NARROW.max_duration_ms)
        wanted = max(last.end_ms, cue.start_ms + shown)
        assert cue.end_ms == pytest.approx(min(wanted, following), abs=NEAR_MS)
        assert cue.end_ms > last.end_ms - NEAR_MS
        longer += cue.end_ms > last.end_ms + NEAR_MS
    assert 0 < longer < len(cues)


@pytest.mark.parametrize("format", ["srt", "vtt"])
def test_live_captions_are_those_of_the_transcript(heard: Heard, format: str) -> None:
    """A file written live is equal to the one written from the transcript later."""
    file = io.StringIO()
    with CaptionWriter(file, format=format, options=NARROW) as writer:
        for event in heard.events:
            if event.kind == "result":
                writer.add(event.result)
            elif event.kind == "endpoint":
                writer.mark_endpoint()
    assert file.getvalue() == WRITERS[format][0](heard.transcript, NARROW)


def test_transcribe_gives_the_same_captions() -> None:
    """`client.realtime.transcribe` gives the same words and times."""
    text = "The ferry leaves at nine. Please have your tickets ready."
    with Sandbox(limits={"tts_pace": None}) as sandbox, sandbox.client() as client:
        talk = speak_talk(client, text)
        transcription = client.realtime.transcribe(talk.audio, pace=False, **FORMAT)
        assert [event.kind for event in transcription][-1] == "finished"
    cues = parse_srt(transcription.transcript.to_srt(AS_SPOKEN))
    assert " ".join(line for cue in cues for line in cue.lines) == text
    for cue, first, last in spoken_in(cues, talk.words):
        assert cue.start_ms == pytest.approx(first.start_ms, abs=NEAR_MS)
        assert cue.end_ms == pytest.approx(last.end_ms, abs=NEAR_MS)
