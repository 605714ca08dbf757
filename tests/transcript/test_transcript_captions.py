"""Tests of the layout of captions: lines, breaks, times."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from test_transcript_segments import tokens_strategy
from transcript_helpers import guessed, result, said, speech, texts, translated

from soniox_sync.errors import ConfigurationError
from soniox_sync.protocol.tokens import Token
from soniox_sync.transcript import CaptionBuffer, CaptionOptions, Cue, build_cues
from soniox_sync.transcript.text import graphemes, text_width

# every word its own cue, shown exactly as long as spoken
PLAIN = {"min_duration_ms": 0, "chars_per_sec": 10_000.0}


def _times(cues: list[Cue]) -> list[tuple[int, int]]:
    return [(cue.start_ms, cue.end_ms) for cue in cues]


def test_short_speech_is_one_cue() -> None:
    """A short sentence is one cue from its first word to its last."""
    (cue,) = build_cues(speech("The coffee shop is open.", start=400))
    assert cue == Cue(400, 1900, ("The coffee shop is open.",))


def test_subwords_join() -> None:
    """Subword tokens make whole words with the time of all their parts."""
    (cue,) = build_cues([said("He", 100, 200), said("llo", 200, 300), said(" you", 300, 1400)])
    assert (cue.text, cue.start_ms, cue.end_ms) == ("Hello you", 100, 1400)


def test_lines_are_bounded_and_even() -> None:
    """Long speech goes into cues of at most two lines, evenly filled."""
    cues = build_cues(speech("one two three four five six seven eight nine ten"), max_lines(12))
    assert [cue.lines for cue in cues] == [
        ("one two", "three four"),
        ("five six", "seven eight"),
        ("nine ten",),
    ]


def max_lines(length: int, lines: int = 2, **fields: Any) -> CaptionOptions:
    """Make options of a line length."""
    return CaptionOptions(max_line_length=length, max_lines=lines, **fields)


def test_wide_characters_count_twice() -> None:
    """Scripts without spaces break between characters, two columns each, no mark at the start."""
    tokens = [said("今日は", 0, 900), said("いい天気", 900, 2000), said("ですね。", 2000, 3000)]
    cues = build_cues(tokens, max_lines(10, 1))
    assert "".join(texts(cues)) == "今日はいい天気ですね。"
    assert all(text_width(line) <= 10 for cue in cues for line in cue.lines)
    assert all(not cue.text.startswith("。") for cue in cues)


def test_long_word_is_cut_between_graphemes() -> None:
    """A word wider than a line is cut, but never inside a character."""
    family = "\U0001f468\u200d\U0001f469\u200d\U0001f467"
    cues = build_cues([said(family * 5, 0, 5000)], max_lines(5, 1))
    assert "".join(texts(cues)) == family * 5
    assert all(list(graphemes(cue.text)) == [family] * (len(cue.text) // 5) for cue in cues)


def test_silence_ends_a_cue() -> None:
    """A silence of max_gap_ms ends a cue."""
    tokens = [said("Before", 0, 500), said(" after", 2000, 2500)]
    assert texts(build_cues(tokens)) == ["Before", "after"]
    assert texts(build_cues(tokens, {"max_gap_ms": 1501})) == ["Before after"]


def test_sentence_ends_a_cue_that_is_long_enough() -> None:
    """A cue ends with its sentence once it stands long enough to be read."""
    cues = build_cues(speech("Yes. I think that is right. Good."))
    assert texts(cues) == ["Yes. I think that is right.", "Good."]


def test_speaker_and_language_end_a_cue() -> None:
    """A cue has one speaker and one language."""
    cues = build_cues(
        [
            said("Hi", 0, 400, speaker="1", language="en"),
            said(" you", 400, 800, speaker="2", language="en"),
            said(" hola", 800, 1200, speaker="2", language="es"),
        ]
    )
    assert [(cue.text, cue.speaker, cue.language) for cue in cues] == [
        ("Hi", "Speaker 1", "en"),
        ("you", "Speaker 2", "en"),
        ("hola", "Speaker 2", "es"),
    ]


def test_no_cue_is_too_long() -> None:
    """A cue holds no more speech than max_duration_ms."""
    cues = build_cues(speech("a b c d e f", per_word=400), {"max_duration_ms": 1200})
    assert texts(cues) == ["a b c", "d e f"]


def test_short_cue_stands_longer() -> None:
    """A short cue is lengthened into the silence after it, not into its successor."""
    tokens = [said("Yes", 0, 200), said("No", 3000, 3200), said("So", 5000, 5100, speaker="1")]
    tokens += [said("Oh", 5400, 5600, speaker="2")]
    assert _times(build_cues(tokens)) == [(0, 1000), (3000, 4000), (5000, 5400), (5400, 6400)]


def test_reading_speed_lengthens() -> None:
    """A cue stands as long as reading takes, up to max_duration_ms."""
    tokens = [said("x" * 40, 0, 500)]
    assert _times(build_cues(tokens, {"chars_per_sec": 10.0})) == [(0, 4000)]
    assert _times(build_cues(tokens, {"chars_per_sec": 5.0})) == [(0, 7000)]


def test_words_inside_one_token_share_its_time() -> None:
    """The words of a long token share its time by their width."""
    cues = build_cues([said("aaaa bbbb", 0, 900)], max_lines(5, 1, **PLAIN))
    assert _times(cues) == [(0, 400), (400, 900)]


def test_untimed_words_follow_at_reading_speed() -> None:
    """Words without any time are laid out from zero at reading speed."""
    cues = build_cues(
        [said("abcd"), said(" efgh")], max_lines(4, 1, chars_per_sec=10.0, min_duration_ms=0)
    )
    assert texts(cues) == ["abcd", "efgh"]
    assert _times(cues) == [(0, 400), (400, 900)]


def test_translation_is_shown_over_its_speech() -> None:
    """Translated captions stand where the speech was; untranslated speech stays as said."""
    tokens = [
        said("Good", 1000, 1500, language="en", translation_status="original"),
        said(" morning", 1500, 3000, language="en", translation_status="original"),
        translated("Buenos"),
        translated(" días"),
        said("Hola", 6000, 7000, language="es", translation_status="none"),
    ]
    cues = build_cues(tokens, {"show": "translation"})
    assert [(cue.text, cue.start_ms, cue.language) for cue in cues] == [
        ("Buenos días", 1000, "es"),
        ("Hola", 6000, "es"),
    ]
    assert texts(build_cues(tokens)) == ["Good morning", "Hola"]


def test_owed_translation_shows_the_speech() -> None:
    """Speech whose translation never came is shown as it was said, not dropped."""
    tokens = [said("Good", 0, 500, language="en", translation_status="original")]
    assert texts(build_cues(tokens, {"show": "translation"})) == ["Good"]


def test_endpoints_end_cues() -> None:
    """A cue ends with its utterance."""
    assert texts(build_cues(speech("one two three"), ends=[2])) == ["one two", "three"]


def test_live_cues_come_as_they_become_final() -> None:
    """A live buffer gives a cue once the next begins or silence passed, and ignores guesses."""
    buffer = CaptionBuffer()
    assert buffer.add(result(said("Hello", 0, 500), guessed(" word"), proc=500)) == []
    assert buffer.add(result(said(" world", 500, 900), proc=900)) == []
    (cue,) = buffer.add(result(proc=2400))
    assert (cue.text, cue.start_ms, cue.end_ms) == ("Hello world", 0, 1000)
    assert buffer.add(result(said(" Again", 3000, 3300), proc=3300)) == []
    assert texts(buffer.flush()) == ["Again"]
    assert buffer.flush() == []


def test_live_translation_waits_for_the_owed() -> None:
    """A pause does not show speech whose translation is still to come."""
    buffer = CaptionBuffer({"show": "translation"})
    spoken = said("Good", 0, 500, language="en", translation_status="original")
    assert buffer.add(result(spoken, proc=9000)) == []
    assert buffer.mark_endpoint() == []
    assert texts(buffer.add(result(translated("Bueno"), proc=9000))) == ["Bueno"]
    assert buffer.flush() == []


@pytest.mark.parametrize(
    "options",
    [
        {"max_line_length": 1},
        {"max_lines": 0},
        {"chars_per_sec": 0},
        {"min_duration_ms": 8000},
        {"min_duration_ms": -1},
        {"max_duration_ms": 99, "min_duration_ms": 0},
        {"max_gap_ms": -1},
        {"show": "both"},
        {"colour": "red"},
    ],
)
def test_wrong_options_are_named(options: dict[str, Any]) -> None:
    """A wrong option is refused by name."""
    with pytest.raises(ConfigurationError, match=next(iter(options))):
        build_cues([], options)


@given(
    st.lists(tokens_strategy, max_size=25),
    st.integers(2, 12),
    st.integers(1, 3),
    st.sampled_from(["original", "translation"]),
    st.sets(st.integers(0, 25)),
)
def test_cues_are_ordered_and_complete(
    tokens: list[Token], length: int, lines: int, show: str, ends: set[int]
) -> None:
    """Cues never overlap, fit their lines, and show every word once, in order."""
    options = CaptionOptions(max_line_length=length, max_lines=lines, show=show)
    cues = build_cues(tokens, options, ends=ends)
    assert all(0 <= cue.start_ms < cue.end_ms for cue in cues)
    assert all(cue.end_ms - cue.start_ms <= options.max_duration_ms for cue in cues)
    assert all(one.end_ms <= two.start_ms for one, two in zip(cues, cues[1:]))
    assert all(1 <= len(cue.lines) <= lines for cue in cues)
    for line in (line for cue in cues for line in cue.lines):
        assert text_width(line) <= length or len(list(graphemes(line))) == 1
    if show == "original":
        spoken = "".join(token.text for token in tokens if not token.is_translation)
        assert _letters("".join(texts(cues))) == _letters(spoken)
    else:
        for token in tokens:
            if token.is_translation:
                assert _letters(token.text) in _letters("".join(texts(cues)))


def _letters(text: str) -> str:
    """Leave out what captions may change: white space and control characters."""
    return "".join(
        char for char in text if char.isprintable() and not char.isspace() and char != "\ufffd"
    )


@given(st.lists(tokens_strategy, max_size=20), st.lists(st.integers(1, 5), min_size=1))
def test_live_and_later_show_the_same(tokens: list[Token], sizes: list[int]) -> None:
    """Cues do not depend on how the tokens were divided into results."""
    for token in tokens:
        token.is_final = True
    buffer = CaptionBuffer()
    cues: list[Cue] = []
    rest = tokens
    for size in sizes:
        cues += buffer.add(result(*rest[:size]))
        rest = rest[size:]
    cues += buffer.add_tokens(rest) + buffer.flush()
    assert cues == build_cues(tokens)
