"""Tests of the transcript tools with tokens that no service should send, but one day will."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from typing import Any, Optional

import pytest
from hypothesis import given
from hypothesis import strategies as st

from soniox_sync.protocol.tokens import Result, SttEvent, Token, join_said
from soniox_sync.transcript import (
    CaptionBuffer,
    CaptionOptions,
    CaptionWriter,
    Cue,
    Transcript,
    UtteranceBuffer,
    build_cues,
    cues_to_vtt,
    event_to_json,
    render_tokens,
    segment_tokens,
    segments_to_text,
    tokens_to_srt,
    tokens_to_vtt,
    translation_pairs,
)
from soniox_sync.transcript.text import graphemes, text_width
from tests.transcript.helpers import final, result, speech, steps_of, texts, translated
from tests.transcript.test_segments import results_strategy, tokens_strategy

# --- the sum of the final tokens

ENDPOINT = "endpoint"


@given(st.lists(results_strategy.map(tuple) | st.just((ENDPOINT,)), max_size=6))
def test_all_views_of_a_transcript_hold_all_final_tokens(steps: list[tuple[Any, ...]]) -> None:
    """However results and endpoints alternate, text, segments, utterances and pairs are complete.

    Tokens are where they came, translations as well.
    """
    transcript = Transcript()
    finals: list[Token] = []
    for step in (each for group in steps for each in group):
        if step == ENDPOINT:
            transcript.add_event(SttEvent("endpoint", result()))
        else:
            transcript.add_event(SttEvent("result", step))
            finals += step.final_tokens
        assert transcript.final_text == join_said(finals)
    assert ids(transcript.final_tokens) == ids(finals)
    for parts in (transcript.segments(), transcript.utterances()):
        assert ids(token for part in parts for token in part.tokens) == ids(finals)
        assert "".join(texts(parts)) == transcript.final_text
    paired = [
        token
        for pair in transcript.translation_pairs()
        for segment in pair
        if segment is not None
        for token in segment.tokens
    ]
    assert sorted(ids(paired)) == sorted(ids(finals))


def ids(tokens: Any) -> list[int]:
    """Return identities, by which equal tokens differ."""
    return [id(token) for token in tokens]


@given(st.lists(results_strategy.map(tuple) | st.just((ENDPOINT,)), max_size=6), st.integers(1, 4))
def test_utterances_of_a_buffer_hold_all_final_tokens(
    steps: list[tuple[Any, ...]], max_tokens: int
) -> None:
    """The utterances between endpoints concatenate to all final tokens, whatever the bound."""
    buffer = UtteranceBuffer(max_tokens=max_tokens)
    finals: list[Token] = []
    utterances = []
    for step in [*(each for group in steps for each in group), ENDPOINT]:
        if step == ENDPOINT:
            utterances.append(buffer.mark_endpoint())
        else:
            buffer.add_result(step)
            finals += step.final_tokens
    ended = [utterance for utterance in utterances if utterance is not None]
    assert ids(token for utterance in ended for token in utterance.tokens) == ids(finals)
    assert "".join(texts(ended)) == join_said(finals)


@given(st.lists(tokens_strategy, max_size=12))
def test_no_time_is_made_up(tokens: list[Token]) -> None:
    """The times of segments, utterances and pairs are times of a token, or `None`."""
    transcript = Transcript()
    transcript.add(Result(tokens=[*tokens]))
    known = {None} | {token.start_ms for token in tokens} | {token.end_ms for token in tokens}
    pairs = [segment for pair in translation_pairs(tokens) for segment in pair if segment]
    for part in [*transcript.segments(), *transcript.utterances(), *pairs]:
        assert {part.start_ms, part.end_ms} <= known


# --- captions

hostile_text = st.sampled_from(
    ["", " ", "\n\n", "a", " b", ".", "-->", " 00:00:00,000 --> 00:00:01,000", " 7", "e\u0301",
     "\u0301", "\U0001f468\u200d", "\U0001f469", "\u200d", "日本", "。", " مرحبا", " שלום", "ไทย",
     "น้ำ", "\u202e", "\x00", "\x1b[2J", "\ud800", "\u2028", "&<b>", "</v>", "NOTE", "x" * 99]
)  # fmt: skip
hostile_tokens = st.builds(
    Token,
    text=hostile_text,
    start_ms=st.none() | st.integers(-5000, 50_000),
    end_ms=st.none() | st.integers(-5000, 50_000),
    is_final=st.just(True),
    speaker=st.sampled_from([None, "1", "2"]),
    translation_status=st.sampled_from([None, "none", "original", "translation"]),
)
TIMED = final("", 0, 0)  # words may lack times if something before has one
options = st.builds(
    CaptionOptions,
    max_line_length=st.integers(2, 45),
    max_lines=st.integers(1, 3),
    min_duration_ms=st.integers(0, 100),
    max_duration_ms=st.integers(100, 9000),
    max_gap_ms=st.sampled_from([0, 1500]),
    show=st.sampled_from(["original", "translation"]),
    speakers=st.sampled_from([True, False, {"1": "Ann\nLee", "2": "x" * 60 + " y"}, {"1": " "}]),
    prefix_speakers=st.booleans(),
)


@given(st.lists(hostile_tokens, max_size=12), options)
def test_cues_stay_in_bounds(tokens: list[Token], options: CaptionOptions) -> None:
    """Lines, their number and durations keep to the options, whatever the tokens; in order."""
    cues = build_cues(tokens, options)
    for cue in cues:
        assert 0 <= cue.start_ms < cue.end_ms
        assert cue.end_ms - cue.start_ms <= options.max_duration_ms
        assert 1 <= len(cue.lines) <= options.max_lines
        for line in cue.lines:
            assert text_width(line) <= options.max_line_length or len([*graphemes(line)]) == 1
    assert all(one.end_ms <= two.start_ms for one, two in zip(cues, cues[1:]))


@given(st.lists(hostile_tokens, max_size=12), options)
def test_parsers_find_the_same_cues(tokens: list[Token], options: CaptionOptions) -> None:
    """Independent parsers find exactly our cues, nothing of the text among them."""
    srt, webvtt = pytest.importorskip("srt"), pytest.importorskip("webvtt")
    written = tokens_to_srt([TIMED, *tokens], options)
    parsed = list(srt.parse(written))
    assert [each.index for each in parsed] == list(range(1, len(parsed) + 1))
    assert written.count("-->") == len(parsed)
    cues = build_cues([TIMED, *tokens], options)
    found = list(webvtt.from_buffer(io.BytesIO(cues_to_vtt(cues).encode())))
    assert len(found) == len(cues)
    assert [each.voice for each in found] == [cue.speaker for cue in cues]


@given(st.lists(hostile_tokens, max_size=12))
def test_live_text_can_be_written(tokens: list[Token]) -> None:
    """Live captions can be encoded, and have no control characters."""
    file = io.StringIO()
    with CaptionWriter(file) as writer:
        writer.add(result(TIMED))
        for token in tokens:
            writer.add(result(token))
    assert file.getvalue().encode().decode() == file.getvalue()
    assert all(char == "\n" or char >= " " for char in file.getvalue())


def test_a_full_stop_after_a_pause_belongs_to_its_word() -> None:
    """Punctuation that comes late joins its word, and does not make the word last longer."""
    tokens = [final("Hello", 0, 400), final(".", 1900, 1950), final(" Yes", 4000, 4300)]
    cues = build_cues(tokens, {"min_duration_ms": 0, "chars_per_sec": 1e9})
    assert [(cue.text, cue.start_ms, cue.end_ms) for cue in cues] == [
        ("Hello.", 0, 400),
        ("Yes", 4000, 4300),
    ]


def test_another_speaker_within_a_word_begins_a_cue() -> None:
    """A word that ends with another speaker's token is shown as received, in two cues."""
    cues = build_cues([final("He", 0, 300, speaker="1"), final("llo", 300, 600, speaker="2")])
    assert [(cue.text, cue.speaker) for cue in cues] == [("He", "Speaker 1"), ("llo", "Speaker 2")]


def test_a_translation_within_a_word_does_not_split_it() -> None:
    """A translation that arrives between two halves of a word does not split the word."""
    tokens = [final("Hel", 0, 300), translated("Ho"), final("lo", 300, 600), translated("la")]
    assert texts(build_cues(tokens)) == ["Hello"]


def test_a_word_of_a_minute_is_not_shown_for_a_minute() -> None:
    """The longest duration applies to a single word as well."""
    (cue,) = build_cues([final("Ooooh", 1000, 61_000)])
    assert (cue.start_ms, cue.end_ms) == (1000, 8000)


@pytest.mark.parametrize(
    ("width", "lines", "text"),
    [(40, 1, "Speaker 1: Hello"), (12, 2, "Speaker 1:\nHello"), (12, 1, "Spea…: Hello"),
     (8, 1, "Hello"), (9, 1, "S…: Hello")],
)  # fmt: skip
def test_a_name_makes_room_for_the_word(width: int, lines: int, text: str) -> None:
    """A name that would push its words out of the cue is shortened, or left out."""
    options = CaptionOptions(max_line_length=width, max_lines=lines, prefix_speakers=True)
    (cue,) = build_cues([final("Hello", 0, 500, speaker="1")], options)
    assert cue.text == text


def test_a_name_in_parts_takes_no_line_too_many() -> None:
    """A name that is broken over lines is measured as it is shown, with the spaces in it."""
    options = CaptionOptions(max_line_length=6, max_lines=2, prefix_speakers=True)
    cues = build_cues([final("ไทย", speaker="1")], options)
    assert all(len(cue.lines) <= 2 for cue in cues)


@pytest.mark.parametrize("name", ["", " \n"])
def test_an_empty_name_is_none(name: str) -> None:
    """A speaker with an empty name is not named."""
    tokens = [final("Hello", 0, 500, speaker="1")]
    assert "\nHello\n" in tokens_to_srt(tokens, {"speakers": {"1": name}})
    assert "<v" not in tokens_to_vtt(tokens, {"speakers": {"1": name}})
    assert "<v" not in cues_to_vtt([Cue(0, 1, ("x",), speaker=name)])


FORGED = "1\r\n\r\n2\r\n00:00:00,000 --> 00:00:09,000\r\nFake\x1b[2J\x85\x0b\ud800"


@pytest.mark.parametrize("write", [tokens_to_srt, tokens_to_vtt])
def test_a_label_of_the_service_cannot_end_a_cue(write: Callable[[list[Token]], str]) -> None:
    """Line ends and control characters in a speaker's label reach no file."""
    written = write([final("Hello", 0, 500, speaker=FORGED)])
    assert len(written.strip().split("\n\n")) == (1 if write is tokens_to_srt else 2)
    assert written.count("Fake") == 1 and "\r" not in written
    assert not any(ch in written for ch in "\x1b\x85\x0b\ud800")


def test_labels_of_the_service_stay_on_their_line() -> None:
    """The label of a speaker or a language adds no line to plain text."""
    token = final("Hello", 0, 500, speaker=FORGED, language="en\r\n\x1b[2J")
    assert len(segments_to_text(segment_tokens([token])).splitlines()) == 1
    rendered = render_tokens([token])
    assert rendered.count("\n") == render_tokens([final("x", speaker="1", language="en")]).count(
        "\n"
    )
    assert "\r" not in rendered and "\x1b" not in rendered


def test_text_cannot_forge_a_time_line() -> None:
    """SubRip text has no arrow that a parser could mistake for times."""
    written = tokens_to_srt([final("7 00:00:00,000 --> 00:00:01,000 x", 0, 900)])
    assert written.count("-->") == 1
    assert "00:00:00,000 -> 00:00:01,000" in written.replace("\n->", " ->")


def test_untranslated_speech_is_shown_while_it_is_said() -> None:
    """Captions of translations show untranslated speech at once, and never split a word."""
    buffer = CaptionBuffer({"show": "translation"})
    cues: list[Cue] = []
    for number, text in enumerate(["Yo", " di", "go", " que", " no", ".", " Tam", "poco.", " Ya"]):
        start = number * 400
        token = final(text, start, start + 400, language="es", translation_status="none")
        cues += buffer.add(result(token, proc=start + 400))
    assert texts(cues) == ["Yo digo que no."]
    assert texts(buffer.flush()) == ["Tampoco. Ya"]


def test_json_lines_have_no_other_line_ends() -> None:
    """Characters that some readers take for line ends are escaped, and so are lone surrogates."""
    text = "a\u2028b\u2029c\x85d\ud83de é"
    line = event_to_json(SttEvent("result", result(final(text))))
    assert len(line.splitlines()) == 1
    assert json.loads(line.encode())["text"] == text
    assert "é" in line


@pytest.mark.parametrize("indent", [None, 2])
def test_json_can_be_written_as_utf8(indent: Optional[int]) -> None:
    """Halves of a surrogate pair in a text or a label are escaped; all other text is as it was."""
    transcript = Transcript()
    transcript.add(result(final("d\ud83de é", 0, 500, speaker="\udc00", language="\u2028")))
    written = transcript.to_json(indent=indent)
    document = json.loads(written.encode())
    assert (document["text"], document["tokens"][0]["speaker"]) == ("d\ud83de é", "\udc00")
    assert "é" in written and "\u2028" not in written


# --- cost


@pytest.mark.parametrize("text", ["word ", "word", "日本", "น้ำ", "e\u0301", "\u200b"])
@pytest.mark.parametrize("timed", [True, False])
def test_layout_takes_time_in_proportion(text: str, timed: bool) -> None:
    """Twice as many tokens take twice the steps to lay out, in every script, timed or not."""

    def tokens(count: int) -> list[Token]:
        if not timed:
            return [final(text) for _ in range(count)]
        return [final(text, number * 100, number * 100 + 100) for number in range(count)]

    build_cues(tokens(400))  # widths are remembered
    once, twice = (steps_of(lambda count=count: build_cues(tokens(count))) for count in (400, 800))
    assert twice < 2.3 * once


@pytest.mark.parametrize("show", ["original", "translation"])
@pytest.mark.parametrize("status", ["original", "none", None])
def test_live_captions_cost_the_same_at_any_length(show: str, status: str | None) -> None:
    """The thousandth result takes as many steps as the hundredth, also with translations due."""
    buffer = CaptionBuffer({"show": show})
    results = [
        result(*speech("one two", start=n * 600, translation_status=status), proc=n * 600)
        for n in range(1, 1200)
    ]
    steps = [steps_of(lambda each=each: buffer.add(each)) for each in results]
    assert sum(steps[-100:]) < 2 * sum(steps[100:200])
