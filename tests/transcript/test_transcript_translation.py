"""Tests of translation_pairs."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from test_transcript_segments import tokens_strategy
from transcript_helpers import said, texts, translated

from soniox_sync.protocol.tokens import Token
from soniox_sync.transcript import translation_pairs


def test_each_translation_follows_its_speech() -> None:
    """A pair begins with the first word after the former translation."""
    pairs = translation_pairs(
        [
            said("Good", 0, 200, language="en", translation_status="original"),
            said(" morning.", 200, 700, language="en", translation_status="original"),
            translated("Buenos días."),
            said(" Bye", 900, 1200, language="en", translation_status="original"),
            translated(" Adi"),
            translated("ós"),
        ]
    )
    assert [(pair[0].text, pair[1].text) for pair in pairs if pair[0] and pair[1]] == [
        ("Good morning.", "Buenos días."),
        (" Bye", " Adiós"),
    ]
    assert pairs[1].translation is not None
    assert (pairs[1].translation.start_ms, pairs[1].translation.end_ms) == (900, 1200)


def test_owed_and_untranslated() -> None:
    """Speech that is not translated, or not yet, has no translation in its pair."""
    pairs = translation_pairs(
        [
            said("Hallo", language="de", translation_status="none"),
            said(" hi", language="en", translation_status="original"),
        ]
    )
    assert [(pair.original.text, pair.translation) for pair in pairs if pair.original] == [
        ("Hallo", None),
        (" hi", None),
    ]


def test_translation_passes_over_untranslated_speech() -> None:
    """A translation that comes after other speech goes to the speech it translates."""
    pairs = translation_pairs(
        [
            said("Hi.", language="en", translation_status="original"),
            said(" Moin.", language="de", translation_status="none"),
            translated("Hola.", source_language="en"),
        ]
    )
    assert [
        (p.original and p.original.text, p.translation and p.translation.text) for p in pairs
    ] == [
        ("Hi.", "Hola."),
        (" Moin.", None),
    ]


def test_two_speakers() -> None:
    """Translations find their speaker when two spoke before the first came."""
    pairs = translation_pairs(
        [
            said("Yes?", speaker="1", language="en"),
            said("No.", speaker="2", language="en"),
            translated("¿Sí?", speaker="1"),
            translated("No.", speaker="2"),
        ]
    )
    assert [
        (p.original and p.original.text, p.translation and p.translation.text) for p in pairs
    ] == [
        ("Yes?", "¿Sí?"),
        ("No.", "No."),
    ]


def test_translation_without_speech() -> None:
    """A translation without speech before it makes a pair of its own, without times."""
    (pair,) = translation_pairs([translated("Hola")])
    assert pair.original is None
    assert pair.translation is not None and pair.translation.start_ms is None


@given(st.lists(tokens_strategy, max_size=20))
def test_every_token_is_in_one_pair(tokens: list[Token]) -> None:
    """Every token lies in exactly one pair, on its side."""
    pairs = translation_pairs(tokens)
    said_in_pairs = [token for p in pairs if p.original for token in p.original.tokens]
    translated_in_pairs = [token for p in pairs if p.translation for token in p.translation.tokens]
    assert texts(said_in_pairs) == texts(token for token in tokens if not token.is_translation)
    assert sorted(map(id, translated_in_pairs)) == sorted(
        id(token) for token in tokens if token.is_translation
    )
