"""What was heard of a text: up to the last whole word, by times or in proportion."""

from __future__ import annotations

import pytest

from soniox_sync.conversation.agent import Passage
from soniox_sync.protocol.tts import AudioChunk, Timestamps
from soniox_sync.realtime.conversation.heard import heard_by_share, heard_by_times, whole_words
from soniox_sync.realtime.conversation.voice import Recital

TEXT = "It is noon, sir."


def times(text: str, sec: float = 0.1) -> list[tuple[str, float]]:
    """Return each character with its end."""
    return [(char, round((at + 1) * sec, 4)) for at, char in enumerate(text)]


@pytest.mark.parametrize(
    ("played", "heard"),
    [
        (0.0, ""),
        (0.1, ""),  # half of "It"
        (0.2, "It"),
        (0.45, "It"),
        (0.5, "It is"),
        (1.0, "It is noon,"),  # a comma is silent
        (1.1, "It is noon,"),
        (1.4, "It is noon,"),
        (1.5, "It is noon, sir."),
        (9.0, TEXT),
    ],
)
def test_by_times(played: float, heard: str) -> None:
    """A word counts once its last letter has been played."""
    assert TEXT[: heard_by_times(TEXT, times(TEXT), played)] == heard


def test_by_times_of_normalised_text() -> None:
    """The voice says "five dollars" for "$5"; the text is cut where the word is."""
    text, spoken = "It costs $5 today.", "It costs five dollars today."
    cut = heard_by_times(text, times(spoken), len("It costs five dollars") * 0.1)
    assert text[:cut] == "It costs $5"


@pytest.mark.parametrize(
    ("played", "heard"), [(0.0, ""), (0.5, "It is"), (0.7, "It is noon,"), (1.0, TEXT)]
)
def test_by_share(played: float, heard: str) -> None:
    """In proportion to the audio, rounded down to a word."""
    assert TEXT[: heard_by_share(TEXT, played, 1.0)] == heard


def test_by_share_of_nothing() -> None:
    """Without audio nothing was heard."""
    assert heard_by_share(TEXT, 1.0, 0.0) == 0


def test_words_without_spaces() -> None:
    """In scripts without spaces each character is a word."""
    assert whole_words("今日は雨です。", 3) == 3


def recital(*, closed: bool = True) -> Recital:
    """Return one of TEXT, begun at 1000 ms of the sink."""
    found = Recital(Passage({"voice": "Adrian"}, text=TEXT, is_open=not closed))
    found.start_ms = 1000.0
    return found


def test_a_passage_is_heard_from_its_start_on() -> None:
    """Before it, nothing; all of it once all its audio was played."""
    spoken = recital()
    stamps = times(TEXT)
    ends = tuple(end for _, end in stamps)
    spoken.take(AudioChunk(b"", Timestamps(tuple(TEXT), (0.0,) * len(TEXT), ends), False), 1.7)
    assert spoken.heard(900) == spoken.heard(1000) == 0
    assert TEXT[: spoken.heard(1500)] == "It is"
    spoken.is_complete = True
    assert spoken.heard(2700) == len(TEXT)


def test_a_passage_that_still_grows_is_not_heard_to_its_end() -> None:
    """All its audio so far was played, but not its last word."""
    spoken = recital(closed=False)
    spoken.take(AudioChunk(b"", None, False), 1.7)
    spoken.is_complete = True
    assert spoken.heard(1850) < len(TEXT)


def test_a_passage_without_times_is_heard_in_proportion() -> None:
    """As with a voice that has no timestamps."""
    spoken = recital()
    spoken.take(AudioChunk(b"", None, False), 1.6)
    spoken.is_complete = True
    assert TEXT[: spoken.heard(1800)] == "It is"


@pytest.mark.parametrize(
    ("count", "heard"), [(3, ""), (4, "Well"), (6, "Well"), (8, "Well"), (11, "Well -- yes")]
)
def test_punctuation_alone_is_no_word(count: int, heard: str) -> None:
    """A dash between two words is heard with the second one; one before them with the first."""
    assert "Well -- yes"[: whole_words("Well -- yes", count)] == heard
    text = f"-- {heard}"
    assert whole_words(text, len(text)) == (len(text) if heard else 0)
