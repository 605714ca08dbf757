"""Pairs of speech and its translation."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple, Optional

from ..protocol.tokens import Token, join_said, join_translated
from .segments import Segment, build_segment, token_span
from .text import count_sentences, ends_sentence

__all__ = [
    "PairBuilder",
    "PairMatcher",
    "TranslationPair",
    "is_whole_translation",
    "translation_pairs",
]

# session, speaker, language of the speech
_Key = tuple[Optional[int], Optional[str], Optional[str]]


class TranslationPair(NamedTuple):
    """Stretch of speech and its translation, to be shown side by side.

    `translation` is `None` until it arrives, and for speech that is not translated (status
    `"none"`: a third language, or one already in the target language). `original` is `None` only
    if a translation came without any speech before it. The translation has the times of the
    original.
    """

    original: Optional[Segment]
    translation: Optional[Segment]


def translation_pairs(tokens: Iterable[Token]) -> list[TranslationPair]:
    """Pair each stretch of speech with the translation that followed it, in spoken order.

    The service promises no word-for-word mapping: a pair begins with the first word after the
    previous translation of the same speaker and language. Every token is in exactly one pair.
    Source: Soniox docs stt/rt/real-time-translation; PROTOCOL 2.5.
    """
    matcher = PairMatcher()
    for token in tokens:
        matcher.add(token)
    return [pair.build() for pair in matcher.pairs]


class PairBuilder:
    """Pair that is still growing."""

    __slots__ = ("ended", "late_for", "original", "shown", "translation")

    def __init__(self, late_for: Optional[PairBuilder] = None) -> None:
        self.original: list[Token] = []
        self.translation: list[Token] = []
        # set by a reader that has consumed the pair: no more speech is added to it
        self.shown: bool = False
        # set by a reader: an utterance ended with the speech
        self.ended: bool = False
        # set by a reader: the pair that it had shown before this rest of its translation came
        self.late_for: Optional[PairBuilder] = late_for

    @property
    def is_whole(self) -> bool:
        """Whether the translation is certainly complete."""
        if not (self.translation and ends_sentence(self.translation[-1].text)):
            return False  # at a constant cost for each token
        return is_whole_translation(join_said(self.original), join_translated(self.translation))

    def build(self) -> TranslationPair:
        """Return the pair as it is now."""
        original = build_segment(self.original) if self.original else None
        translation: Optional[Segment] = None
        if self.translation:
            translation = build_segment(self.translation, token_span(self.original))
        return TranslationPair(original, translation)


def is_whole_translation(said: str, translated: str) -> bool:
    """Return whether a translation is certainly complete: it has all the sentences, as whole ones.

    "Hola. ¿Qué tal?" is whole for "Hi. How are you?", "Hola." is not yet. Speech that does not end
    a sentence leaves it open: `False`.
    """
    return (
        ends_sentence(said)
        and ends_sentence(translated)
        and count_sentences(translated) >= count_sentences(said)
    )


class PairMatcher:
    """Incremental grouping of tokens into `pairs`, which are in the order of their first words."""

    # A translation names its speaker and the language it was made from, not the words. It belongs
    # to the latest speech of that speaker and language (1, 2: speakers; T: translation):
    #
    #     1 en Yes?      pair A: "1 en" leads to A
    #     2 fr Non.      pair B: "2 fr" leads to B
    #     1 de Na ja     pair C; status "none", so no translation will look for it
    #     T 1 from en    -> A, although B and C came later
    #     T 2 from fr    -> B
    #     1 en Well      pair D: C is of another language. "1 en" now leads to D

    def __init__(self) -> None:
        self.pairs: list[PairBuilder] = []
        self._speaking: Optional[PairBuilder] = None
        # where the next translation belongs, by what its tokens say about the speech
        self._pair_of: dict[_Key, PairBuilder] = {}

    def add(self, token: Token) -> PairBuilder:
        """Append the token to the pair it belongs to, and return that pair."""
        if token.is_translation:
            pair = self._pair_of_translation(token) or self._new()
            pair.translation.append(token)
        else:
            pair = self._pair_of_speech(token)
            pair.original.append(token)
        return pair

    def _pair_of_speech(self, token: Token) -> PairBuilder:
        pair = self._speaking
        if pair is None or not _continues(pair, token):
            pair = self._speaking = self._new()
        if token.translation_status != "none":
            for key in _keys(token, token.language):
                self._pair_of[key] = pair
        return pair

    def _pair_of_translation(self, token: Token) -> Optional[PairBuilder]:
        for key in _keys(token, token.source_language):
            if key in self._pair_of:
                return self._pair_of[key]
        # tokens that say nothing, or what no speech said: the nearest pair is the best there is
        return self.pairs[-1] if self.pairs else None

    def _new(self) -> PairBuilder:
        self.pairs.append(PairBuilder())
        return self.pairs[-1]


def _keys(token: Token, language: Optional[str]) -> list[_Key]:
    """Return the keys to look for a pair with, the most exact first."""
    exact: _Key = (token.session, token.speaker, language)
    return [exact, (token.session, token.speaker, None), (token.session, None, None)]


def _continues(pair: PairBuilder, token: Token) -> bool:
    """Return whether spoken `token` belongs to `pair`, the latest speech."""
    if pair.shown or pair.translation or not pair.original:
        return False
    last = pair.original[-1]
    return (last.session, last.speaker, last.language, last.translation_status) == (
        token.session,
        token.speaker,
        token.language,
        token.translation_status,
    )
