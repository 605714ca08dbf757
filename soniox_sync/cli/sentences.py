"""Cut text into pieces that one stream of speech may take."""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterable, Iterator

from ..transcript.text import graphemes
from .mailbox import Mailbox

__all__ = ["MAX_GROUP_BYTES", "group_sentences", "lines_of"]

# about 80 s of speech at 15 characters a second: well below 2 minutes per stream (PROTOCOL 3.4)
MAX_GROUP_BYTES = 1200

_SENTENCE = re.compile(
    r".*?(?:[.!?…]+[\"'”’»)\]]*(?=\s)|[。！？｡।؟۔]+[」』”’）]*|\n\s*\n|$)\s*", re.DOTALL
)
_WORD = re.compile(r"\s*\S+\s*")


def group_sentences(text: str, limit: int = MAX_GROUP_BYTES) -> Iterator[str]:
    """Cut text into pieces of at most `limit` UTF-8 bytes, each as many whole sentences as fit.

    A sentence that is too long is cut between words, a word that is too long between characters.
    Pieces concatenate to the text, but for white space at their ends; empty ones are left out.
    """
    group = ""
    for piece in _pieces(text, limit):
        if group and _size(group) + _size(piece) > limit:
            yield from _worth_saying(group)
            group = ""
        group += piece
    yield from _worth_saying(group)


def _pieces(text: str, limit: int) -> Iterator[str]:
    for sentence in _SENTENCE.findall(text):
        if _size(sentence) <= limit:
            yield sentence
            continue
        for word in _WORD.findall(sentence):
            if _size(word) <= limit:
                yield word
            else:
                yield from graphemes(word)


def _worth_saying(group: str) -> list[str]:
    stripped = group.strip()
    return [stripped] if stripped else []


def _size(text: str) -> int:
    return len(text.encode("utf-8", "surrogatepass"))


def lines_of(mailbox: Mailbox, encoding: str = "utf-8") -> Iterator[str]:
    """Give lines of text as they arrive; lines that arrived together come as one text.

    Each text is complete lines, without being larger than `MAX_GROUP_BYTES` for long lines' sake;
    the last one may lack its line end. Bytes that are no text become U+FFFD.
    """
    decoder = codecs.getincrementaldecoder(encoding)(errors="replace")
    rest = ""
    for data in mailbox:
        rest += decoder.decode(data)
        while (more := mailbox.take_waiting()) is not None:
            rest += decoder.decode(more)
        lines, newline, rest = rest.rpartition("\n")
        if newline:
            yield lines + newline
    rest += decoder.decode(b"", True)
    if rest:
        yield rest


def all_of(texts: Iterable[str]) -> str:
    """Give all texts as one."""
    return "".join(texts)
