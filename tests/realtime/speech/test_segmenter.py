"""Text is split at the ends of sentences, and nothing that belongs together is split."""

from __future__ import annotations

import random
import time

import pytest

from soniox_sync.realtime.speech.lengths import estimate_sec, is_speakable
from soniox_sync.realtime.speech.segmenter import Segmenter, _is_clean
from tests.realtime.speech.virtual import mixed_text
from tests.transcript.helpers import steps_of


def sentences(text: str, step: int = 10_000) -> list[str]:
    """Split a text that arrives in steps."""
    segmenter = Segmenter()
    pieces = []
    for at in range(0, len(text), step):
        segmenter.add(text[at : at + step])
        pieces += segmenter.take()
    pieces += segmenter.take_rest(final=True)
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
    """In many scripts, sentences end where a reader expects it, and only there."""
    assert sentences(text) == expected


def test_a_long_sentence_is_not_split_after_its_first_words() -> None:
    """A clause of less than two fifths of what may be sent at once is too short to be a piece."""
    text = "Well, " + "and so it went on " * 60
    first = sentences(text)[0]
    assert len(first) > 100 and text.startswith(first)


@pytest.mark.parametrize("joiner", ["\u0301", "\u200c", "\u200d", "\u0903"])
def test_what_belongs_to_the_letter_before_it_stays_with_it(joiner: str) -> None:
    """Marks and joiners, and what follows a zero-width joiner."""
    assert not _is_clean(f"a{joiner}b", 1)
    assert _is_clean(f"a{joiner}\u4e00", 2) is (joiner != "\u200d")


def test_the_worked_example() -> None:
    """The worked example in the segmenter's docstring is correct."""
    segmenter = Segmenter()
    for text, taken in (
        ("Dr. Brown pays 3.", []),
        ("14 euros. He", ["Dr. Brown pays 3.14 euros. "]),
        (" said: good. ", ["He said: good. "]),
        ("So what is thi", []),
    ):
        segmenter.add(text)
        assert [piece.text for piece in segmenter.take()] == taken
    assert [piece.text for piece in segmenter.take_words()] == ["So what is "]
    assert [piece.text for piece in segmenter.take_rest()] == ["thi"]


@pytest.mark.parametrize("step", [1, 2, 7, 100])
def test_pieces_join_to_the_text(step: int) -> None:
    """However the text arrives, its pieces concatenate to it."""
    seed = random.SystemRandom().randrange(2**32)
    print("seed", seed)
    text = mixed_text(random.Random(seed), 3000)
    assert "".join(sentences(text, step)) == text


def test_numbers_that_arrive_in_pieces_stay_whole() -> None:
    """A number, an abbreviation and an address that arrive letter by letter stay whole."""
    text = "It costs 3.14 at Dr. Brown's, see a.com/b. Good."
    assert sentences(text, 1) == ["It costs 3.14 at Dr. Brown's, see a.com/b. ", "Good."]


def test_text_without_punctuation_is_split_between_words() -> None:
    """Endless text without punctuation is split at spaces, into pieces of a few seconds."""
    pieces = sentences("word " * 400)
    assert len(pieces) > 5
    assert all(piece.endswith("word ") for piece in pieces)
    assert all(estimate_sec(piece) < 20 for piece in pieces)


def test_a_long_sentence_is_split_at_a_clause() -> None:
    """A sentence too long to wait for is split after a comma rather than between words."""
    text = ("some words that go on and on without any end, " * 8).strip()
    assert all(piece.rstrip().endswith(",") for piece in sentences(text, 1)[:-1])


def test_text_without_spaces_is_split_between_grapheme_clusters() -> None:
    """Long text without spaces is split, but never inside an emoji, a syllable or an accent."""
    family = "\U0001f468\u200d\U0001f469\u200d\U0001f467"
    for unit in ("字", "ん", family, "e\u0301", "नि", "한"):
        pieces = sentences(unit * 600, 3)
        assert len(pieces) > 1
        for piece in pieces:
            assert piece == unit * (len(piece) // len(unit)), piece


def test_a_long_address_stays_whole() -> None:
    """An address of a few hundred characters is held until it is complete."""
    address = "https://example.com/" + "a1-b2/" * 15
    assert any(address in piece for piece in sentences(f"Look at {address} now. Yes.", 5))


def test_held_text_looks_complete_only_at_an_end() -> None:
    """Held text looks complete if it ends like a sentence, perhaps complete after a number."""
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
        assert segmenter.looks_complete is expected, text


def test_words_are_taken_without_the_last_one() -> None:
    """`take_words()` returns complete words; the last one may be incomplete."""
    segmenter = Segmenter()
    segmenter.add("so what is thi")
    assert [piece.text for piece in segmenter.take_words()] == ["so what is "]
    assert segmenter.held == "thi"
    assert segmenter.take_words() == []
    assert [piece.text for piece in segmenter.take_rest()] == ["thi"]


def test_an_unfinished_emoji_is_held_until_the_end() -> None:
    """An emoji that ends with a joiner is incomplete; it is only returned at the end."""
    segmenter = Segmenter()
    segmenter.add("so \U0001f468\u200d")
    assert "".join(piece.text for piece in segmenter.take_rest()) == "so "
    assert "".join(piece.text for piece in segmenter.take_rest(final=True)) == "\U0001f468\u200d"


def test_long_texts_are_split_in_linear_time() -> None:
    """Twice the text takes about twice the time, with and without punctuation."""
    for unit in ("A sentence of words. ", "word ", "字", "x"):
        assert "".join(sentences(unit * (300_000 // len(unit)))) == unit * (300_000 // len(unit))


RUNS = [
    ".",
    "!\u2026",
    "\n",
    " ",
    "\t\n",
    ".'",
    "\u200d",
    "\u0301",
    "\U0001f468\u200d",
    "-",
    "\u2028",
]


@pytest.mark.parametrize("unit", RUNS)
def test_runs_without_words_are_split_in_linear_time(unit: str) -> None:
    """Four times a run of marks, spaces or joiners takes about four times the time, not sixteen."""

    def cost(length: int) -> float:
        text = unit * (length // len(unit))
        began = time.process_time()
        assert "".join(sentences(text)) == text
        return time.process_time() - began

    # the shortest of several: nothing else makes a run shorter
    costs = {length: min(cost(length) for _ in range(3)) for length in (5_000, 20_000)}
    assert costs[20_000] < 9 * costs[5_000] + 0.01


@pytest.mark.parametrize("unit", [".", "!\u2026", "\n", "\u200d", "\u0301"])
def test_runs_that_arrive_one_by_one_are_split_in_linear_time(unit: str) -> None:
    """Three times a text of single code points takes about three times the steps, not nine."""

    def steps(length: int) -> int:
        text = unit * (length // len(unit))
        segmenter = Segmenter()

        def add() -> None:
            for char in text:
                segmenter.add(char)
                segmenter.take()
                _ = segmenter.looks_complete, segmenter.has_words

        return steps_of(add)

    assert steps(2100) < 5 * steps(700)


def test_what_is_speakable() -> None:
    """Letters, digits and symbols of any script are speakable; punctuation and spaces are not."""
    for text in ("a", "7", "字", "नि", "$", "😀", "- x"):
        assert is_speakable(text), text
    for text in ("", " \n", "...", "—", "!?", "「」"):
        assert not is_speakable(text), text


def test_estimates_follow_the_script() -> None:
    """A Han character takes several times as long as a Latin letter; a digit as long as a word."""
    assert estimate_sec("字" * 10) > 2.5 * estimate_sec("a" * 10)
    assert estimate_sec("7" * 10) > 4 * estimate_sec("a" * 10)
    assert estimate_sec("abc", speed=0.5) == pytest.approx(2 * estimate_sec("abc"))
