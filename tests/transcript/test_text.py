"""Tests of graphemes, columns, words and wrapping."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from soniox_sync.transcript.text import (
    LineFiller,
    begins_word,
    chop,
    count_sentences,
    ends_sentence,
    graphemes,
    is_rtl,
    leads_rtl,
    split_words,
    text_width,
    truncate_start,
    wrap,
)

FAMILY = "\U0001f468\u200d\U0001f469\u200d\U0001f467"
FLAGS = "\U0001f1e9\U0001f1ea\U0001f1eb\U0001f1f7"


@pytest.mark.parametrize(
    ("text", "clusters"),
    [
        ("abc", ["a", "b", "c"]),
        ("e\u0301a", ["e\u0301", "a"]),
        (FAMILY + "!", [FAMILY, "!"]),
        (FLAGS, [FLAGS[:2], FLAGS[2:]]),
        ("\U0001f44d\U0001f3fdx", ["\U0001f44d\U0001f3fd", "x"]),
        ("\u0915\u094d\u0937\u093f", ["\u0915\u094d\u0937\u093f"]),
        ("\u0e19\u0e49\u0e33", ["\u0e19\u0e49\u0e33"]),
        ("\u1100\u1161\u11a8\u1100", ["\u1100\u1161\u11a8", "\u1100"]),
        ("\r\n\n", ["\r\n", "\n"]),
        ("\n\u0301", ["\n", "\u0301"]),
        ("❤\ufe0f", ["❤\ufe0f"]),
    ],
)
def test_graphemes(text: str, clusters: list[str]) -> None:
    """What a reader sees as one character stays together."""
    assert list(graphemes(text)) == clusters


@pytest.mark.parametrize(
    ("text", "columns"),
    [
        ("abc", 3),
        ("日本", 4),
        ("e\u0301", 1),
        (FAMILY, 2),
        (FLAGS, 4),
        ("\U0001f44d\U0001f3fd", 2),
        ("❤\ufe0f", 2),
        ("한글", 4),
        ("\u1112\u1161\u11ab", 2),
        ("\u0e19\u0e49\u0e33", 2),
        ("\u0915\u094d\u0937", 2),
        ("\uff76\uff9e", 2),
        ("שָׁלוֹם", 4),
        ("a\u200bb", 2),
    ],
)
def test_columns(text: str, columns: int) -> None:
    """Wide characters take two columns, combining ones none, letters of one cluster add up."""
    assert text_width(text) == columns


@pytest.mark.parametrize(
    "text",
    ["Grüße, 世界!", "สวัสดีครับ น้ำ", "नमस्ते दुनिया", "مرحبا بالعالم", "안녕하세요", "ｶﾞｷﾞ", "Việt Nam"],
)
def test_columns_are_enough(text: str) -> None:
    """No terminal that goes by the tables of Unicode needs more columns than are counted."""
    wcwidth = pytest.importorskip("wcwidth")
    assert wcwidth.wcswidth(text) <= text_width(text) <= len(text) * 2


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (" Hello, big world", [" Hello,", " big", " world"]),
        ("a  b", ["a", "  b"]),
        ("10\u00a0km", ["10\u00a0km"]),
        ("今日は。「はい」", ["今", "日", "は。", "「は", "い」"]),
        ("안녕 세상", ["안녕", " 세상"]),
        ("\u0e44\u0e17\u0e22\u0e19\u0e30", ["\u0e44\u0e17", "\u0e22", "\u0e19\u0e30"]),
        ("well-known", ["well-known"]),
    ],
)
def test_words(text: str, words: list[str]) -> None:
    """A line may break before a space, and between characters of scripts without spaces."""
    assert split_words(text) == words


@pytest.mark.parametrize(
    ("before", "text", "begins"),
    [("Hel", "lo", False), ("Hel", " lo", True), ("日", "本", True), ("日", "。", False),
     ("a ", "b", True), ("e", "\u0301", False), ("", "a", True)],
)  # fmt: skip
def test_word_boundary_between_tokens(before: str, text: str, begins: bool) -> None:
    """A subword continues the word before it unless a line may break between them."""
    assert begins_word(before, text) is begins


@given(st.text(max_size=60))
def test_splits_lose_nothing(text: str) -> None:
    """Clusters and words concatenate to the text, and words end where clusters do."""
    clusters = list(graphemes(text))
    assert "".join(clusters) == text
    words = split_words(text)
    assert "".join(words) == text
    assert [c for word in words for c in graphemes(word)] == clusters


def fits(line: str, width: int) -> bool:
    """Return whether a line fits; a character that is wider than a line must stay whole."""
    return text_width(line) <= width or len(list(graphemes(line.strip()))) == 1


printable = st.text(st.characters(exclude_categories=["Cs", "Cc", "Zl", "Zp"]), max_size=80)


@given(printable, st.integers(2, 30))
def test_wrapped_lines_fit(text: str, width: int) -> None:
    """Wrapped lines fit the width and lose nothing but white space."""
    lines = wrap(split_words(text), width)
    assert "".join("".join(lines).split()) == "".join(text.split())
    assert all(fits(line, width) for line in lines)
    assert all(line.strip() == line != "" for line in lines)


@given(printable, st.integers(2, 30))
def test_chopped_pieces_fit(text: str, width: int) -> None:
    """A chopped word keeps its clusters whole, and its pieces fit."""
    pieces = chop(text, width)
    assert "".join(pieces) == text
    assert [c for piece in pieces for c in graphemes(piece)] == list(graphemes(text))
    assert all(fits(piece, width) for piece in pieces)


@given(st.lists(printable, max_size=12), st.integers(2, 30))
def test_a_filler_predicts_the_number_of_lines(texts: list[str], width: int) -> None:
    """The number of lines predicted for a word is the number after adding it."""
    filler = LineFiller(width)
    for word in (word for text in texts for word in split_words(text)):
        if word.strip() and fits(word.strip(), width):
            predicted = filler.lines_with(word)
            filler.add(word)
            assert len(filler.lines) == predicted


@pytest.mark.parametrize(
    ("text", "width", "kept"),
    [("abc", 2, "bc"), ("日本", 3, "本"), ("abc", 9, "abc"), ("a", 0, "")],
)
def test_truncated_start(text: str, width: int, kept: str) -> None:
    """A text cut at its start keeps the whole characters that fit."""
    assert truncate_start(text, width) == kept


def test_direction() -> None:
    """A line has the direction of most of its letters, and leads with that of its first."""
    assert is_rtl("Ann: שלום לכם") and not leads_rtl("Ann: שלום לכם")
    assert not is_rtl("hello שלום!") and leads_rtl("123 שלום")


@pytest.mark.parametrize(
    ("text", "count", "ends"),
    [
        ("", 0, False),
        ("Hi", 0, False),
        ("Hi. ", 1, True),
        ("It costs 3.50 (or so). And", 1, False),
        ("Wait... what?!", 2, True),
        ('He said: "No."', 1, True),
        ("今日は。天気」", 1, False),
        ("今日は。天気。", 2, True),
        ("नमस्ते। आप कैसे हैं?", 2, True),
        ("example.org", 0, False),
    ],
)
def test_ends_of_sentences(text: str, count: int, ends: bool) -> None:
    """A mark ends a sentence at a space or the end, in scripts without spaces anywhere."""
    assert (count_sentences(text), ends_sentence(text)) == (count, ends)
