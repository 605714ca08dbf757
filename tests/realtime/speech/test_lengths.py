"""How long a text takes to speak, character by character; estimates are high on purpose."""

from __future__ import annotations

import pytest

from soniox_sync.realtime.speech.lengths import estimate_sec, is_speakable, utf8_size


@pytest.mark.parametrize(
    ("seconds", "chars"),
    [
        (0.085, "az\u00e9\u00df\u044f\u0905\u1000\ufb00\ua4d0\ud7b0"),  # also beside the scripts
        (0.13, "AZ\u00c9\u042f"),  # capitals may be spelled
        (0.13, "\u05d0\u0628\u0712\u08a0"),  # Hebrew, Arabic, Syriac
        (0.10, "\u0e01\u0e81\u0f40"),  # Thai, Lao, Tibetan
        (0.17, "\u3041\u30a2\u30ff"),  # kana
        (0.22, "\uac00\ud7a3"),  # Hangul
        (0.27, "\u3005\u4e00\ua000\uf900\U00020000\U0003134a"),  # Han, Yi
        (0.5, "07\u0665\u00bd\u2163"),
        (0.8, "\u20ac+\u00b0\U0001f600"),
        (0.05, "\u0301\u093f"),
        (0.35, ".!?\u2026\u3002\uff01\uff1f\u0964\u0965\u061f\u06d4"),
        (0.08, " \n,;:-\u2014\u3001()"),
    ],
)
def test_each_kind_of_character_has_its_time(seconds: float, chars: str) -> None:
    """A Han character takes three times as long as a Latin letter, a digit six times."""
    assert {char: estimate_sec(char) for char in chars} == dict.fromkeys(chars, seconds)


def test_times_add_up_and_shrink_with_the_speed() -> None:
    """A text takes the time of its characters, at twice the speed half of it."""
    assert estimate_sec("No 5.") == pytest.approx(0.13 + 0.085 + 0.08 + 0.5 + 0.35)
    assert estimate_sec("No 5.", 2.0) == pytest.approx(estimate_sec("No 5.") / 2)
    assert estimate_sec("") == 0


@pytest.mark.parametrize("text", ["a", " 5", "...\u4e00", "\u20ac", "+", "\U0001f600", "\u093f"])
def test_letters_digits_symbols_and_vowel_signs_can_be_spoken(text: str) -> None:
    """One of them is enough for a stream that has audio."""
    assert is_speakable(text)


@pytest.mark.parametrize("text", ["", " \n", "...", "\u00ab?!\u00bb", "(--)", "\u3002\u3001", "_"])
def test_punctuation_alone_cannot_be_spoken(text: str) -> None:
    """A stream of nothing else would end without audio."""
    assert not is_speakable(text)


@pytest.mark.parametrize(
    ("text", "size"), [("abc", 3), ("\u00e9", 2), ("\u4e00a", 4), ("\U0001f600", 4), ("\ud83d", 3)]
)
def test_a_text_is_as_large_as_its_utf_8(text: str, size: int) -> None:
    """The service counts bytes; half of a surrogate pair counts as three."""
    assert utf8_size(text) == size
