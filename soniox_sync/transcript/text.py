"""Text layout: grapheme clusters, columns, line breaks, direction.

An approximation of Unicode's annexes 11, 14 and 29 with the tables that Python includes. It never
splits what a reader sees as one character; scripts without spaces are broken between characters
(but not before closing punctuation), since word breaks there need a dictionary.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator
from functools import lru_cache

__all__ = [
    "LineFiller",
    "begins_word",
    "cell_width",
    "chop",
    "count_sentences",
    "ends_sentence",
    "graphemes",
    "is_rtl",
    "leads_rtl",
    "split_words",
    "text_width",
    "truncate_start",
    "wrap",
]

_ZWJ = "\u200d"
# Thai and Lao vowels that belong to the consonant before them, although Unicode calls them letters
_TRAILING_LETTERS = frozenset("\u0e33\u0eb3")
# blocks written without spaces between words: lines may break between any two clusters
_UNSPACED = (
    (0x0E00, 0x0EFF),  # Thai, Lao
    (0x1000, 0x109F),  # Myanmar
    (0x1780, 0x17FF),  # Khmer
    (0x2E80, 0x2FFF),  # CJK radicals
    (0x3000, 0x312F),  # CJK punctuation, kana, bopomofo
    (0x31A0, 0x4DBF),  # kana extensions, ideographs A
    (0x4E00, 0x9FFF),  # ideographs
    (0xF900, 0xFAFF),  # compatibility ideographs
    (0xFF00, 0xFFEF),  # full-width forms
    (0x1B000, 0x1B16F),  # kana supplement
    (0x20000, 0x3FFFD),  # ideographs B and later
)
# apart from closing punctuation: characters that must not begin a line
_NOT_AT_START = frozenset(
    "、。，．・：；？！ー々ゝゞヽヾぁぃぅぇぉっゃゅょァィゥェォッャュョ…‥％ฯๆ៕។"
    "\u0e30\u0e32\u0e45\u0eb0\u0eb2"  # Thai and Lao vowels written behind their consonant
)
# Thai and Lao vowels written before the consonant they follow in speech
_NOT_AT_END = frozenset("\u0e40\u0e41\u0e42\u0e43\u0e44\u0ec0\u0ec1\u0ec2\u0ec3\u0ec4")
_OPENING = frozenset({"Ps", "Pi"})
_CLOSING = frozenset({"Pe", "Pf"})


def graphemes(text: str) -> Iterator[str]:
    """Yield what a reader sees as characters; they concatenate to the text."""
    cluster = ""
    for char in text:
        if cluster and not _joins(cluster, char):
            yield cluster
            cluster = ""
        cluster += char
    if cluster:
        yield cluster


# One cluster, by the rules of Unicode's annex 29: "e" + combining accent; emoji + joiner + emoji;
# the two letters of a flag; Indic consonant + virama + consonant; the parts of a Hangul syllable.


def _joins(cluster: str, char: str) -> bool:
    """Return whether `char` continues the cluster before it."""
    last = cluster[-1]
    if char < "\u0300" and last < "\u0300":
        return last == "\r" and char == "\n"  # nothing else combines below U+0300
    if unicodedata.category(last) in ("Cc", "Zl", "Zp"):
        return False
    if _extends(char):
        return True
    if last == _ZWJ:
        return unicodedata.category(char) == "So"
    if _is_regional(char):
        # flags are pairs: the third letter begins the next flag
        return len(cluster) % 2 == 1 and all(map(_is_regional, cluster))
    if _is_conjoining(last, char):
        return True
    return _hangul_type(char) in _HANGUL_FOLLOWERS.get(_hangul_type(last), ())


@lru_cache(maxsize=4096)
def _extends(char: str) -> bool:
    """Return whether a character always belongs to the one before it."""
    code = ord(char)
    return (
        unicodedata.category(char) in ("Mn", "Me", "Mc")
        or char in (_ZWJ, "\u200c")
        or char in _TRAILING_LETTERS
        or 0x1F3FB <= code <= 0x1F3FF  # skin tones
        or 0xE0020 <= code <= 0xE007F  # tags of regional flags
        or 0xFF9E <= code <= 0xFF9F  # half-width voicing marks
    )


def _is_regional(char: str) -> bool:
    return "\U0001f1e6" <= char <= "\U0001f1ff"


def _is_conjoining(last: str, char: str) -> bool:
    """Return whether an Indic virama joins the next consonant to the cluster."""
    return (
        unicodedata.combining(last) == 9  # the class of all viramas
        and unicodedata.category(char) == "Lo"
        and ord(last) >> 7 == ord(char) >> 7  # one script: each has a block of 128
    )


# what may follow in a Hangul syllable: L leading consonant, V vowel, T trailing consonant, S a
# composed syllable (which may lack its last consonant)
_HANGUL_FOLLOWERS = {
    "L": ("L", "V", "S", "T"),
    "V": ("V", "T"),
    "S": ("V", "T"),
    "T": ("T",),
}


def _hangul_type(char: str) -> str:
    code = ord(char)
    if 0x1100 <= code <= 0x115F or 0xA960 <= code <= 0xA97C:
        return "L"
    if 0x1160 <= code <= 0x11A7 or 0xD7B0 <= code <= 0xD7C6:
        return "V"
    if 0x11A8 <= code <= 0x11FF or 0xD7CB <= code <= 0xD7FB:
        return "T"
    if 0xAC00 <= code <= 0xD7A3:
        return "S"
    return ""


@lru_cache(maxsize=8192)
def cell_width(cluster: str) -> int:
    """Return the columns one cluster takes on a terminal.

    An emoji takes two, however it is composed. Elsewhere the letters of a cluster add up, as in
    Thai or Devanagari. If terminals disagree, this is the larger number, so that lines fit.
    """
    if len(cluster) == 1:
        return _char_width(cluster)
    if "\ufe0f" in cluster or _is_regional(cluster[0]):
        return 2
    widths = map(_char_width, cluster)
    return max(widths) if unicodedata.category(cluster[0]) == "So" else sum(widths)


def _char_width(char: str) -> int:
    if char < "\u0300":
        return 0 if unicodedata.category(char) == "Cc" or char == "\xad" else 1
    if unicodedata.category(char) in ("Mn", "Me", "Cf", "Cc", "Zl", "Zp"):
        return 0
    if 0x1160 <= ord(char) <= 0x11FF:
        return 0  # vowels and finals drawn inside the syllable
    return 2 if unicodedata.east_asian_width(char) in ("W", "F") else 1


def text_width(text: str) -> int:
    """Return the columns of a text in one line."""
    if text.isascii() and text.isprintable():
        return len(text)
    # words recur; longer texts would only fill the cache
    return _word_width(text) if len(text) <= _LONG_WORD else _sum_width(text)


def _sum_width(text: str) -> int:
    return sum(map(cell_width, graphemes(text)))


_LONG_WORD = 24
_word_width = lru_cache(maxsize=4096)(_sum_width)


def _is_unspaced(char: str) -> bool:
    code = ord(char)
    return code >= 0x0E00 and any(low <= code <= high for low, high in _UNSPACED)


def split_words(text: str) -> list[str]:
    """Split text where lines may break; each piece keeps the spaces before it.

    The pieces concatenate to the text. Breaks are before spaces, and between the clusters of
    scripts without spaces, but never before closing or after opening punctuation:

        "Hello, you there"    "Hello," " you" " there"
        "今日は「いい」天気。"   "今" "日" "は" "「い" "い」" "天" "気。"
    """
    words: list[list[str]] = []
    for cluster in graphemes(text):
        if words and not _may_break(words[-1][-1], cluster):
            words[-1].append(cluster)
        else:
            words.append([cluster])
    return ["".join(word) for word in words]


def _may_break(before: str, cluster: str) -> bool:
    """Return whether a line may end after `before` and continue with `cluster`."""
    last, char = before[-1], cluster[0]
    if last.isspace():
        return False  # spaces belong to the word that follows
    if char.isspace():
        return char not in "\u00a0\u202f\u2060"  # no-break spaces, word joiner
    if not (_is_unspaced(last) or _is_unspaced(char)):
        return False
    if char in _NOT_AT_START or unicodedata.category(char) in _CLOSING:
        return False
    if last in _NOT_AT_END:
        return False
    return unicodedata.category(last) not in _OPENING


def begins_word(before: str, text: str) -> bool:
    """Return whether a line may break between `before` and the text that follows it.

    Spaces at the end of `before` count: a word begins after them.
    """
    if not before or not text or before[-1].isspace():
        return True
    last = before[-1]
    if _is_regional(text[0]):  # of the cluster before, more than its last character counts
        last = list(graphemes(before[-16:]))[-1]  # 16: any real cluster, at a constant cost
    return not _joins(last, text[0]) and _may_break(before, text)


class LineFiller:
    """First-fit layout of words (of `split_words`) into lines of at most `width` columns.

    A word wider than a line is broken between clusters; a single cluster wider than a line stays
    whole. Spaces at the ends of lines are dropped. Measures each word once.
    """

    def __init__(self, width: int) -> None:
        self._width = width
        self._full: list[str] = []
        self._line = ""  # never begins with a space
        self._used = 0

    @property
    def lines(self) -> list[str]:
        """Lines so far, the last one as far as it is filled."""
        return [*self._full, self._line.rstrip()] if self._line else list(self._full)

    def lines_with(self, word: str) -> int:
        """Return how many lines there would be with this word, which is no wider than a line."""
        return len(self._full) + (1 if self._fits(word) else 2)

    def add(self, word: str) -> None:
        """Append a word to the last line, or start a line with it."""
        if self._fits(word):
            more = word if self._line else word.lstrip()
            self._line += more
            self._used += text_width(more)
            return
        if self._line:
            self._full.append(self._line.rstrip())
        *full, last = chop(word.strip(), self._width)
        self._full += [piece.strip() for piece in full if not piece.isspace()]
        self._line = last.lstrip()
        self._used = text_width(self._line)

    def _fits(self, word: str) -> bool:
        seen = word.rstrip() if self._line else word.strip()
        return self._used + text_width(seen) <= self._width


def wrap(words: Iterable[str], width: int) -> list[str]:
    """Return words laid out in lines by `LineFiller`."""
    filler = LineFiller(width)
    for word in words:
        filler.add(word)
    return filler.lines


def chop(word: str, width: int) -> list[str]:
    """Cut a word into pieces of at most `width` columns, at least one, between clusters."""
    pieces = [""]
    used = 0
    for cluster in graphemes(word):
        cells = cell_width(cluster)
        if pieces[-1] and used + cells > width:
            pieces.append("")
            used = 0
        pieces[-1] += cluster
        used += cells
    return pieces


# what ends a sentence, and the quotes and brackets that may close behind it
_MARKS = ".?!…。！？｡؟۔।॥។៖"
_CLOSERS = "\"'”’»)]）」』】"
# marks before a space or the end; those of scripts without spaces anywhere
_SENTENCE_END = re.compile(
    rf"[{re.escape(_MARKS)}]+[{re.escape(_CLOSERS)}]*(?=\s|$)|[。！？｡]+[{re.escape(_CLOSERS)}]*"
)


def ends_sentence(text: str) -> bool:
    """Return whether a text ends with a sentence mark; quotes and brackets may close behind it."""
    last = text.rstrip().rstrip(_CLOSERS)[-1:]
    return last != "" and last in _MARKS


def count_sentences(text: str) -> int:
    """Return how many sentences end in a text: 2 in `"Hi. It costs 3.50 (or so). And"`."""
    return len(_SENTENCE_END.findall(text))


def truncate_start(text: str, width: int) -> str:
    """Return the end of a text that fits into `width` columns."""
    kept: list[str] = []
    used = 0
    for cluster in reversed(list(graphemes(text))):
        used += cell_width(cluster)
        if used > width:
            break
        kept.append(cluster)
    return "".join(reversed(kept))


def is_rtl(text: str) -> bool:
    """Return whether most letters of a text are written from right to left."""
    right = left = 0
    for char in text:
        direction = unicodedata.bidirectional(char)
        right += direction in ("R", "AL")
        left += direction == "L"
    return right > left


def leads_rtl(text: str) -> bool:
    """Return whether the first strong letter runs from right to left: players look at that."""
    for char in text:
        direction = unicodedata.bidirectional(char)
        if direction in ("L", "R", "AL"):
            return direction != "L"
    return False
