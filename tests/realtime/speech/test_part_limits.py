"""When a part ends and the next begins, limit by limit, with times and amounts added up by hand."""

from __future__ import annotations

from typing import Any

import pytest

from soniox_sync import ConfigurationError
from soniox_sync.realtime.speech.planner import Part, Planner, SpeechLimits
from soniox_sync.realtime.speech.segmenter import Segmenter

# 0.5 s for the digit, 0.085 for the letter, 0.35 for the dot and 0.08 for the space
SENTENCE = "1a. "
SEC = 1.015


def texts(planner: Planner, now: float) -> list[str]:
    return [send.text for send in planner.decide(now)]


def first_part(text: str, **limits: Any) -> str:
    """Return what the first stream of a text that is known as a whole speaks."""
    speed = limits.pop("speed", 1.0)
    planner = Planner(SpeechLimits(**limits), speed=speed)
    planner.add(text, 0.0)
    planner.finish()
    return planner.decide(0.0)[0].text


def started(text: str = "Hello there. ", at: float = 0.0) -> tuple[Planner, Part]:
    """Return a planner that has sent a text, and the part that it is in."""
    planner = Planner(SpeechLimits())
    planner.add(text, at)
    (send,) = planner.decide(at)
    return planner, send.part


def hear(part: Part, seconds: float, at: float) -> None:
    """Receive audio."""
    progress = part.progress
    progress.has_audio, progress.audio_sec, progress.last_audio_at = True, seconds, at


def test_a_part_is_as_long_as_75_s() -> None:
    """73 sentences of 1.015 s are 74.1 s; one more would be 75.1. At twice the speed 147 fit."""
    assert first_part(SENTENCE * 200) == SENTENCE * 73
    assert first_part(SENTENCE * 200, speed=2.0) == SENTENCE * 147


def test_a_part_is_as_large_as_1200_bytes() -> None:
    """At ten times the speed the size limits a part; what reaches it exactly still fits."""
    assert first_part("A,,,,,,,. " * 200, speed=10.0) == "A,,,,,,,. " * 120
    assert first_part("\u00c9,,,,,,,. " * 200, speed=10.0) == "\u00c9,,,,,,,. " * 109  # 11 bytes


@pytest.mark.parametrize(
    ("limits", "pieces"),
    [
        ({}, 6),  # 89.4 s; 7 would be 104.3, above 100
        ({"part_max_sec": 104.4}, 7),
        ({"part_max_sec": 89.3}, 5),
        ({"part_bytes": 79, "part_max_bytes": 240}, 3),
        ({"part_bytes": 79, "part_max_bytes": 239}, 2),
        ({"part_max_sec": 80.0, "part_max_bytes": 9999}, 5),
        ({"part_sec": 50.0, "part_max_bytes": 320}, 4),
    ],
)
def test_a_part_may_be_longer_only_to_reach_the_end_of_a_sentence(
    limits: dict[str, Any], pieces: int
) -> None:
    """A long sentence comes in pieces of 20 clauses: 14.9 s, 80 bytes. The first limit of a part
    ends it behind a sentence, the second one anywhere.
    """
    assert first_part("1a, " * 400, **limits) == "1a, " * 20 * pieces


def test_the_first_text_of_a_part_always_fits() -> None:
    """A sentence above all limits is spoken all the same, alone."""
    assert first_part("1a. 1a. ", part_sec=0.1, part_bytes=1) == "1a. "


def test_two_streams_are_open_by_default() -> None:
    """The one that is played and the next; a third waits."""
    planner = Planner(SpeechLimits(part_sec=1.1))
    planner.add(SENTENCE * 5, 0.0)
    assert texts(planner, 0.0) == [SENTENCE, SENTENCE]
    planner.part_played()
    assert texts(planner, 0.1) == [SENTENCE]
    assert texts(planner, 0.2) == []


@pytest.mark.parametrize(
    ("heard_sec", "due_at"),
    [(None, 4.0), (0.5, 4.0), (3.6, 4.0), (9.0, 10.0)],
)
def test_a_stream_ends_when_its_audio_lags(heard_sec: Any, due_at: float) -> None:
    """Without audio 4 s after it opened; with 9 s of audio after 10 s, at 0.9 of its age."""
    planner, part = started()
    if heard_sec is not None:
        hear(part, heard_sec, 1.0)
    sent = 0.0
    while sent + 2.0 < due_at:  # the writer is never quiet
        sent += 2.0
        planner.add("More. ", sent)
        assert texts(planner, sent) == ["More. "]
    planner.add("More. ", due_at - 0.01)
    (send,) = planner.decide(due_at - 0.01)
    assert (send.part, send.end) == (part, False)
    assert planner.wake_at() == pytest.approx(due_at)
    (end,) = planner.decide(due_at)
    assert (end.part, end.text, end.end) == (part, "", True)


def test_text_that_comes_too_late_begins_another_part() -> None:
    """A stream that lags gets no more text: only its end."""
    planner, part = started()
    planner.add("More. ", 4.0)
    sends = planner.decide(4.0)
    assert [(send.part is part, send.text, send.end) for send in sends] == [
        (True, "", True),
        (False, "More. ", False),
    ]


def test_a_stream_stalls_after_20_s_without_audio() -> None:
    """They count from its last text or its last audio, and only once its text has ended."""
    planner, part = started()
    assert planner.stalled(100.0) == []
    planner.finish()
    assert [send.end for send in planner.decide(2.0)] == [True]
    assert planner.wake_at() == 22.0
    assert (planner.stalled(21.99), planner.stalled(22.0)) == ([], [part])
    hear(part, 1.0, 5.0)
    assert planner.wake_at() == 25.0
    assert (planner.stalled(24.99), planner.stalled(25.0)) == ([], [part])


@pytest.mark.parametrize(
    ("text", "is_legal"),
    [
        (SENTENCE * 147, True),  # 149.2 s
        (SENTENCE * 148, False),  # 150.2 s
    ],
)
def test_a_single_stream_takes_150_s(text: str, is_legal: bool) -> None:
    """A format that cannot be joined is refused when its text is longer."""
    planner = Planner(SpeechLimits(), joinable=False)
    planner.add(text, 0.0)
    planner.finish()
    if is_legal:
        assert texts(planner, 0.0) == [text]
    else:
        with pytest.raises(ConfigurationError, match=r"about 150 s"):
            planner.decide(0.0)


@pytest.mark.parametrize(("size", "is_legal"), [(4900, True), (4901, False)])
def test_a_single_stream_takes_4900_bytes(size: int, is_legal: bool) -> None:
    """At ten times the speed only the size counts."""
    planner = Planner(SpeechLimits(), speed=10.0, joinable=False)
    text = "a" * (size - 1) + "."
    planner.add(text, 0.0)
    planner.finish()
    if is_legal:
        assert "".join(texts(planner, 0.0)) == text
    else:
        with pytest.raises(ConfigurationError, match="needs several streams"):
            planner.decide(0.0)


def test_what_could_not_be_sent_waits_for_another_attempt() -> None:
    """It is taken back, with its end, and nothing follows it until the part starts again."""
    planner = Planner(SpeechLimits())
    planner.add("One. Two.", 0.0)
    planner.finish()
    (send,) = planner.decide(0.0)
    planner.not_sent(send)
    assert planner.decide(50.0) == []
    assert planner.wake_at() is None
    assert planner.restart(send.part, 0, not_before=60.0)
    (again,) = planner.decide(60.0)
    assert (again.text, again.end) == ("One. Two.", True)


def test_an_attempt_that_waits_can_be_hastened() -> None:
    """It is made now, and one that is due is not delayed."""
    planner, part = started()
    assert planner.restart(part, 0, not_before=30.0)
    planner.hasten(part, 5.0)
    assert planner.wake_at() == 5.0
    planner.hasten(part, 9.0)
    assert texts(planner, 5.0) == ["Hello there. "]


def test_a_new_attempt_has_new_timers() -> None:
    """Neither audio nor age of the first attempt count for the second."""
    planner, part = started()
    hear(part, 50.0, 1.0)
    assert planner.restart(part, 0, not_before=2.0)
    assert texts(planner, 2.0) == ["Hello there. "]
    assert not part.progress.has_audio
    assert planner.wake_at() == 5.0  # quiet; it would lag at 6.0


def test_after_stop_no_part_begins() -> None:
    """Text that is in no part yet is dropped; what was begun ends."""
    planner, part = started()
    planner.add("Half a sent", 0.5)
    planner.stop()
    (send,) = planner.decide(1.0)
    assert (send.part, send.text, send.end) == (part, "", True)
    planner.part_over(part)
    assert planner.is_done
    assert planner.wake_at() is None


def test_a_text_that_is_over_needs_no_further_look() -> None:
    """Nothing is held, nothing is due, and its part is over in every respect."""
    planner, part = started("Hello there. And m")
    planner.finish()
    planner.decide(1.0)
    planner.part_over(part)
    assert part.is_over and part.text_ended
    assert planner.wake_at() is None
    assert planner.is_done


def test_characters_are_counted_as_they_get_into_parts() -> None:
    """Skipped ones count, too; they lead the next part and are not sent."""
    planner = Planner(SpeechLimits())
    planner.add("...\n\n", 0.0)
    planner.add("Yes. No", 0.0)
    (send,) = planner.decide(0.0)
    assert planner.assigned_chars == len("...\n\nYes. ")
    assert send.part.lead + send.text == "...\n\nYes. "
    assert send.part.number == 0


@pytest.mark.parametrize(
    ("name", "seconds"),
    [
        ("max_quiet_sec", 1.5),
        ("settle_sec", 0.1),
        ("number_settle_sec", 0.3),
        ("start_hold_sec", 2.0),
        ("rate_from_sec", 2.0),
    ],
)
def test_half_the_quiet_makes_all_timers_half(name: str, seconds: float) -> None:
    """A stream must not outlive the pauses that its writer was promised."""
    assert getattr(SpeechLimits.for_quiet(1.5), name) == pytest.approx(seconds)


# -- sentences that are too long for one piece ----------------------------------------------------


@pytest.mark.parametrize(("clauses", "pieces"), [(36, 1), (40, 2), (60, 3)])
def test_a_sentence_whose_end_is_known_is_whole_up_to_28_s(clauses: int, pieces: int) -> None:
    """A longer one loses 14.9 s of clauses at a time until no more than that is left."""
    segmenter = Segmenter()
    text = "1a, " * clauses + "1a. "  # 0.745 s a clause
    segmenter.add(text)
    found = segmenter.take()
    assert "".join(piece.text for piece in found) == text
    assert [piece.ends_sentence for piece in found] == [False] * (pieces - 1) + [True]
