"""`WordSource`: timed words from tokens, and when they are complete."""

from __future__ import annotations

from soniox_sync.transcript.words import Word, WordSource, spread
from tests.transcript.helpers import final, texts, translated


def spans(words: list[Word]) -> list[tuple[str, int, int]]:
    return [(word.text, word.start_ms, word.end_ms) for word in words]


def test_subwords_become_words_with_their_times() -> None:
    """A word ends at a space or a gap; punctuation after a gap joins it without the gap."""
    source = WordSource(translated=False, max_width=40, chars_per_sec=20)
    assert source.add(final("He", 100, 200)) == []
    assert source.add(final("llo", 200, 300)) == []
    assert source.add(final(".", 1900, 1950)) == []
    assert spans(source.add(final(" you", 2000, 2400))) == [("Hello.", 100, 300)]
    assert spans(source.add(final("Well", 3500, 3900))) == [(" you", 2000, 2400)]
    assert source.growing_from == 3500
    assert spans(source.flush()) == [(" Well", 3500, 3900)]
    assert source.growing_from is None


def test_translated_words_are_shown_when_their_pair_is_complete() -> None:
    """Speech waits for its translation, and is shown as that; untranslated speech is not held."""
    source = WordSource(translated=True, max_width=40, chars_per_sec=20)
    for token in (
        final("Good", 1000, 1500, language="en", translation_status="original"),
        final(" morning", 1500, 3000, language="en", translation_status="original"),
        translated("Buenos"),
        translated(" días"),
    ):
        assert source.add(token) == []
    hola = final("Hola", 6000, 7000, language="es", translation_status="none")
    assert spans(source.add(hola)) == [("Buenos", 1000, 2090), (" días", 2090, 3000)]
    assert texts(source.complete_word()) == [" Hola"]


def test_the_late_rest_of_a_translation_is_not_lost() -> None:
    """Tokens of a translation whose pair was already shown follow at the end of its speech."""
    source = WordSource(translated=True, max_width=40, chars_per_sec=20)
    source.add(final("Hi", 0, 500, language="en", translation_status="original"))
    source.add(translated("Hola", source_language="en"))
    assert texts(source.end_utterance()) == ["Hola"]
    assert source.add(translated(" amigo", source_language="en")) == []
    assert spans(source.flush()) == [(" amigo", 500, 800)]


def test_time_is_divided_by_width() -> None:
    """Pieces of text share a stretch of time by their columns, without a gap."""
    assert spread(["aaaa", " bbbb"], 0, 900) == [("aaaa", 0, 400), (" bbbb", 400, 900)]
    assert spread(["日", "a"], 0, 300) == [("日", 0, 200), ("a", 200, 300)]
