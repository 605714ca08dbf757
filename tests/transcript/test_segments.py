"""Tests of segment_tokens, SegmentBuffer and UtteranceBuffer."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from soniox_sync.errors import ConfigurationError
from soniox_sync.protocol.tokens import Result, Token
from soniox_sync.transcript import SegmentBuffer, Utterance, UtteranceBuffer, segment_tokens
from tests.transcript.helpers import final, partial, result, shown, texts, translated


def test_no_tokens() -> None:
    """Without tokens there are no segments."""
    assert segment_tokens([]) == []


def test_speaker_and_language() -> None:
    """A segment ends where the speaker or the language changes."""
    segments = segment_tokens(
        [
            final("Hi", 0, 100, speaker="1", language="en"),
            final(" there", 100, 300, speaker="1", language="en"),
            final("Hola", 400, 500, speaker="1", language="es"),
            final("Yes", 600, 700, speaker="2", language="es"),
        ]
    )
    assert texts(segments) == ["Hi there", "Hola", "Yes"]
    assert [(each.start_ms, each.end_ms) for each in segments] == [(0, 300), (400, 500), (600, 700)]
    assert [(each.speaker, each.language) for each in segments] == [
        ("1", "en"),
        ("1", "es"),
        ("2", "es"),
    ]
    assert len(segments[0].tokens) == 2


def test_group_by_speaker_alone() -> None:
    """Grouping by speaker alone mixes languages, and such a segment has none."""
    (segment,) = segment_tokens(
        [final("Hi", speaker="1", language="en"), final(" ciao", speaker="1", language="it")],
        group_by=["speaker"],
    )
    assert (segment.text, segment.speaker, segment.language) == ("Hi ciao", "1", None)


def test_group_by_nothing_still_separates_translations() -> None:
    """Grouping by nothing still keeps a translation apart from speech."""
    segments = segment_tokens(
        [final("a", speaker="1"), final("b", speaker="2"), translated("c")], group_by=()
    )
    assert shown(segments) == ["ab", "c"]
    assert [each.is_translation for each in segments] == [False, True]


@pytest.mark.parametrize("group_by", [["speakr"], "speaker"])
def test_unknown_group(group_by: Any) -> None:
    """A wrong key, and a string in place of a list, are refused by name."""
    with pytest.raises(ConfigurationError, match="speaker"):
        segment_tokens([], group_by=group_by)


def test_sessions_do_not_share_speakers() -> None:
    """A label in a later session begins a new segment; tokens without a label do not."""
    labelled = [final("a", speaker="1"), final("b", speaker="1", session=1)]
    assert texts(segment_tokens(labelled)) == ["a", "b"]
    assert texts(segment_tokens([final("a"), final("b", session=1)])) == ["ab"]


def test_translation_inherits_times() -> None:
    """A translated segment has the times of the speech since the last translation."""
    segments = segment_tokens(
        [
            final("One", 0, 400, language="en"),
            translated("Uno"),
            final(" two", 500, 800, language="en"),
            final(" three", 800, 1200, language="en"),
            translated(" dos tres"),
        ]
    )
    assert shown(segments) == ["One", "Uno", " two three", " dos tres"]
    assert [(each.start_ms, each.end_ms) for each in segments] == [
        (0, 400),
        (0, 400),
        (500, 1200),
        (500, 1200),
    ]


def test_unknown_times_stay_unknown() -> None:
    """Tokens without times, and translations of unknown speech, make segments without times."""
    segments = segment_tokens([final("a", speaker="1"), translated("b", speaker="2")])
    assert [(each.start_ms, each.end_ms) for each in segments] == [(None, None), (None, None)]


def test_segment_waits_for_a_successor() -> None:
    """A buffer hands a segment out only once another follows it."""
    buffer = SegmentBuffer()
    assert buffer.add(result(final("Hi", 0, 500, speaker="1"), proc=1000)) == []
    assert len(buffer) == 1
    out = buffer.add(result(final("Yo", 600, 900, speaker="2"), proc=1000))
    assert texts(out) == ["Hi"]
    assert texts(buffer.flush_all()) == ["Yo"]
    assert len(buffer) == 0


def test_segment_waits_for_the_position() -> None:
    """A buffer holds a segment back until it lies before final_audio_proc_ms."""
    buffer = SegmentBuffer()
    tokens = (final("Hi", 0, 500, speaker="1"), final("Yo", 600, 900, speaker="2"))
    assert buffer.add(result(*tokens, proc=499)) == []
    assert texts(buffer.add(result(proc=500))) == ["Hi"]


def test_untimed_segment_does_not_block() -> None:
    """A segment without times is handed out with its surroundings."""
    buffer = SegmentBuffer()
    buffer.add(result(final("Hi", 0, 500, language="en"), translated("Hola"), proc=400))
    out = buffer.add(result(final(" yes", 700, 900, language="en"), proc=600))
    assert shown(out) == ["Hi", "Hola"]
    assert [each.start_ms for each in out] == [0, 0]


def test_translation_after_its_speech_was_handed_out() -> None:
    """A translation that comes late still inherits the times of its speech."""
    buffer = SegmentBuffer()
    buffer.add(result(final("Hi", 10, 500, language="en"), proc=600))
    buffer.flush_all()
    buffer.add(result(translated("Hola"), proc=600))
    (segment,) = buffer.flush_all()
    assert (segment.start_ms, segment.end_ms) == (10, 500)


def test_partial_tokens_are_ignored_by_default() -> None:
    """A buffer of final tokens neither counts nor flushes partial ones."""
    buffer = SegmentBuffer()
    buffer.add(result(final("a", 0, 1), partial("b", 1, 2)))
    assert len(buffer) == 1
    assert texts(buffer.flush_all()) == ["a"]


def test_partial_tokens_are_replaced() -> None:
    """A buffer that includes partial tokens keeps only the latest ones."""
    buffer = SegmentBuffer(final_only=False)
    buffer.add(result(final("a", 0, 1), partial("b", 1, 2), partial("c", 2, 3)))
    buffer.add(result(partial("bee", 1, 2)))
    assert len(buffer) == 2
    assert texts(buffer.flush_all()) == ["abee"]


def test_partial_segment_counts_as_successor() -> None:
    """Partial tokens of another speaker complete the final segment before them."""
    buffer = SegmentBuffer(final_only=False)
    out = buffer.add(
        result(final("a", 0, 100, speaker="1"), partial("b", 100, 200, speaker="2"), proc=100)
    )
    assert texts(out) == ["a"]


def test_too_many_tokens_are_handed_out_early() -> None:
    """What exceeds max_tokens is handed out, not dropped."""
    buffer = SegmentBuffer(max_tokens=2)
    tokens = [final(char, index, index + 1, speaker="1") for index, char in enumerate("abcde")]
    assert texts(buffer.add(result(*tokens))) == ["abc"]
    assert len(buffer) == 2
    assert texts(buffer.flush_all()) == ["de"]


def test_the_worked_example_of_bounds() -> None:
    """A bound hands out a piece early, `joins` recognises it, and an utterance merges it."""
    steps = [
        result(final("a", 0, 1, speaker="1"), final("b", 1, 2, speaker="1")),
        result(final("c", 2, 3, speaker="1")),
        result(final("1", 3, 4, speaker="2"), proc=4),
    ]
    buffer = SegmentBuffer(max_tokens=2)
    out = [buffer.add(each) for each in steps]
    assert [texts(segments) for segments in out] == [[], ["a"], ["bc"]]
    assert buffer.joins(out[1][0], out[2][0])
    assert texts(buffer.flush_all()) == ["1"]
    utterances = UtteranceBuffer(max_tokens=2)
    for each in steps:
        utterances.add_result(each)
    utterance = utterances.mark_endpoint()
    assert utterance is not None
    assert texts(utterance.segments) == ["abc", "1"]


def test_too_much_audio_is_handed_out_early() -> None:
    """What ended more than max_ms ago is handed out, not dropped."""
    buffer = SegmentBuffer(max_ms=1000)
    assert buffer.add(result(final("old", 0, 500), final(" newer", 600, 1400))) == []
    assert texts(buffer.add(result(final(" new", 1800, 2000)))) == ["old"]
    assert texts(buffer.flush_all()) == [" newer new"]


@pytest.mark.parametrize("bound", [{"max_tokens": 0}, {"max_ms": -1}])
def test_bounds_must_be_positive(bound: dict[str, int]) -> None:
    """A bound below 1 is refused by name."""
    with pytest.raises(ConfigurationError, match=next(iter(bound))):
        SegmentBuffer(**bound)  # type: ignore[arg-type]


def test_reset_begins_a_new_clock() -> None:
    """A reset buffer drops tokens and times."""
    buffer = SegmentBuffer()
    buffer.add(result(final("x", 90_000, 99_000, speaker="1")))
    buffer.reset()
    assert len(buffer) == 0
    tokens = (final("a", 0, 10, speaker="1"), final("b", 10, 20, speaker="2"))
    assert texts(buffer.add(result(*tokens, proc=20))) == ["a"]


tokens_strategy = st.builds(
    Token,
    text=st.text(max_size=4),
    start_ms=st.none() | st.integers(0, 3000),
    end_ms=st.none() | st.integers(0, 3000),
    is_final=st.booleans(),
    speaker=st.sampled_from([None, "1", "2"]),
    language=st.sampled_from([None, "en", "es"]),
    translation_status=st.sampled_from([None, "none", "original", "translation"]),
    session=st.integers(0, 1),
)
results_strategy = st.lists(
    st.builds(
        Result,
        tokens=st.lists(tokens_strategy, max_size=6),
        final_audio_proc_ms=st.integers(0, 3000),
    ),
    max_size=8,
)
groups = st.sampled_from([(), ("speaker",), ("language",), ("speaker", "language")])


@given(results_strategy, groups, st.booleans(), st.integers(1, 5), st.none() | st.integers(1, 999))
def test_no_final_token_is_lost(
    results: list[Result],
    group_by: tuple[str, ...],
    final_only: bool,
    max_tokens: int,
    max_ms: int | None,
) -> None:
    """A buffer hands out every final token exactly once, in order, whatever its bounds."""
    buffer = SegmentBuffer(
        group_by=group_by, final_only=final_only, max_tokens=max_tokens, max_ms=max_ms
    )
    out = []
    for each in results:
        out += buffer.add(each)
        held = len(each.non_final_tokens) if not final_only else 0
        assert len(buffer) <= max(max_tokens, held)
    out += buffer.flush_all()
    handed = [token for segment in out for token in segment.tokens if token.is_final]
    finals = [token for each in results for token in each.final_tokens]
    assert [id(token) for token in handed] == [id(token) for token in finals]
    assert shown(out) == ["".join(texts(segment.tokens)) for segment in out]


@given(results_strategy, groups)
def test_bounds_do_not_change_utterances(results: list[Result], group_by: tuple[str, ...]) -> None:
    """An utterance merges what a bound had cut."""
    narrow = UtteranceBuffer(group_by=group_by, max_tokens=1)
    wide = UtteranceBuffer(group_by=group_by)
    for each in results:
        narrow.add_result(each)
        wide.add_result(each)
    assert narrow.mark_endpoint() == wide.mark_endpoint()


def test_utterance_between_endpoints() -> None:
    """An endpoint ends an utterance, and nothing is left for the next."""
    buffer = UtteranceBuffer()
    buffer.add_result(result(final("Hello", 0, 400, speaker="1"), proc=400))
    buffer.add_result(result(final(" world", 500, 900, speaker="1"), proc=900))
    utterance = buffer.mark_endpoint()
    assert isinstance(utterance, Utterance)
    assert (utterance.text, utterance.start_ms, utterance.end_ms) == ("Hello world", 0, 900)
    assert utterance.speaker == "1"
    assert texts(utterance.segments) == ["Hello world"]
    assert len(utterance.tokens) == 2
    assert buffer.mark_endpoint() is None


def test_utterance_of_two_speakers_has_none() -> None:
    """An utterance has a speaker and a language only if all its segments agree."""
    buffer = UtteranceBuffer()
    handed = buffer.add_result(
        result(
            final("a", 0, 100, speaker="1", language="en"),
            final("b", 100, 200, speaker="2", language="en"),
            proc=200,
        )
    )
    assert texts(handed) == ["a"]
    utterance = buffer.mark_endpoint()
    assert utterance is not None
    assert (utterance.speaker, utterance.language) == (None, "en")
    assert texts(utterance.segments) == ["a", "b"]


def test_reset_forgets_the_utterance() -> None:
    """A reset utterance buffer is empty."""
    buffer = UtteranceBuffer()
    buffer.add_result(result(final("a", 0, 1, speaker="1"), final("b", 1, 2, speaker="2"), proc=9))
    buffer.reset()
    assert buffer.mark_endpoint() is None
