"""Pair what was said with its translation."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple, Optional

from ..protocol.tokens import Token
from .segments import Segment, build_segment, token_span

__all__ = ["PairBuilder", "PairMatcher", "TranslationPair", "translation_pairs"]

# session, speaker, language of the speech
_Key = tuple[Optional[int], Optional[str], Optional[str]]


class TranslationPair(NamedTuple):
    """Is a stretch of speech and its translation, to be shown side by side.

    `translation` is `None` while it is owed, and for speech that is not translated (status
    `"none"`: a third language, or one already in the target language). `original` is `None` only
    when a translation came without any speech before it. The translation bears the times of the
    original.
    """

    original: Optional[Segment]
    translation: Optional[Segment]


def translation_pairs(tokens: Iterable[Token]) -> list[TranslationPair]:
    """Pair each stretch of speech with the translation that followed it, in spoken order.

    The service promises no word-for-word mapping: a pair begins with the first word after the
    former translation of the same speaker and language. Every token lies in exactly one pair.
    Source: Soniox docs stt/rt/real-time-translation; PROTOCOL 2.5.
    """
    matcher = PairMatcher()
    for token in tokens:
        matcher.add(token)
    return [pair.build() for pair in matcher.pairs]


class PairBuilder:
    """Is a pair in the making."""

    __slots__ = ("original", "shown", "translation")

    def __init__(self) -> None:
        self.original: list[Token] = []
        self.translation: list[Token] = []
        # set by a reader that has consumed the pair
        self.shown = False

    def build(self) -> TranslationPair:
        """Give the pair as it is now."""
        original = build_segment(self.original) if self.original else None
        translation: Optional[Segment] = None
        if self.translation:
            translation = build_segment(self.translation, token_span(self.original))
        return TranslationPair(original, translation)


class PairMatcher:
    """Puts each token into its pair; `pairs` are in the order of their first words."""

    def __init__(self) -> None:
        self.pairs: list[PairBuilder] = []
        self._speaking: Optional[PairBuilder] = None
        # the pair that a translation belongs to, by what its tokens say of the speech
        self._owing: dict[_Key, PairBuilder] = {}

    def add(self, token: Token) -> PairBuilder:
        """Append the token to the pair it belongs to, and give that pair."""
        if token.is_translation:
            pair = self._translated(token) or self._new()
            pair.translation.append(token)
        else:
            pair = self._said(token)
            pair.original.append(token)
        return pair

    def _said(self, token: Token) -> PairBuilder:
        pair = self._speaking
        if pair is None or not _continues(pair, token):
            pair = self._speaking = self._new()
        if token.translation_status != "none":
            for key in _keys(token, token.language):
                self._owing[key] = pair
        return pair

    def _translated(self, token: Token) -> Optional[PairBuilder]:
        for key in _keys(token, token.source_language):
            if key in self._owing:
                return self._owing[key]
        return self.pairs[-1] if self.pairs else None

    def _new(self) -> PairBuilder:
        self.pairs.append(PairBuilder())
        return self.pairs[-1]


def _keys(token: Token, language: Optional[str]) -> list[_Key]:
    """Give the ways to find a pair, the most exact first."""
    exact: _Key = (token.session, token.speaker, language)
    return [exact, (token.session, token.speaker, None), (token.session, None, None)]


def _continues(pair: PairBuilder, token: Token) -> bool:
    if pair.shown or pair.translation or not pair.original:
        return False
    last = pair.original[-1]
    return (last.session, last.speaker, last.language, last.translation_status) == (
        token.session,
        token.speaker,
        token.language,
        token.translation_status,
    )
