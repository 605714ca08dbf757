"""Tests of SRT, WebVTT, JSON lines and render_tokens; parsed back by independent parsers."""

from __future__ import annotations

import io
import json
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from test_transcript_segments import tokens_strategy
from transcript_helpers import guessed, result, said, speech, translated

from soniox_sync.errors import ConfigurationError, StateError
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

DIALOGUE = [
    *speech("Is <this> right & good?", speaker="1"),
    *speech("Yes.", start=4000, speaker="2"),
    *speech("Sure.", start=9000, speaker="2"),
]


def test_srt_bytes() -> None:
    """SubRip has numbers, comma times, names where the speaker changes, blank lines between."""
    assert tokens_to_srt(DIALOGUE) == (
        "1\n00:00:00,000 --> 00:00:01,700\nSpeaker 1: Is <this> right & good?\n\n"
        "2\n00:00:04,000 --> 00:00:05,000\nSpeaker 2: Yes.\n\n"
        "3\n00:00:09,000 --> 00:00:10,000\nSure.\n\n"
    )


def test_vtt_bytes() -> None:
    """WebVTT has its header, point times, escaped text, and voices with escaped names."""
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
    """Times past an hour and past a hundred hours are written out."""
    cue = Cue(3_600_000 * 100 + 61_001, 3_600_000 * 100 + 62_000, ("x",))
    assert "100:01:01,001 --> 100:01:02,000" in cues_to_srt([cue])


def test_right_to_left_lines_are_marked() -> None:
    """A right-to-left line that a Latin name leads is marked; one that leads itself is not."""
    hebrew = speech("שלום לכם", speaker="1")
    assert "\n\u200fSpeaker 1: שלום לכם\n" in tokens_to_srt(hebrew)
    assert "\u200f" not in tokens_to_srt(hebrew, {"speakers": False})
    assert "<v Speaker 1>שלום לכם</v>" in tokens_to_vtt(hebrew)
    assert "\n\u200fPython שלום לכם\n" in tokens_to_srt(speech("Python שלום לכם"))


def test_white_space_cannot_break_the_format() -> None:
    """Line ends inside tokens do not end a cue."""
    written = tokens_to_srt([said("a\n\nb\r\n", 0, 500), said("\u2028c\x00", 500, 900)])
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
    """A caption file grows by whole cues, in the order spoken, and ends complete."""
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
    """A growing WebVTT file is valid from its first moment."""
    file = io.StringIO()
    writer = CaptionWriter(file, format="vtt", options={"max_lines": 1})
    assert file.getvalue() == "WEBVTT\n\n"
    writer.add(result(said("Hi", 0, 100)))
    assert writer.close() == 1


def test_writer_refuses_other_formats() -> None:
    """An unknown caption format is refused."""
    with pytest.raises(ConfigurationError, match="srt or vtt"):
        CaptionWriter(io.StringIO(), format="ass")


def test_transcript_takes_options_by_name_or_as_object() -> None:
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
    each = result(said("Hi\n", 0, 100), guessed(" you"), proc=100)
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
        ([said("Hi")], [guessed(" you")], "Hi you"),
        (
            [said("Hi", speaker="1"), said(" you", speaker="1"), said("Yes", speaker="2")],
            [],
            "Speaker 1:Hi you\n\nSpeaker 2:Yes",
        ),
        (
            [said(" Hi", speaker="1", language="en"), translated(" Hola", speaker="1")],
            [guessed(" you", speaker="1", language="en")],
            "Speaker 1:\n[en] Hi\n[Translation] [es] Hola\n[en] you",
        ),
        (
            [said("a", language="en"), said(" b", language="en"), said(" c", language="de")],
            [],
            "\n[en] a b\n[de] c",
        ),
        (
            [said("a", speaker="1", language="en"), said(" b", speaker="2", language="en")],
            [],
            "Speaker 1:\n[en] a\n\nSpeaker 2:\n[en] b",
        ),
    ],
)
def test_rendered_tokens(finals: list[Any], others: list[Any], written: str) -> None:
    """A tag stands wherever speaker or language changes, and no rule ends the text."""
    assert render_tokens(finals, others) == written
