"""Finding how much of a text was spoken, from the spoken characters."""

from __future__ import annotations

import pytest

from soniox_sync.realtime.speech.spoken import spoken_length, text_until


@pytest.mark.parametrize(
    ("spoken", "left"),
    [
        ("", "Hello world. Bye now.|"),
        ("Hello world", "Hello world|. Bye now."),
        ("hello  world.", "Hello world.| Bye now."),
        ("Hello wor", "Hello wor|ld. Bye now."),
        ("Hello world. Bye now.", "Hello world. Bye now.|"),
    ],
)
def test_unchanged_text_is_found_to_the_character(spoken: str, left: str) -> None:
    """If the spoken text differs only in case and spaces, the position is exact."""
    text = "Hello world. Bye now."
    expected = 0 if not spoken else left.index("|")
    assert spoken_length(text, spoken) == expected


@pytest.mark.parametrize(
    ("text", "spoken"),
    [
        ("It costs $5| today. Bye.", "It costs five dol"),
        ("It costs $5 today|. Bye.", "It costs five dollars today"),
        ("It costs $5 today|, he said.", "It costs five dollars today"),
        ("It costs $5 tod|ay. Bye.", "It costs five dollars tod"),
        ("Dr. Smith lives| here.", "Doctor Smith lives"),
        ("On 12/05/2024| we met.", "On the twelfth of May two thousand"),
        ("你有5个苹|果吗？", "你有五个苹"),
        ("Um 14:30 Uhr kommt| er.", "Um vierzehn Uhr dreißig kommt"),
        ("यह नि|या है।", "यह नि"),
    ],
)
def test_normalised_text_is_aligned_by_its_words(text: str, spoken: str) -> None:
    """If numbers were spelled out, the words around them give the position, never too early."""
    plain = text.replace("|", "")
    assert spoken_length(plain, spoken) == text.index("|")


def test_nothing_is_spoken_twice_when_nothing_matches() -> None:
    """Text that cannot be aligned counts as spoken as far as it could have been."""
    assert spoken_length("10 20 30 40 50", "ten twenty thirty") >= len("10 20")


@pytest.mark.parametrize("spoken", ["...", "um", "um uh er"])
def test_what_is_not_in_the_text_moves_nothing(spoken: str) -> None:
    """Pauses and fillers are no part of it: the first word is still to be spoken."""
    assert spoken_length("Hello there", spoken) == 0


def test_characters_without_audio_do_not_count() -> None:
    """Characters whose audio was not received yet are left out."""
    times = [("a", 0.0), ("b", 0.1), ("c", 0.2)]
    assert text_until(times, 0.15) == "ab"
    assert text_until(times, None) == "abc"


def test_more_than_the_text_is_no_more_than_the_text() -> None:
    """A voice that goes on behind the last word has spoken up to that."""
    assert spoken_length("Hi there.", "Hi there and more") == len("Hi there")
    assert spoken_length("Hi", "Hi there") == len("Hi")
