"""Text is split into sentences and words, and no character is lost."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

pytest.importorskip("numpy")

import numpy as np

from soniox_sync.sandbox.engines.espeak.text import Word, find_words, pieces
from soniox_sync.sandbox.engines.espeak.times import time_characters, time_words


@given(st.text(max_size=900))
def test_pieces_join_to_the_text(text: str) -> None:
    """The pieces of any text join to it, and none is longer than 300 characters."""
    cut = list(pieces(text))
    assert "".join(cut) == text
    assert all(0 < len(piece) <= 300 or piece == text for piece in cut)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Hello there. And you?  Fine!", ["Hello there. ", "And you?  ", "Fine!"]),
        ("This is Mr. Smith of No. 3.14 street", ["This is Mr. Smith of No. 3.14 street"]),
        ('He said "Never." Then left.', ['He said "Never." ', "Then left."]),
        ("你好。世界！", ["你好。", "世界！"]),
        ("one\ntwo", ["one\n", "two"]),
    ],
)
def test_pieces_end_at_sentences(text: str, expected: list[str]) -> None:
    """Text is split at the ends of sentences, not at abbreviations or decimal points."""
    assert list(pieces(text)) == expected


@pytest.mark.parametrize(
    ("text", "language", "expected"),
    [
        ("Hello, big world!", "en", ["Hello,", "big", "world!"]),
        ("yes - no", "en", ["yes -", "no"]),
        ("- yes", "en", ["- yes"]),
        ("...", "en", []),
        ("你好世界，今天天气", "zh", ["你好世界，", "今天天气"]),
        ("ok abcdefghij", "ja", ["ok", "abcdefghij"]),
    ],
)
def test_words_keep_their_punctuation(text: str, language: str, expected: list[str]) -> None:
    """Words keep their punctuation, and a separate sign is joined to a word."""
    assert [word.text for word in find_words(text, language)] == expected


@given(st.text(alphabet="ab1 .,-!\n你", max_size=60), st.sampled_from(["en", "zh"]))
def test_every_character_has_a_monotone_time(text: str, language: str) -> None:
    """Every code point has a start and an end, in order, within the speech."""
    words = find_words(text, language)
    pcm = np.full(1000, 500, np.int16)
    events = [(word.start, 900 * i // len(words)) for i, word in enumerate(words) if i % 3 != 1]
    spans = time_characters(text, words, time_words(words, events, pcm), len(pcm))
    assert len(spans) == len(text)
    flat = [sample for span in spans for sample in span]
    assert flat == sorted(flat)
    assert not flat or (flat[0] >= 0 and flat[-1] <= len(pcm))


def test_a_word_without_an_event_shares_the_previous_word_s_time() -> None:
    """If espeak-ng reports `of the` as one word, both share its time in proportion to letters."""
    words = find_words("some of the cake", "en")
    spans = time_words(words, [(0, 0), (5, 100), (12, 200)], np.full(300, 500, np.int16))
    assert spans == [(0, 100), (100, 140), (140, 200), (200, 300)]


def test_a_word_ends_before_the_pause() -> None:
    """The silence after a word belongs to no word."""
    pcm = np.concatenate((np.full(80, 500), np.zeros(70), np.full(50, -500), np.zeros(99)))
    spans = time_words([Word("a,", 0, 2), Word("b.", 3, 5)], [(0, 0), (3, 150)], pcm)
    assert spans == [(0, 80), (150, 200)]
