"""`speakable()`: what is dropped from a language model's text, however it is cut."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, Optional

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from soniox_sync import speakable
from soniox_sync.errors import InputTypeError

SPOKEN = {
    # emphasis
    "Take **two** *fresh* ***eggs***.": "Take two fresh eggs.",
    "__Now__ and _then_, ~~never~~.": "Now and then, never.",
    "*one*two **Note:** x": "onetwo Note: x",
    "an odd *star": "an odd star",
    'a "*5*" b, 2*': 'a "5" b, 2',
    # blocks
    "# Title\n## Part\ntext": "Title\nPart\ntext",
    "- one\n* two\n+ three\n  • four\n1. five": "one\ntwo\nthree\n  four\n1. five",
    "- [ ] buy\n- [x] sell\n- [maybe] keep": "buy\nsell\n[maybe] keep",
    "> said\n> > before\nnow": "said\nbefore\nnow",
    "a\n---\nb\n* * *\nc\n===\nd": "a\n\nb\n\nc\n\nd",
    "| Tea | 2 |\n|:---|---:|\n| Milk | 30 |\n": "Tea, 2\n\nMilk, 30\n",
    "| a | b |\nc | d": "a, b\nc | d",
    # code
    "So:\n```python\nprint('*')\n```\nThat is it.": "So:\nThat is it.",
    "So:\n\n~~~~\n~~~\n```\n~~~~\nDone.": "So:\n\nDone.",
    "- do\n  ```\n  x\n  ```\n- rest": "do\n  rest",
    "Call `a_b(*c)` or ``x`` or ```y```.": "Call a_b(*c) or x or y.",
    "```y``` and ``z``\nare code": "y and z\nare code",
    "~~never~~ again": "never again",
    "```\nx\n```\n- one\n# Two": "one\nTwo",
    "never closed:\n```\nx = 1\n": "never closed:\n",
    # links
    "See [the *new* menu](https://x.y/a_(b)_c 'Menu').": "See the new menu.",
    "Look![map](m.png)": "Look!map",
    "[a][b], [c] and [1]": "a, [c] and [1]",
    "![A map](map.png) [![Logo](l.png)](https://x.y)": "A map Logo",
    "True[^1]. False [^2].": "True. False.",
    "<https://a.b/c_d> <me@a.b>": "https://a.b/c_d me@a.b",
    "https://a.b/_c_?d=_e stays, _this_ goes": "https://a.b/_c_?d=_e stays, this goes",
    "x<br>y <b>z</b></p>": "x y z ",
    r"\*not\* \# a \[mark\]": "*not* # a [mark]",
    # emoji
    "Hello 😀 world 😀!": "Hello world!",
    "🎉 Great 👍🏽 job 👨‍👩‍👧‍👦🇩🇪": "Great job",
    "Done ✅\nNext ❤️ ☀ ➡️.": "Done\nNext.",
    "1️⃣ first, 2️⃣ second": "1 first, 2 second",
    "© 2024 Tea™ in C♯, ☎️ or ⭐": "© 2024 Tea™ in C♯, or",
    "می‌خواهم क्‍ष": "می‌خواهم क्‍ष",
}
UNCHANGED = [
    "5 * 3 = 15, 5*3, 2**3, 5*x, 2*(3+4), a * b",
    "1_000, 3 < 5 > 2, ~5, -5, +5, #1, 100%, 1. and 2)",
    "snake_case, C#, a|b, {x}, @home, [sic], (so), a^2, $5",
    "x <y then z, >= 5, <= 6, if a < b",
    ">= 5\n-5 degrees\n#1\n+5\n1. first",
    "--\n==\n[x] is a box\n####### seven",
    " leading, and  double  spaces \n\tand tabs ",
    "Wow! Really?! Yes… “Good.” – fine",
    "",
]


def spoken(texts: Iterable[Optional[str]]) -> str:
    """Return everything that is spoken; no part of it is empty."""
    parts = list(speakable(texts))
    assert all(parts)
    return "".join(parts)


@pytest.mark.parametrize("text", SPOKEN)
def test_marks_code_and_emoji_are_dropped(text: str) -> None:
    """What only a reader can use is dropped, as a whole and also when cut into characters."""
    assert spoken(text) == SPOKEN[text]
    assert spoken([text]) == SPOKEN[text]


@pytest.mark.parametrize("text", UNCHANGED)
def test_ordinary_text_is_unchanged(text: str) -> None:
    """Numbers, names, signs and spaces stay as they are."""
    assert spoken([text]) == text
    assert spoken(text) == text


# lines of marks, and the pieces of which Markdown is made
_PIECES = st.sampled_from(
    [
        *"*_~`#>-+=|[]()!<\\/ \n\t:^x5.",
        "```",
        "~~~",
        "https://",
        "](",
        "😀",
        "\ufe0f",
        "\u200d",
        "©",
        "word",
    ]
)
_MARKDOWN = st.lists(_PIECES, max_size=40).map("".join)


@given(_MARKDOWN, st.data())
@example("[" * 501 + "](x)", None)
@example("`" * 130, None)
@example("-" * 130 + "\nx", None)
def test_cuts_make_no_difference(text: str, data: Any) -> None:
    """However a text is cut into tokens, the same is spoken."""
    whole = spoken([text])
    assert spoken(text) == whole
    if data is not None:
        at = data.draw(st.integers(0, len(text)))
        assert spoken([text[:at], text[at:]]) == whole


@given(st.text(st.characters(categories=["Lu", "Ll", "Lo", "Nd"]), max_size=50))
def test_letters_and_digits_are_never_touched(text: str) -> None:
    """Text in any script is spoken as it is."""
    assert spoken([text]) == text


def test_text_is_yielded_as_soon_as_it_is_clear() -> None:
    """A sentence, a number or a word before a pause of the model is spoken, not held back."""
    given: list[str] = []

    def tokens() -> Iterator[str]:
        for token in ("I look up flight 4", "2", ". One", " moment!", " It is **", "late** ["):
            given.append(token)
            yield token

    parts = []
    for part in speakable(tokens()):
        parts.append((given[-1], part))
    assert parts == [
        ("I look up flight 4", "I look up flight 4"),
        ("2", "2"),
        (". One", ". One"),
        (" moment!", " moment!"),
        (" It is **", " It is"),
        ("late** [", " late"),
        ("late** [", " ["),
    ]


def test_a_code_block_holds_back_nothing_that_follows() -> None:
    """The text behind a block is yielded with its token."""
    parts = speakable(["Look:\n```py\n", "x = 1\n", "```\n", "That ", "is it."])
    assert list(parts) == ["Look:\n", "That", " is it."]


def test_empty_items_and_half_characters_are_joined() -> None:
    """`None` and `""` are skipped; halves of an emoji in two tokens are one emoji."""
    assert list(speakable(["a", None, "", "\ud83d", "\ude00", "b"])) == ["a", "b"]
    assert spoken(["a\ud83d"]) == "a\ufffd"


@pytest.mark.parametrize("texts", [None, 5, b"bytes"])
def test_what_is_no_text_is_refused_at_the_call(texts: Any) -> None:
    """The error names the argument."""
    with pytest.raises(InputTypeError, match="texts: expected a str or an iterable of str"):
        speakable(texts)


def test_an_item_that_is_no_text_is_refused() -> None:
    """The text before it has been yielded."""
    parts = speakable(["a.", 5])  # type: ignore[list-item]
    assert next(parts) == "a."
    with pytest.raises(InputTypeError, match="item of texts: expected a str, got int"):
        next(parts)
