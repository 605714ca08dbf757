"""Tests of translation_pairs."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from soniox_sync.protocol.tokens import Token
from soniox_sync.transcript import TranslationPair, translation_pairs
from tests.transcript.helpers import final, texts, translated
from tests.transcript.test_segments import tokens_strategy


def sides(pairs: list[TranslationPair]) -> list[tuple[str | None, str | None]]:
    """Return what each pair shows."""
    return [
        (
            pair.original and pair.original.text,
            pair.translation and pair.translation.translated_text,
        )
        for pair in pairs
    ]


def test_each_translation_follows_its_speech() -> None:
    """A pair begins with the first word after the previous translation."""
    pairs = translation_pairs(
        [
            final("Good", 0, 200, language="en", translation_status="original"),
            final(" morning.", 200, 700, language="en", translation_status="original"),
            translated("Buenos días."),
            final(" Bye", 900, 1200, language="en", translation_status="original"),
            translated(" Adi"),
            translated("ós"),
        ]
    )
    assert sides(pairs) == [("Good morning.", "Buenos días."), (" Bye", " Adiós")]
    assert pairs[1].translation is not None
    assert (pairs[1].translation.start_ms, pairs[1].translation.end_ms) == (900, 1200)


def test_pending_and_untranslated() -> None:
    """Speech that is not translated, or not yet, has no translation in its pair."""
    pairs = translation_pairs(
        [
            final("Hallo", language="de", translation_status="none"),
            final(" hi", language="en", translation_status="original"),
        ]
    )
    assert sides(pairs) == [("Hallo", None), (" hi", None)]


def test_translation_passes_over_untranslated_speech() -> None:
    """A translation that comes after other speech is paired with the speech it translates."""
    pairs = translation_pairs(
        [
            final("Hi.", language="en", translation_status="original"),
            final(" Moin.", language="de", translation_status="none"),
            translated("Hola.", source_language="en"),
        ]
    )
    assert sides(pairs) == [
        ("Hi.", "Hola."),
        (" Moin.", None),
    ]


def test_two_speakers() -> None:
    """Translations find their speaker when two spoke before the first came."""
    pairs = translation_pairs(
        [
            final("Yes?", speaker="1", language="en"),
            final("No.", speaker="2", language="en"),
            translated("¿Sí?", speaker="1"),
            translated("No.", speaker="2"),
        ]
    )
    assert sides(pairs) == [
        ("Yes?", "¿Sí?"),
        ("No.", "No."),
    ]


def test_the_worked_example() -> None:
    """A translation belongs to the latest speech of its speaker and language."""
    en = {"speaker": "1", "language": "en", "translation_status": "original"}
    pairs = translation_pairs(
        [
            final("Yes?", **en),
            final("Non.", speaker="2", language="fr", translation_status="original"),
            final("Na ja", speaker="1", language="de", translation_status="none"),
            translated("¿Sí?", speaker="1", source_language="en"),
            translated("No.", speaker="2", source_language="fr"),
            final("Well", **en),
        ]
    )
    assert sides(pairs) == [("Yes?", "¿Sí?"), ("Non.", "No."), ("Na ja", None), ("Well", None)]


def test_translation_without_speech() -> None:
    """A translation without speech before it makes a pair of its own, without times."""
    (pair,) = translation_pairs([translated("Hola")])
    assert pair.original is None
    assert pair.translation is not None and pair.translation.start_ms is None


@given(st.lists(tokens_strategy, max_size=20))
def test_every_token_is_in_one_pair(tokens: list[Token]) -> None:
    """Every token is in exactly one pair, on its side."""
    pairs = translation_pairs(tokens)
    said_in_pairs = [token for p in pairs if p.original for token in p.original.tokens]
    translated_in_pairs = [token for p in pairs if p.translation for token in p.translation.tokens]
    assert texts(said_in_pairs) == texts(token for token in tokens if not token.is_translation)
    assert sorted(map(id, translated_in_pairs)) == sorted(
        id(token) for token in tokens if token.is_translation
    )
