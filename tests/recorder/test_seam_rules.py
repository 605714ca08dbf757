"""Where a space is added between two sessions, and where a word goes on."""

from __future__ import annotations

import pytest

from soniox_sync.recorder.seam import Seam, continues_word


def joined(*before: str, text: str, mid_word: bool = False) -> str:
    seam = Seam()
    for each in before:
        seam.delivered(each)
    seam.begin(mid_word=mid_word)
    return seam.join(text)


@pytest.mark.parametrize("closing", list(".,!?;:)]}%…’'\"»”"))
def test_closing_marks_follow_without_a_space(closing: str) -> None:
    """They belong to the word before."""
    assert joined("Hello", text=closing) == closing


@pytest.mark.parametrize("char", ["ก", "\u0eff", "က", "ក", "ぁ", "ヿ", "㐀", "好", "豈", "𠀀"])
def test_scripts_without_spaces_have_none(char: str) -> None:
    """Thai, Lao, Myanmar, Khmer, kana and han; and their words are never continued."""
    assert joined("Hello", text=char) == char
    assert not continues_word(char, char) and not continues_word("a", char)


@pytest.mark.parametrize("char", ["a", "é", "б", "א", "ש", "अ", "한", "7"])
def test_all_others_have(char: str) -> None:
    """A session's first word has none of its own."""
    assert joined("Hello", text=char) == " " + char
    assert continues_word("a", char) and not continues_word("a", " " + char)


def test_a_text_of_four_tokens_without_a_space_has_none() -> None:
    """No single word has so many; one leading space shows that there are words."""
    assert joined("a", "b", "c", text="d") == " d"
    assert joined("a", "b", "c", "d", text="e") == "e"
    assert joined("a", " b", "c", "d", text="e") == " e"


def test_a_space_is_added_once_and_only_where_there_is_none() -> None:
    """Not at the beginning, not behind a blank, not within a word, not twice."""
    assert joined(text="a") == "a"
    assert joined("", text="a") == "a"
    assert joined("a ", text="b") == "b"
    assert joined("a", text=" b") == " b"
    assert joined("a", text="") == ""
    assert joined("a", text="b", mid_word=True) == "b"
    seam = Seam()
    seam.delivered("a")
    seam.begin(mid_word=False)
    assert seam.join("b") == " b"
    seam.delivered(" b")
    assert seam.join("c") == "c"
    seam.begin(mid_word=False)
    seam.close()
    assert seam.join("d") == "d"


@pytest.mark.parametrize(
    ("before", "after", "continues"),
    [
        ("bl", "ack", True),
        (" don", "'t", True),
        (" don", "’t", True),
        (" well", "-known", True),
        (" one", " two", False),
        (" one", ".", False),
        (" one.", "two", False),
        ("", "a", False),
        ("a", "", False),
    ],
)
def test_a_word_is_continued_by_letters(before: str, after: str, continues: bool) -> None:
    """Apostrophes and hyphens are within words."""
    assert continues_word(before, after) is continues
