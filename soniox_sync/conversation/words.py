"""Words of the user, from tokens; backchannels among them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Optional

from ..protocol.tokens import Token
from ..transcript.text import begins_word


@dataclass(frozen=True)
class Word:
    """Word of the user; times in ms of the source's audio, `None` if the service sends none."""

    text: str
    start_ms: Optional[int]
    end_ms: Optional[int]
    is_final: bool


def words_of(tokens: Iterable[Token]) -> list[Word]:
    """Return the words in tokens. Punctuation and signs alone are none.

    " bl" final, "ack?" partial, " cat" partial  ->  "black?" not final, "cat" not final
    """
    found: list[Word] = []
    text = ""
    for token in tokens:
        if found and not begins_word(text, token.text):
            last = found[-1]
            found[-1] = replace(
                last,
                text=last.text + token.text.strip(),
                end_ms=last.end_ms if token.end_ms is None else token.end_ms,
                is_final=last.is_final and token.is_final,
            )
        elif token.text.strip():
            bare = token.text.strip()
            for piece in bare.split():
                found.append(Word(piece, token.start_ms, token.end_ms, token.is_final))
        text += token.text
    return [word for word in found if any(map(str.isalnum, word.text))]


# What people say to show that they listen. Not "yes" and "no", which answer something.
_BY_LANGUAGE: Mapping[str, str] = {
    "en": "mhm|mm|hm|hmm|uh-huh|mm-hmm|yeah|okay|ok|right|i see|aha",
    "de": "mhm|hm|hmm|aha|ja ja|okay|ok|genau|ach so|stimmt|verstehe|klar",
    "es": "mhm|hm|mm|ajá|aja|ya|vale|claro|ok|okay|ya veo|entiendo",
    "fr": "mhm|hm|hmm|ouais|ok|okay|d'accord|ah bon|je vois|voilà|exact|bien sûr",
    "it": "mhm|hm|mm|già|ok|okay|va bene|capisco|certo|esatto|ah ecco|appunto",
    "pt": "mhm|hm|aham|uhum|tá|tá bom|ok|okay|certo|entendi|sei|pois é",
    "nl": "mhm|hm|hmm|aha|oké|ok|okay|precies|juist|ja ja|ik snap het|klopt",
    "pl": "mhm|hm|aha|no|okej|ok|jasne|rozumiem|właśnie|dokładnie|no tak|dobra",
    "ru": "мгм|хм|ага|угу|ну да|ок|окей|понятно|ясно|точно|так|понимаю",
    "ja": "うん|うんうん|はいはい|ええ|へえ|なるほど|そうですか|そうですね|そっか|ほう",
    "zh": "嗯|嗯嗯|哦|噢|啊|对对|是的是的|好的好的|这样|这样啊|原来如此|明白",
}


def default_backchannels(language: str) -> tuple[str, ...]:
    """Return a dozen words of a language with which people show that they listen."""
    known = _BY_LANGUAGE.get(language.partition("-")[0].lower(), "")
    return tuple(known.split("|")) if known else ()


class Backchannels:
    """Words that show that somebody listens, and ask for nothing. Case and punctuation aside."""

    def __init__(self, phrases: Iterable[str]) -> None:
        plain = {tuple(_plain(phrase)) for phrase in phrases}
        self._phrases = frozenset(phrase for phrase in plain if phrase)

    def are_all(self, words: Sequence[Word]) -> bool:
        """Return whether nothing but backchannels was said.

        The beginning of one counts while its last word may still change: "ye" before "yeah".
        """
        if not words or not self._phrases:
            return False
        pieces = [piece for word in words for piece in _plain(word.text)]
        return self._covers(pieces, 0, not words[-1].is_final)

    def _covers(self, pieces: Sequence[str], at: int, is_open: bool) -> bool:
        if at >= len(pieces):
            return True
        rest = tuple(pieces[at:])
        for phrase in self._phrases:
            if rest[: len(phrase)] == phrase and self._covers(pieces, at + len(phrase), is_open):
                return True
        return is_open and any(_may_become(rest, phrase) for phrase in self._phrases)


def _may_become(rest: tuple[str, ...], phrase: tuple[str, ...]) -> bool:
    """Return whether more of the last word, or more words, could make this the phrase."""
    count = len(rest)
    same = rest[:-1] == phrase[: count - 1]
    return same and len(phrase) >= count and phrase[count - 1].startswith(rest[-1])


def _plain(text: str) -> list[str]:
    kept = (char if char.isalnum() or not char.isascii() else " " for char in text.casefold())
    return "".join(kept).translate(_MARKS).split()


# punctuation outside of ASCII that a recogniser may write
_MARKS = str.maketrans(dict.fromkeys("。、！？…「」“”‘’«»¿¡–—", " "))
