"""`speakable()`: a language model's text without what only a reader can use."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Optional, Union

from ..._support.characters import CharacterJoiner
from ..._support.checks import wrong_type
from .markdown import MarkdownReader

__all__ = ["speakable"]


def speakable(texts: Union[str, Iterable[Optional[str]]]) -> Iterator[str]:
    """Yield text as it should be spoken: without Markdown marks, code blocks and emoji.

    `texts`: a text, or the tokens of a language model; where they are cut makes no difference. Each
    part is yielded as soon as it is clear what it is, and at the end what is left.

    Dropped are the marks of emphasis, headings, lists, quotations, rules and tables; code between
    fences, with its fences; emoji; tags and footnote marks. What remains of a link is its text, of
    an image its description, of code within a sentence the code. Everything else stays as it is:
    numbers (`5 * 3`, `1_000`, `#1`), the numbers of a list, names (`snake_case`), bare addresses.

    Raises
        InputTypeError: `texts` is not an iterable, or an item is neither a `str` nor `None`.
    """
    given: object = texts
    if isinstance(given, bytes) or not isinstance(given, Iterable):
        raise wrong_type("texts", "a str or an iterable of str", texts)
    return _read([texts] if isinstance(texts, str) else texts)


def _read(texts: Iterable[Optional[str]]) -> Iterator[str]:
    characters, reader = CharacterJoiner(), MarkdownReader()
    for text in texts:
        if text is None:  # a language model's chunk without text
            continue
        if not isinstance(text, str):
            raise wrong_type("item of texts", "a str", text)
        spoken = reader.add(characters.add(text))
        if spoken:
            yield spoken
    spoken = reader.add(characters.finish()) + reader.finish()
    if spoken:
        yield spoken
