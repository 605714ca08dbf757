"""Translations that a new session repeats are delivered once."""

from __future__ import annotations

import random
from typing import Optional

import pytest

from soniox_sync import Token
from soniox_sync.recorder.translation_dedup import TranslationDedup


def tokens_of(text: str) -> list[Token]:
    """Split a text into tokens at each `|`."""
    return [Token(t, is_final=True, translation_status="translation") for t in text.split("|")]


def dedup_after(text: str, *, from_ms: int = 0) -> TranslationDedup:
    """Return a dedup that delivered `text`, a token every 100 ms, at the start of a new session."""
    dedup = TranslationDedup()
    for number, token in enumerate(tokens_of(text), 1):
        dedup.delivered(token, number * 100)
    dedup.begin(from_ms)
    return dedup


def send(dedup: TranslationDedup, text: str) -> str:
    """Feed `text` and the end of the session; return what is delivered."""
    new = [token for received in tokens_of(text) for token in dedup.accept(received)]
    return "".join(token.text for token in [*new, *dedup.flush()])


@pytest.mark.parametrize(
    ("delivered", "repeated", "new"),
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
        # a repetition that continues differently
        ("The| black| cat| sleeps", " black| cat| dreams", " dreams"),
        # an apparent repetition is delivered, but late
        ("So| it| goes| on| and| on", " it| is| late", " it| is| late"),
        # one that starts after other words, if it is too long to be a coincidence
        (" the| quick| brown| fox", " a| quick| brown| fox| ran", " a| ran"),
        (" big| cat", " the| cat| ran", " the| cat| ran"),
        # blanks within what at first looked like a repetition
        (" one| two| three", " two| | four", " two| | four"),
        (" one| two| three", " two| | three", ""),
        # eleven letters behind other words may be a coincidence, twelve are not
        (" Ab| cde| fgh| ijk| lm", " x| cde| fgh| ijkl| n", " x| cde| fgh| ijkl| n"),
        (" a| bcd| efg| hij| klm| n", " x| bcd| efg| hij| kl", " x| bcd| efg| hij| kl"),
        (" a| bcd| efg| hij| klm| n", " x| bcd| efg| hij| klm| y", " x| y"),
        # six at the beginning are none, five may be one
        (" abc| de| f", " abc| de| x", " abc| de| x"),
        (" abc| def| g", " abc| def| x", " x"),
    ],
)
def test_only_what_is_new_is_delivered(delivered: str, repeated: str, new: str) -> None:
    """Words that were delivered before are dropped; all others are delivered."""
    assert send(dedup_after(delivered), repeated) == new.replace("|", "")


def test_words_of_earlier_audio_are_not_repetitions() -> None:
    """Words delivered before any original of the replayed audio are new when received again."""
    assert send(dedup_after(" no| no| no", from_ms=200), " no| no| yes") == " no yes"


def test_forgotten_words_are_new() -> None:
    """Words delivered before a settled time are not remembered."""
    dedup = dedup_after(" no| yes")
    dedup.forget(100)
    dedup.begin(0)
    assert send(dedup, " no") == " no"


def test_another_session_may_start_in_a_repetition() -> None:
    """If a session ended within a repetition, the next one may repeat all of it."""
    dedup = dedup_after(" one| two| three")
    assert [dedup.accept(token) for token in tokens_of(" one| two")] == [[], []]
    dedup.begin(0)
    assert send(dedup, " one| two| three| four") == " four"


def test_the_search_for_repetitions_ends() -> None:
    """After enough other text a session is no longer expected to repeat anything."""
    dedup = dedup_after(" a| b")
    send(dedup, " something| else| entirely")
    assert not dedup.is_active


@pytest.mark.parametrize("seed", range(200))
def test_any_cut_of_any_repetition_is_found(seed: int) -> None:
    """Wherever a repetition starts and however it is tokenised, only new words are delivered."""
    rng = random.Random(seed)
    words = [f" w{number}" for number in range(rng.randint(2, 30))]
    known = rng.randint(1, len(words))
    start = rng.randrange(known)
    dedup = dedup_after("|".join(words[:known]))
    letters = "".join(words[start:])
    cut: Optional[list[str]] = []
    while letters:
        size = rng.randint(1, 6)
        cut.append(letters[:size])
        letters = letters[size:]
    assert send(dedup, "|".join(cut)).strip() == "".join(words[known:]).strip()
