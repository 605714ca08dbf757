"""Marks of Markdown one by one: where each begins and ends, also where a token ends inside it."""

from __future__ import annotations

import pytest

from soniox_sync import speakable

LONG = "word " * 50
SPOKEN = {
    # a fence of tildes may have backticks behind it; what is behind one is not looked at
    "~~~ a`b\ncode\n~~~\nx": "x",
    "~~~ ~~~\ncode\n~~~\nx": "x",
    # only its own mark ends it, as long as it, wherever in the text
    f"```\n{LONG}\n```\nx": "x",
    "````\n```\n````\nx": "x",
    "```\n``\n~~~\n```\nx": "x",
    # bullets and boxes
    "- one\n-\n- two": "one\n\ntwo",
    "- [ ]\nx": "\nx",
    "- [x] a": "a",
    # headings have up to six signs
    "###### six": "six",
    "#\nx": "\nx",
    "#x": "#x",
    # code ends with its mark, or with its line
    "`a` *b*": "a b",
    "`a *b*\n*c*": "a *b*\nc",
    "``a`b`` *c*": "ab c",
    # stars beside a digit
    "Step 5**a** now": "Step 5a now",
    "2**3 and 2*x": "2**3 and 2*x",
    # signs that are only emoji if they are marked as such
    "(\u00a9\ufe0fb) \u00a9": "(b) \u00a9",
    # a family, and what follows it
    "\U0001f468\u200d\U0001f469 x": "x",
    # links
    "[a [b] [c]](u) d": "a [b] [c] d",
    "[a [b] [c] [d]](u) e": "[a [b] [c] [d]](u) e",
    r"[a\]b](u) c": "a]b c",
    r"[a](u\)v) c": "a c",
    "[a](u(v)w) c": "a c",
    "[a\nb](u)": "[a\nb](u)",
    # tags
    "<b>x</b> y": "x y",
    "<a b> c": "<a b> c",
    "<br/>x": " x",
    f"<{'y' * 320}> z": f"<{'y' * 320}> z",
}


@pytest.mark.parametrize("text", SPOKEN)
def test_a_mark_is_read_as_it_would_be_shown(text: str) -> None:
    """Given as a whole, letter by letter, and cut anywhere: the same is spoken."""
    expected = SPOKEN[text]
    assert "".join(speakable([text])) == expected
    assert "".join(speakable(text)) == expected
    for at in range(min(len(text), 60)):
        assert "".join(speakable([text[:at], text[at:]])) == expected, at


def test_a_row_of_marks_is_held_until_the_line_is_clear() -> None:
    """A token may end behind a fence, a rule or a row; what it was, the next one tells."""
    assert "".join(speakable(["```\nx\n```", "\ny"])) == "y"
    assert "".join(speakable(["```y", "``` z"])) == "y z"
    assert "".join(speakable(["a\n---", "\nb"])) == "a\n\nb"
    assert "".join(speakable(["a\n---", "b"])) == "a\n---b"
    assert "".join(speakable(["<b", ">x"])) == "x"
