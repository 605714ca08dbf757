"""Tests of SRT, WebVTT, JSON lines and render_tokens; parsed back by independent parsers."""

from __future__ import annotations

import io
import json
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from soniox_sync.errors import ConfigurationError, InputTypeError, StateError
from soniox_sync.protocol.tokens import SttEvent, Token
from soniox_sync.transcript import (
    CaptionWriter,
    Cue,
    Transcript,
    build_cues,
    cues_to_srt,
    cues_to_vtt,
    event_to_json,
    render_tokens,
    tokens_to_srt,
    tokens_to_vtt,
)
from tests.transcript.helpers import final, partial, result, speech, translated
from tests.transcript.test_segments import tokens_strategy

DIALOGUE = [
    *speech("Is <this> right & good?", speaker="1"),
    *speech("Yes.", start=4000, speaker="2"),
    *speech("Sure.", start=9000, speaker="2"),
]


def test_srt_bytes() -> None:
    """SubRip has numbers, times with commas, names where the speaker changes, blank lines."""
    assert tokens_to_srt(DIALOGUE) == (
        "1\n00:00:00,000 --> 00:00:01,700\nSpeaker 1: Is <this> right & good?\n\n"
        "2\n00:00:04,000 --> 00:00:05,000\nSpeaker 2: Yes.\n\n"
        "3\n00:00:09,000 --> 00:00:10,000\nSure.\n\n"
    )


def test_vtt_bytes() -> None:
    """WebVTT has its header, times with points, escaped text, and voices with escaped names."""
    assert tokens_to_vtt(DIALOGUE, {"speakers": {"1": "A & B"}}) == (
        "WEBVTT\n\n"
        "00:00:00.000 --> 00:00:01.500\n<v A &amp; B>Is &lt;this&gt; right &amp; good?</v>\n\n"
        "00:00:04.000 --> 00:00:05.000\n<v Speaker 2>Yes.</v>\n\n"
        "00:00:09.000 --> 00:00:10.000\n<v Speaker 2>Sure.</v>\n\n"
    )


def test_no_cues() -> None:
    """Without tokens SubRip is empty, WebVTT its header."""
    assert tokens_to_srt([]) == ""
    assert tokens_to_vtt([]) == "WEBVTT\n\n"


def test_hours_grow() -> None:
    """Times past a hundred hours are written in full."""
    cue = Cue(3_600_000 * 100 + 61_001, 3_600_000 * 100 + 62_000, ("x",))
    assert "100:01:01,001 --> 100:01:02,000" in cues_to_srt([cue])


def test_right_to_left_lines_are_marked() -> None:
    """A right-to-left line that begins with a Latin name is marked; other lines are not."""
    hebrew = speech("שלום לכם", speaker="1")
    assert "\n\u200fSpeaker 1: שלום לכם\n" in tokens_to_srt(hebrew)
    assert "\u200f" not in tokens_to_srt(hebrew, {"speakers": False})
    assert "<v Speaker 1>שלום לכם</v>" in tokens_to_vtt(hebrew)
    assert "\n\u200fPython שלום לכם\n" in tokens_to_srt(speech("Python שלום לכם"))


def test_white_space_cannot_break_the_format() -> None:
    """Line ends inside tokens do not end a cue."""
    written = tokens_to_srt([final("a\n\nb\r\n", 0, 500), final("\u2028c\x00", 500, 900)])
    assert written == "1\n00:00:00,000 --> 00:00:01,000\na b c\ufffd\n\n"


@given(st.lists(tokens_strategy, max_size=15), st.booleans())
def test_srt_parses_back(tokens: list[Token], named: bool) -> None:
    """An independent parser reads the same numbers, times and lines from SubRip."""
    srt = pytest.importorskip("srt")
    cues = build_cues(tokens, {"speakers": named})
    parsed = list(srt.parse(cues_to_srt(cues)))
    assert [each.index for each in parsed] == list(range(1, len(cues) + 1))
    assert [(each.start, each.end) for each in parsed] == [
        (timedelta(milliseconds=cue.start_ms), timedelta(milliseconds=cue.end_ms)) for cue in cues
    ]
    assert [each.content.replace("\u200f", "") for each in parsed] == [
        cue.text.replace("\u200f", "").replace("-->", "->") for cue in cues
    ]


def test_vtt_parses_back() -> None:
    """An independent parser reads the same times, voices and text from WebVTT."""
    webvtt = pytest.importorskip("webvtt")
    cues = build_cues(DIALOGUE)
    parsed = list(webvtt.from_buffer(io.BytesIO(cues_to_vtt(cues).encode())))
    assert [(each.start, each.end) for each in parsed] == [
        ("00:00:00.000", "00:00:01.500"),
        ("00:00:04.000", "00:00:05.000"),
        ("00:00:09.000", "00:00:10.000"),
    ]
    assert [each.voice for each in parsed] == ["Speaker 1", "Speaker 2", "Speaker 2"]
    assert [each.text for each in parsed][1:] == ["Yes.", "Sure."]


def test_writer_grows_as_words_become_final() -> None:
    """A caption file grows by whole cues, in spoken order, and is complete at the end."""
    file = io.StringIO()
    with CaptionWriter(file) as writer:
        assert writer.add(result(*speech("One two."), proc=600)) == 0
        assert writer.mark_endpoint() == 0
        assert writer.add(result(*speech("Three.", start=3000), proc=3300)) == 1
        assert file.getvalue() == "1\n00:00:00,000 --> 00:00:01,000\nOne two.\n\n"
    assert file.getvalue().count(" --> ") == 2
    assert writer.close() == 0
    with pytest.raises(StateError, match="closed"):
        writer.add(result())


def test_writer_of_vtt_begins_with_the_header() -> None:
    """A growing WebVTT file is valid from the start."""
    file = io.StringIO()
    writer = CaptionWriter(file, format="vtt", options={"max_lines": 1})
    assert file.getvalue() == "WEBVTT\n\n"
    writer.add(result(final("Hi", 0, 100)))
    assert writer.close() == 1


def test_writer_refuses_other_formats() -> None:
    """An unknown caption format is refused."""
    with pytest.raises(ConfigurationError, match="'srt', 'vtt'"):
        CaptionWriter(io.StringIO(), format="ass")


UNTIMED = final("One two three.")


@pytest.mark.parametrize("write", [tokens_to_srt, tokens_to_vtt])
@pytest.mark.parametrize("more", [[], [translated("Uno.")], [final(" Four.")], [final(" ", 0, 9)]])
def test_times_are_not_made_up(write: Any, more: list[Token]) -> None:
    """Words of which none has a time are refused; one time is enough for all of them."""
    if any(token.start_ms is not None for token in more):
        assert write([UNTIMED, *more])
        return
    with pytest.raises(StateError, match="cannot make captions: the transcript has no times"):
        write([UNTIMED, *more])


@pytest.mark.parametrize("tokens", [[], [final(" ")], [final("")], [translated("Uno.")]])
def test_without_words_no_times_are_needed(tokens: list[Token]) -> None:
    """A transcript without words has no captions, or those of its translation."""
    assert ("Uno." in tokens_to_srt(tokens, {"show": "translation"})) == any(
        token.is_translation for token in tokens
    )


def test_writer_makes_no_times_up() -> None:
    """The first words without times are refused before anything is written."""
    file = io.StringIO()
    with CaptionWriter(file) as writer:
        with pytest.raises(StateError, match="has no times"):
            writer.add(result(UNTIMED))
    assert file.getvalue() == ""
    with CaptionWriter(file) as writer:
        writer.add(result(final("One", 0, 200)))
        writer.add(result(final(" two")))
    assert "One two" in file.getvalue()


def test_transcript_accepts_options_by_name_or_as_object() -> None:
    """Caption options may be given by name or as one object, not both."""
    transcript = Transcript()
    transcript.add(result(*speech("one two three four")))
    by_name = transcript.to_vtt(max_line_length=9, max_lines=1)
    assert by_name == transcript.to_vtt({"max_line_length": 9, "max_lines": 1})
    assert by_name.count("-->") == 3
    assert transcript.to_srt() == tokens_to_srt(transcript.tokens)
    with pytest.raises(TypeError, match="not both"):
        transcript.to_srt({"max_lines": 1}, max_lines=1)


def test_event_lines() -> None:
    """Each event is one line of JSON; only results carry tokens."""
    each = result(final("Hi\n", 0, 100), partial(" you"), proc=100)
    line = event_to_json(SttEvent("result", each))
    assert "\n" not in line
    assert json.loads(line) == {
        "type": "result",
        "text": "Hi\n you",
        "tokens": [
            {"text": "Hi\n", "start_ms": 0, "end_ms": 100, "is_final": True},
            {"text": " you", "is_final": False},
        ],
        "final_audio_proc_ms": 100,
        "total_audio_proc_ms": 100,
    }
    assert json.loads(event_to_json(SttEvent("endpoint", each))) == {
        "type": "endpoint",
        "final_audio_proc_ms": 100,
        "total_audio_proc_ms": 100,
    }


@pytest.mark.parametrize(
    ("finals", "others", "written"),
    [
        ([], [], ""),
        ([final("Hi")], [partial(" you")], "Hi you"),
        (
            [final("Hi", speaker="1"), final(" you", speaker="1"), final("Yes", speaker="2")],
            [],
            "Speaker 1:Hi you\n\nSpeaker 2:Yes",
        ),
        (
            [final(" Hi", speaker="1", language="en"), translated(" Hola", speaker="1")],
            [partial(" you", speaker="1", language="en")],
            "Speaker 1:\n[en] Hi\n[Translation] [es] Hola\n[en] you",
        ),
        (
            [final("a", language="en"), final(" b", language="en"), final(" c", language="de")],
            [],
            "\n[en] a b\n[de] c",
        ),
        (
            [final("a", speaker="1", language="en"), final(" b", speaker="2", language="en")],
            [],
            "Speaker 1:\n[en] a\n\nSpeaker 2:\n[en] b",
        ),
    ],
)
def test_rendered_tokens(finals: list[Any], others: list[Any], written: str) -> None:
    """There is a tag wherever speaker or language changes, and no rule at the end."""
    assert render_tokens(finals, others) == written


@pytest.mark.parametrize("mixed", [False, True])
def test_rendered_mappings(mixed: bool) -> None:
    """Tokens as the service sends them render like the objects, and may be mixed with them."""
    sent: list[Any] = [
        {"text": " Hi", "speaker": "1", "language": "en", "is_final": True},
        {"text": " Hola", "speaker": "1", "language": "es", "translation_status": "translation"},
    ]
    last = partial(" you", language="en") if mixed else {"text": " you", "language": "en"}
    written = "Speaker 1:\n[en] Hi\n[Translation] [es] Hola\n[en] you"
    assert render_tokens(sent, [last]) == written


@pytest.mark.parametrize("token", ["Hi", {"speaker": "1"}, {"text": None}, None])
def test_what_is_no_token_is_refused(token: Any) -> None:
    """A str, and a mapping without a text, are named with what was expected."""
    with pytest.raises(InputTypeError, match="tokens: expected tokens, or mappings with a 'text'"):
        render_tokens([token])
