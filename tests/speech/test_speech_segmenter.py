"""Text is cut at sentence ends, and nothing that belongs together is parted."""

from __future__ import annotations

import random

import pytest
from virtual import mixed_text

from soniox_sync.speech.lengths import estimate_sec, is_speakable
from soniox_sync.speech.segmenter import Segmenter


def sentences(text: str, step: int = 10_000) -> list[str]:
    """Cut a text that arrives in steps."""
    segmenter = Segmenter()
    pieces = []
    for at in range(0, len(text), step):
        segmenter.add(text[at : at + step])
        pieces += segmenter.take()
    pieces += segmenter.rest(final=True)
    return [piece.text for piece in pieces]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Hello there. How are you? Fine!", ["Hello there. ", "How are you? ", "Fine!"]),
        ("It costs 3.14 euros. Or 1.000.000.", ["It costs 3.14 euros. ", "Or 1.000.000."]),
        ("Dr. Smith met Mr. J. R. Jones. Then", ["Dr. Smith met Mr. J. R. Jones. ", "Then"]),
        ("See www.a.com/b?c=1.2 now. Or a@b.org.", ["See www.a.com/b?c=1.2 now. ", "Or a@b.org."]),
        ("The U.S. Army, e.g. here. Yes.", ["The U.S. Army, e.g. here. ", "Yes."]),
        ('"Really?" he asked. "Yes." So', ['"Really?" he asked. ', '"Yes." ', "So"]),
        ("Wait... what? Oh… well.", ["Wait... what? ", "Oh… well."]),
        ("你好。今天很好！「是吗？」他说。", ["你好。", "今天很好！", "「是吗？」", "他说。"]),
        ("यह अच्छा है। ठीक है।", ["यह अच्छा है। ", "ठीक है।"]),
        ("هل أنت بخير؟ نعم.", ["هل أنت بخير؟ ", "نعم."]),
        ("Привет! Ул. Мира, 5. Пока.", ["Привет! ", "Ул. Мира, 5. ", "Пока."]),
        ("A title\n\nThe text\nof it", ["A title\n\n", "The text\nof it"]),
        ("1. First thing\n2. Second", ["1. First thing\n", "2. Second"]),
        ("**Bold end.** Next.", ["**Bold end.** ", "Next."]),
        ("", []),
    ],
)
def test_sentences_are_found(text: str, expected: list[str]) -> None:
    """Sentences end where readers of many scripts see them end, and only there."""
    assert sentences(text) == expected


@pytest.mark.parametrize("step", [1, 2, 7, 100])
def test_pieces_join_to_the_text(step: int) -> None:
    """However the text arrives, its pieces are the text."""
    seed = random.SystemRandom().randrange(2**32)
    print("seed", seed)
    text = mixed_text(random.Random(seed), 3000)
    assert "".join(sentences(text, step)) == text


def test_a_number_is_not_cut_by_how_it_arrives() -> None:
    """A number, an abbreviation and an address that arrive letter by letter stay whole."""
    text = "It costs 3.14 at Dr. Brown's, see a.com/b. Good."
    assert sentences(text, 1) == ["It costs 3.14 at Dr. Brown's, see a.com/b. ", "Good."]


def test_text_without_punctuation_is_cut_between_words() -> None:
    """Endless text without any mark goes out in pieces of some seconds, at spaces."""
    pieces = sentences("word " * 400)
    assert len(pieces) > 5
    assert all(piece.endswith("word ") for piece in pieces)
    assert all(estimate_sec(piece) < 20 for piece in pieces)


def test_a_long_sentence_is_cut_at_a_clause() -> None:
    """A sentence too long to wait for is cut behind a comma rather than between words."""
    text = ("some words that go on and on without any end, " * 8).strip()
    assert all(piece.rstrip().endswith(",") for piece in sentences(text, 1)[:-1])


def test_text_without_spaces_is_cut_between_what_readers_see_as_characters() -> None:
    """Long text without spaces is cut, but never inside an emoji, a syllable or an accent."""
    family = "\U0001f468\u200d\U0001f469\u200d\U0001f467"
    for unit in ("字", "ん", family, "e\u0301", "नि", "한"):
        pieces = sentences(unit * 600, 3)
        assert len(pieces) > 1
        for piece in pieces:
            assert piece == unit * (len(piece) // len(unit)), piece


def test_a_long_address_stays_whole() -> None:
    """An address of a few hundred characters is waited for."""
    address = "https://example.com/" + "a1-b2/" * 15
    assert any(address in piece for piece in sentences(f"Look at {address} now. Yes.", 5))


def test_text_at_hand_settles_only_when_it_looks_like_an_end() -> None:
    """What ends like a sentence may be handed out after a while, the rest may not."""
    for text, expected in (
        ("Hello.", True),
        ("Hello?", True),
        ("One line\n", True),
        ("He said: “No.”", True),
        ("It costs 3.", False),
        ("See example.com.", False),
        ("Hello", None),
        ("Hello,", None),
        ("Dear Dr.", None),
        ("", None),
    ):
        segmenter = Segmenter()
        segmenter.add(text)
        assert segmenter.settles is expected, text


def test_words_leave_the_last_one_back() -> None:
    """`words()` gives what is surely complete; the last word may go on."""
    segmenter = Segmenter()
    segmenter.add("so what is thi")
    assert [piece.text for piece in segmenter.words()] == ["so what is "]
    assert segmenter.waiting == "thi"
    assert segmenter.words() == []
    assert [piece.text for piece in segmenter.rest()] == ["thi"]


def test_an_unfinished_emoji_is_held_until_the_end() -> None:
    """A joiner at the end of the text at hand asks for more; only the final rest gives it."""
    segmenter = Segmenter()
    segmenter.add("so \U0001f468\u200d")
    assert "".join(piece.text for piece in segmenter.rest()) == "so "
    assert "".join(piece.text for piece in segmenter.rest(final=True)) == "\U0001f468\u200d"


def test_a_million_characters_are_cut_in_linear_time() -> None:
    """Twice the text takes about twice the work, with and without marks in it."""
    for unit in ("A sentence of words. ", "word ", "字", "x"):
        assert "".join(sentences(unit * (300_000 // len(unit)))) == unit * (300_000 // len(unit))


def test_what_can_be_said() -> None:
    """Letters, digits and symbols of any script can be said; marks and spaces alone cannot."""
    for text in ("a", "7", "字", "नि", "$", "😀", "- x"):
        assert is_speakable(text), text
    for text in ("", " \n", "...", "—", "!?", "「」"):
        assert not is_speakable(text), text


def test_estimates_follow_the_script() -> None:
    """A Han character counts several times a Latin letter, digits count as words."""
    assert estimate_sec("字" * 10) > 2.5 * estimate_sec("a" * 10)
    assert estimate_sec("7" * 10) > 4 * estimate_sec("a" * 10)
    assert estimate_sec("abc", speed=0.5) == pytest.approx(2 * estimate_sec("abc"))
