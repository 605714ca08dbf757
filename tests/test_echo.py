"""A translation that a new session says again is told once."""

from __future__ import annotations

import random
from typing import Optional

import pytest

from soniox_sync import Token
from soniox_sync.protocol.echo import Echo


def heard(text: str) -> list[Token]:
    """Cut a text into tokens at its `|`."""
    return [Token(t, is_final=True, translation_status="translation") for t in text.split("|")]


def echo_of(told: str, *, from_ms: int = 0) -> Echo:
    """Make an echo that told `told`, one token for each 100 ms of originals, and listens."""
    echo = Echo()
    for number, token in enumerate(heard(told), 1):
        echo.told(token, number * 100)
    echo.begin(from_ms)
    return echo


def say(echo: Echo, text: str) -> str:
    """Let a session say `text` to its end; give what of it is told."""
    new = [token for said in heard(text) for token in echo.sift(said)]
    return "".join(token.text for token in [*new, *echo.rest()])


@pytest.mark.parametrize(
    ("told", "again", "new"),
    [
        ("The| black| cat", " black| cat| sleeps", " sleeps"),
        ("The| black| cat", "The| black| cat| sleeps", " sleeps"),
        ("The| black| cat", " cat", ""),
        ("The| black| cat", " A| dog| barks", " A| dog| barks"),
        ("", " A| dog", " A| dog"),
        # cut into other tokens, spaced otherwise
        ("The| black| cat", " bl|ack|  c|at| sl|eeps", " sl|eeps"),
        ("The| black| c", " black| cat| sleeps", "at| sleeps"),
        # the longest repetition counts
        (" ha| ha| ha", " ha| ha| ha| ha", " ha"),
        (" one| two| one| two", " one| two| one| two| three", " three"),
        # a repetition that is put otherwise half way
        ("The| black| cat| sleeps", " black| cat| dreams", " dreams"),
        # what only looks like one is given late, but given
        ("So| it| goes| on| and| on", " it| is| late", " it| is| late"),
        # one that begins after other words, if it is long enough to be no accident
        (" the| quick| brown| fox", " a| quick| brown| fox| ran", " a| ran"),
        (" big| cat", " the| cat| ran", " the| cat| ran"),
    ],
)
def test_only_what_is_new_is_told(told: str, again: str, new: str) -> None:
    """Words told before, up to the last of them, are not told again; all others are."""
    assert say(echo_of(told), again) == new.replace("|", "")


def test_what_was_told_for_earlier_audio_is_no_repetition() -> None:
    """Words that were told before any original of the audio heard again are new words."""
    assert say(echo_of(" no| no| no", from_ms=200), " no| no| yes") == " no yes"


def test_forgotten_words_are_new() -> None:
    """What was told before a moment that is settled is not remembered."""
    echo = echo_of(" no| yes")
    echo.forget(100)
    echo.begin(0)
    assert say(echo, " no") == " no"


def test_another_session_may_begin_half_way() -> None:
    """A session that ends within a repetition leaves its successor the whole of it to repeat."""
    echo = echo_of(" one| two| three")
    assert [echo.sift(token) for token in heard(" one| two")] == [[], []]
    echo.begin(0)
    assert say(echo, " one| two| three| four") == " four"


def test_listening_ends() -> None:
    """A session that says other things for long is no longer listened to."""
    echo = echo_of(" a| b")
    say(echo, " something| else| entirely")
    assert not echo.listens


@pytest.mark.parametrize("seed", range(200))
def test_any_cut_of_any_repetition_is_found(seed: int) -> None:
    """Wherever a repetition begins and however it is cut, only what is new is told."""
    rng = random.Random(seed)
    words = [f" w{number}" for number in range(rng.randint(2, 30))]
    known = rng.randint(1, len(words))
    start = rng.randrange(known)
    echo = echo_of("|".join(words[:known]))
    letters = "".join(words[start:])
    cut: Optional[list[str]] = []
    while letters:
        size = rng.randint(1, 6)
        cut.append(letters[:size])
        letters = letters[size:]
    assert say(echo, "|".join(cut)).strip() == "".join(words[known:]).strip()
