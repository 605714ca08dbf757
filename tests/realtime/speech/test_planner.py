"""The planner keeps every stream below the limits of the service (PROTOCOL 3.4, 3.5)."""

from __future__ import annotations

import random

import pytest

from soniox_sync import ConfigurationError
from soniox_sync.realtime.speech.planner import Planner, SpeechLimits
from tests.realtime.speech.virtual import (
    Arrival,
    VirtualService,
    mixed_text,
    perform,
    stalling_writer,
)


def sends(planner: Planner, now: float) -> list[tuple[int, str, bool]]:
    """Return what the planner sends now: number of the part, text, whether it is the end."""
    return [(send.part.number, send.text, send.end) for send in planner.decide(now)]


def test_the_worked_example() -> None:
    """The worked example in the planner's docstring is correct."""
    planner = Planner(SpeechLimits())
    planner.add("Hello there. How ", 0.0)
    (first,) = planner.decide(0.0)
    assert (first.part.number, first.text, first.end) == (0, "Hello there. ", False)
    progress = first.part.progress
    progress.has_audio, progress.audio_sec, progress.last_audio_at = True, 0.8, 0.4
    assert planner.decide(0.4) == []
    planner.add("are you? I", 1.0)
    assert sends(planner, 1.0) == [(0, "How are you? ", False)]
    assert planner.wake_at() == 4.0
    assert sends(planner, 4.0) == [(0, "", True)]
    planner.add(" am fine. ", 6.0)
    (last,) = planner.decide(6.0)
    assert (last.part.number, last.text, last.end) == (1, "I am fine. ", False)
    planner.finish()
    assert sends(planner, 6.1) == [(1, "", True)]
    planner.part_over(first.part)
    planner.part_over(last.part)
    assert planner.is_done


def test_the_timer_of_a_sentence_is_when_it_is_sent() -> None:
    """What looks complete is a sentence at `settle_sec`, not only after it."""
    planner = Planner(SpeechLimits(settle_sec=0.25))
    planner.add("I am fine.", 0.0)
    assert planner.wake_at() == 0.25
    assert sends(planner, 0.25) == [(0, "I am fine.", False)]


@pytest.mark.parametrize("index", range(12))
def test_no_stream_of_a_stalling_writer_is_killed(index: int) -> None:
    """Texts of writers that stall for up to 30 s are spoken exactly, and no stream is killed."""
    seed = random.SystemRandom().randrange(2**32)
    print("seed", seed)
    rng = random.Random(seed)
    text = mixed_text(rng, 4000)
    arrivals = stalling_writer(rng, text, rng.choice((0.0, 0.01, 0.05, 0.2)))
    service = VirtualService(pace=rng.choice((1.3, 3.0, 20.0)), char_sec=rng.uniform(0.05, 0.075))
    got = perform(Planner(SpeechLimits()), arrivals, service, listens_sec=rng.choice((0.0, 1.0)))
    assert got.deaths == []
    assert "".join(got.parts) == text


def test_a_known_text_needs_few_streams() -> None:
    """A long text known at once is split into parts of more than half a minute each."""
    text = "This is a sentence of about sixty characters, more or less. " * 200
    service = VirtualService(pace=20.0, char_sec=0.065)
    got = perform(Planner(SpeechLimits()), [Arrival(0.0, text)], service)
    assert got.deaths == []
    assert "".join(got.parts) == text
    assert got.requests <= 16
    assert all(part.endswith(". ") for part in got.parts)


def test_the_first_sentence_is_sent_when_it_is_complete() -> None:
    """A sentence is sent as soon as the space after it arrives."""
    planner = Planner(SpeechLimits())
    planner.add("Hello there.", 1.0)
    assert sends(planner, 1.0) == []
    planner.add(" How", 1.05)
    assert sends(planner, 1.05) == [(0, "Hello there. ", False)]


def test_a_sentence_at_the_end_of_the_text_so_far_waits_a_fifth_of_a_second() -> None:
    """With nothing after it a sentence is complete after 0.2 s, after a number after 0.6 s."""
    planner = Planner(SpeechLimits())
    planner.add("Hello there.", 1.0)
    assert planner.wake_at() == pytest.approx(1.2)
    assert sends(planner, 1.2) == [(0, "Hello there.", False)]
    planner.add(" It costs 3.", 1.3)
    assert planner.wake_at() == pytest.approx(1.9)
    planner.add("14 euros.", 1.8)
    assert sends(planner, 1.8) == []
    assert sends(planner, 2.0) == [(0, " It costs 3.14 euros.", False)]


def test_the_text_of_a_stream_ends_when_the_writer_is_quiet() -> None:
    """After `max_quiet_sec` without text the stream's text ends, with an empty last message."""
    planner = Planner(SpeechLimits())
    planner.add("Hello there. ", 0.0)
    assert sends(planner, 0.0) == [(0, "Hello there. ", False)]
    assert planner.wake_at() == pytest.approx(3.0)
    assert sends(planner, 2.9) == []
    assert sends(planner, 3.0) == [(0, "", True)]
    planner.add("More now. ", 3.5)
    assert sends(planner, 3.5) == [(1, "More now. ", False)]


def test_words_without_an_end_are_not_held_forever() -> None:
    """Words wait `max_quiet_sec`; the last one, which may be incomplete, twice that."""
    planner = Planner(SpeechLimits())
    planner.add("so what do you", 0.0)
    assert planner.wake_at() == pytest.approx(3.0)
    assert sends(planner, 3.0) == [(0, "so what do ", False)]
    assert sends(planner, 6.0) == [(0, "you", False)]


def test_words_keep_a_stream_open_while_the_writer_writes() -> None:
    """A stream is not ended in the middle of a long sentence while text still arrives."""
    planner = Planner(SpeechLimits())
    planner.add("Hello there. ", 0.0)
    assert len(sends(planner, 0.0)) == 1
    for tenth in range(5, 24, 5):
        planner.add("word ", tenth / 10)
    planner.add("and", 2.3)
    assert sends(planner, 2.41) == [(0, "word word word word ", False)]


def test_text_without_words_opens_no_stream() -> None:
    """Space and punctuation alone open no stream, and are not lost from the text."""
    planner = Planner(SpeechLimits())
    planner.add(" \n... -- ", 0.0)
    planner.add("Yes. ", 0.1)
    planner.finish()
    sent = sends(planner, 0.1)
    assert [(number, end) for number, _, end in sent] == [(0, True)]
    assert "Yes." in sent[0][1]
    planner = Planner(SpeechLimits())
    planner.add("... \n -- ", 0.0)
    planner.finish()
    assert sends(planner, 0.0) == []
    assert planner.is_done


def test_a_stream_without_audio_is_ended_in_time() -> None:
    """The text of a stream without audio ends before the service kills it, even if more arrives."""
    planner = Planner(SpeechLimits())
    ended_at = None
    for second in range(12):
        planner.add("one more. ", float(second))
        if any(end for _, _, end in sends(planner, second + 0.5)):
            ended_at = second
            break
    assert ended_at is not None
    assert ended_at < 9


def test_no_third_stream_opens_before_the_first_was_played() -> None:
    """At most two streams are open: the one being played and the next."""
    planner = Planner(SpeechLimits())
    planner.add("This is a sentence of about sixty characters, more or less. " * 100, 0.0)
    first = planner.decide(0.0)
    assert [send.part.number for send in first] == [0, 1]
    planner.part_over(first[0].part)
    assert planner.decide(1.0) == []
    planner.part_played()
    assert [send.part.number for send in planner.decide(2.0)] == [2]


def test_a_restarted_part_continues_where_it_stopped() -> None:
    """A second attempt sends the rest of the part's text, and its end."""
    planner = Planner(SpeechLimits())
    planner.add("One. Two. Three.", 0.0)
    planner.finish()
    (send,) = planner.decide(0.0)
    assert (send.text, send.end) == ("One. Two. Three.", True)
    assert planner.restart(send.part, 5, not_before=1.0)
    assert planner.decide(0.5) == []
    assert planner.wake_at() == 1.0
    assert sends(planner, 1.0) == [(0, "Two. Three.", True)]
    assert not planner.restart(send.part, 15, not_before=1.0)
    assert planner.is_done


def test_a_format_that_cannot_be_joined_waits_for_the_whole_text() -> None:
    """FLAC is spoken once all text is known, and refused if the text is too long for one stream."""
    planner = Planner(SpeechLimits(), joinable=False)
    planner.add("One. Two. ", 0.0)
    assert sends(planner, 10.0) == []
    planner.finish()
    assert sends(planner, 10.0) == [(0, "One. Two. ", True)]
    planner = Planner(SpeechLimits(), joinable=False)
    planner.add("One sentence of many. " * 300, 0.0)
    planner.finish()
    with pytest.raises(ConfigurationError, match="choose wav"):
        planner.decide(0.0)


def test_smaller_quiet_makes_all_timers_smaller() -> None:
    """A tenth of `max_quiet_sec` makes every timer a tenth; amounts of text stay the same."""
    small, usual = SpeechLimits.for_quiet(0.3), SpeechLimits()
    assert small.start_hold_sec == pytest.approx(usual.start_hold_sec / 10)
    assert small.settle_sec == pytest.approx(usual.settle_sec / 10)
    assert small.part_bytes == usual.part_bytes
    assert SpeechLimits.for_quiet(5.0).start_hold_sec == usual.start_hold_sec
