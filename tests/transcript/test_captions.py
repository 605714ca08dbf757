"""Tests of the layout of captions: lines, breaks, times."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from soniox_sync.errors import ConfigurationError
from soniox_sync.protocol.tokens import Token
from soniox_sync.transcript import CaptionBuffer, CaptionOptions, Cue, build_cues
from soniox_sync.transcript.text import graphemes, text_width
from tests.transcript.helpers import final, partial, result, speech, texts, translated
from tests.transcript.test_segments import tokens_strategy

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
    (cue,) = build_cues([final("He", 100, 200), final("llo", 200, 300), final(" you", 300, 1400)])
    assert (cue.text, cue.start_ms, cue.end_ms) == ("Hello you", 100, 1400)


def test_lines_are_bounded_and_even() -> None:
    """Long speech goes into cues of at most two lines, evenly filled."""
    cues = build_cues(speech("one two three four five six seven eight nine ten"), max_lines(12))
    assert [cue.lines for cue in cues] == [
        ("one two", "three four"),
        ("five six", "seven eight"),
        ("nine ten",),
    ]


def test_lines_take_the_narrowest_width_that_needs_no_more_of_them() -> None:
    """The words of a cue are wrapped evenly, but into no more lines than the full width needs."""
    (cue,) = build_cues(speech("a quick brown fox jumps"), max_lines(20))
    assert cue.lines == ("a quick brown", "fox jumps")


def test_simultaneous_voices_are_shown_one_after_the_other() -> None:
    """A cue that its successor would cut to almost nothing is shown 100 ms, and delays it."""
    tokens = [final("Yes", 5000, 5100, speaker="1"), final("No", 5050, 5250, speaker="2")]
    assert _times(build_cues(tokens)) == [(5000, 5100), (5100, 6050)]


def max_lines(length: int, lines: int = 2, **fields: Any) -> CaptionOptions:
    """Make options of a line length."""
    return CaptionOptions(max_line_length=length, max_lines=lines, **fields)


def test_wide_characters_count_twice() -> None:
    """Scripts without spaces break between characters, two columns each, no mark at the start."""
    tokens = [final("今日は", 0, 900), final("いい天気", 900, 2000), final("ですね。", 2000, 3000)]
    cues = build_cues(tokens, max_lines(10, 1))
    assert "".join(texts(cues)) == "今日はいい天気ですね。"
    assert all(text_width(line) <= 10 for cue in cues for line in cue.lines)
    assert all(not cue.text.startswith("。") for cue in cues)


def test_long_word_is_cut_between_graphemes() -> None:
    """A word wider than a line is cut, but never inside a character."""
    family = "\U0001f468\u200d\U0001f469\u200d\U0001f467"
    cues = build_cues([final(family * 5, 0, 5000)], max_lines(5, 1))
    assert "".join(texts(cues)) == family * 5
    assert all(list(graphemes(cue.text)) == [family] * (len(cue.text) // 5) for cue in cues)


def test_silence_ends_a_cue() -> None:
    """A silence of max_gap_ms ends a cue."""
    tokens = [final("Before", 0, 500), final(" after", 2000, 2500)]
    assert texts(build_cues(tokens)) == ["Before", "after"]
    assert texts(build_cues(tokens, {"max_gap_ms": 1501})) == ["Before after"]


def test_sentence_ends_a_cue_that_is_long_enough() -> None:
    """A cue ends with its sentence if it is shown long enough to be read."""
    cues = build_cues(speech("Yes. I think that is right. Good."))
    assert texts(cues) == ["Yes. I think that is right.", "Good."]


def test_speaker_and_language_end_a_cue() -> None:
    """A cue has one speaker and one language."""
    cues = build_cues(
        [
            final("Hi", 0, 400, speaker="1", language="en"),
            final(" you", 400, 800, speaker="2", language="en"),
            final(" hola", 800, 1200, speaker="2", language="es"),
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


def test_short_cue_is_shown_longer() -> None:
    """A short cue is lengthened into the silence after it, not into its successor."""
    tokens = [final("Yes", 0, 200), final("No", 3000, 3200), final("So", 5000, 5100, speaker="1")]
    tokens += [final("Oh", 5400, 5600, speaker="2")]
    assert _times(build_cues(tokens)) == [(0, 1000), (3000, 4000), (5000, 5400), (5400, 6400)]


def test_reading_speed_lengthens() -> None:
    """A cue is shown as long as reading takes, up to max_duration_ms."""
    tokens = [final("x" * 40, 0, 500)]
    assert _times(build_cues(tokens, {"chars_per_sec": 10.0})) == [(0, 4000)]
    assert _times(build_cues(tokens, {"chars_per_sec": 5.0})) == [(0, 7000)]


def test_words_inside_one_token_share_its_time() -> None:
    """The words of a long token share its time by their width."""
    cues = build_cues([final("aaaa bbbb", 0, 900)], max_lines(5, 1, **PLAIN))
    assert _times(cues) == [(0, 400), (400, 900)]


def test_untimed_words_follow_at_reading_speed() -> None:
    """Words without any time are laid out from zero at reading speed."""
    cues = build_cues(
        [final("abcd"), final(" efgh")], max_lines(4, 1, chars_per_sec=10.0, min_duration_ms=0)
    )
    assert texts(cues) == ["abcd", "efgh"]
    assert _times(cues) == [(0, 400), (400, 900)]


def test_translation_is_shown_with_the_times_of_its_speech() -> None:
    """Translated captions have the times of the speech; untranslated speech is shown as spoken."""
    tokens = [
        final("Good", 1000, 1500, language="en", translation_status="original"),
        final(" morning", 1500, 3000, language="en", translation_status="original"),
        translated("Buenos"),
        translated(" días"),
        final("Hola", 6000, 7000, language="es", translation_status="none"),
    ]
    cues = build_cues(tokens, {"show": "translation"})
    assert [(cue.text, cue.start_ms, cue.language) for cue in cues] == [
        ("Buenos días", 1000, "es"),
        ("Hola", 6000, "es"),
    ]
    assert texts(build_cues(tokens)) == ["Good morning", "Hola"]


def test_missing_translation_shows_the_speech() -> None:
    """Speech whose translation never came is shown as spoken, not dropped."""
    tokens = [final("Good", 0, 500, language="en", translation_status="original")]
    assert texts(build_cues(tokens, {"show": "translation"})) == ["Good"]


def test_endpoints_end_cues() -> None:
    """A cue ends with its utterance."""
    assert texts(build_cues(speech("one two three"), ends=[2])) == ["one two", "three"]


def test_live_cues_come_as_they_become_final() -> None:
    """A live buffer returns a cue once the next begins or silence passed; partials are ignored."""
    buffer = CaptionBuffer()
    assert buffer.add(result(final("Hello", 0, 500), partial(" word"), proc=500)) == []
    assert buffer.add(result(final(" world", 500, 900), proc=900)) == []
    (cue,) = buffer.add(result(proc=2400))
    assert (cue.text, cue.start_ms, cue.end_ms) == ("Hello world", 0, 1000)
    assert buffer.add(result(final(" Again", 3000, 3300), proc=3300)) == []
    assert texts(buffer.flush()) == ["Again"]
    assert buffer.flush() == []


def test_live_captions_wait_for_the_translation() -> None:
    """A pause does not show speech whose translation has not arrived yet."""
    buffer = CaptionBuffer({"show": "translation"})
    spoken = final("Good.", 0, 500, language="en", translation_status="original")
    assert buffer.add(result(spoken, proc=9000)) == []
    assert buffer.mark_endpoint() == []
    assert texts(buffer.add(result(translated("Bueno."), proc=9000))) == ["Bueno."]
    assert buffer.flush() == []


def test_live_captions_wait_for_the_rest_of_a_translation() -> None:
    """A translation is shown once it has all sentences, other speech follows, or at an endpoint."""
    spoken = final("Hi. Good day.", 0, 900, language="en", translation_status="original")
    more = final(" Now", 9000, 9100, language="en", translation_status="original")
    for last in ("whole", "speech", "endpoint"):
        buffer = CaptionBuffer({"show": "translation"})
        buffer.add(result(spoken, proc=2500))
        assert buffer.add(result(translated("Hola."), proc=2600)) == []
        assert buffer.add(result(translated(" Buenos"), proc=9000)) == []
        if last == "whole":
            cues = buffer.add(result(translated(" días."), proc=9000))
            assert texts(cues) == ["Hola. Buenos días."]
        elif last == "speech":
            assert texts(buffer.add(result(more, proc=9100))) == ["Hola. Buenos"]
        else:
            assert buffer.mark_endpoint() == []
            assert texts(buffer.add(result(proc=9000))) == ["Hola. Buenos"]


def test_the_late_rest_of_a_translation_is_a_cue_of_its_own() -> None:
    """What comes when its translation was shown follows that, and shortens no cue."""
    tokens = [
        final("Hi.", 0, 300, language="en", translation_status="original"),
        translated("Hola."),
        translated(" Ami"),
        translated("go"),
    ]
    assert texts(build_cues(tokens, {"show": "translation"})) == ["Hola.", "Amigo"]
    first, second = build_cues(tokens, {"show": "translation"})
    assert (first.start_ms, first.end_ms, second.start_ms) == (0, 1000, 1000)


def test_a_cue_ends_at_a_pause_of_the_speech_not_for_a_translation_that_is_owed() -> None:
    """While speech flows on, what was translated of it stays in one cue with what is owed."""
    live = CaptionBuffer({"show": "translation"})
    spoken = {"language": "en", "translation_status": "original"}
    results = [
        result(final("Good", 0, 268, **spoken), proc=300),
        result(translated("Guten Mor", "de"), proc=600),
        result(final(" morning", 700, 1200, **spoken), proc=1300),
        result(final(" and", 1300, 1900, **spoken), proc=2100),
        result(final(" welcome", 2100, 2600, **spoken), proc=2700),
        result(translated("gen, und", "de"), translated(" willkommen", "de"), proc=3000),
    ]
    cues = [cue for each in results for cue in live.add(each)] + live.flush()
    assert [(cue.text, cue.start_ms, cue.end_ms) for cue in cues] == [
        ("Guten Morgen, und willkommen", 0, 2600)
    ]


def test_an_utterance_whose_translation_is_owed_ends_its_cue_behind_it() -> None:
    """An endpoint cuts behind the translation of the utterance, not in front of it."""
    tokens = [
        final("Good", 0, 300, language="en", translation_status="original"),
        translated("Guten", "de"),
        final(" day", 300, 600, language="en", translation_status="original"),
        translated(" Tag", "de"),
        final("Now", 900, 1500, language="en", translation_status="original"),
        translated("Jetzt", "de"),
    ]
    assert texts(build_cues(tokens, {"show": "translation"}, ends=[3])) == ["Guten Tag", "Jetzt"]


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
        {"max_lines": 1.5},
        {"speakers": "1"},
        {"prefix_speakers": 1},
    ],
)
def test_wrong_options_are_named(options: dict[str, Any]) -> None:
    """A wrong option is refused by name, whether its value or its type is wrong."""
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
    """Remove what captions may change: white space and control characters."""
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
