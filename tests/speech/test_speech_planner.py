"""The planner keeps every stream below the service's limits; see PROTOCOL 3.4 and 3.5."""

from __future__ import annotations

import random

import pytest
from virtual import Arrival, VirtualService, mixed_text, perform, stalling_writer

from soniox_sync import ConfigurationError
from soniox_sync.speech.planner import Planner, SpeechLimits


def say_all(planner: Planner, now: float) -> list[tuple[int, str, bool]]:
    """Give what the planner wants said now."""
    return [(say.part.number, say.text, say.end) for say in planner.decide(now)]


@pytest.mark.parametrize("index", range(12))
def test_no_stalling_writer_gets_a_stream_killed(index: int) -> None:
    """Any writer, stalling at random for up to 30 s, is spoken exactly, with no stream killed."""
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
    """A long text known at once is cut into parts of more than half a minute each."""
    text = "This is a sentence of about sixty characters, more or less. " * 200
    service = VirtualService(pace=20.0, char_sec=0.065)
    got = perform(Planner(SpeechLimits()), [Arrival(0.0, text)], service)
    assert got.deaths == []
    assert "".join(got.parts) == text
    assert got.requests <= 16
    assert all(part.endswith(". ") for part in got.parts)


def test_the_first_sentence_goes_out_when_it_is_complete() -> None:
    """A sentence is sent in the moment in which the space behind it arrives."""
    planner = Planner(SpeechLimits())
    planner.add("Hello there.", 1.0)
    assert say_all(planner, 1.0) == []
    planner.add(" How", 1.05)
    assert say_all(planner, 1.05) == [(0, "Hello there. ", False)]


def test_a_sentence_that_ends_the_text_at_hand_waits_a_fifth_of_a_second() -> None:
    """Without anything behind it a sentence is complete after 0.2 s, one with a number 0.6 s."""
    planner = Planner(SpeechLimits())
    planner.add("Hello there.", 1.0)
    assert planner.wake_at() == pytest.approx(1.2)
    assert say_all(planner, 1.2) == [(0, "Hello there.", False)]
    planner.add(" It costs 3.", 1.3)
    assert planner.wake_at() == pytest.approx(1.9)
    planner.add("14 euros.", 1.8)
    assert say_all(planner, 1.8) == []
    assert say_all(planner, 2.0) == [(0, " It costs 3.14 euros.", False)]


def test_the_text_of_a_stream_ends_when_the_writer_is_quiet() -> None:
    """After `max_quiet_sec` without text the stream's text ends, with an empty last message."""
    planner = Planner(SpeechLimits())
    planner.add("Hello there. ", 0.0)
    assert say_all(planner, 0.0) == [(0, "Hello there. ", False)]
    assert planner.wake_at() == pytest.approx(3.0)
    assert say_all(planner, 2.9) == []
    assert say_all(planner, 3.0) == [(0, "", True)]
    planner.add("More now. ", 3.5)
    assert say_all(planner, 3.5) == [(1, "More now. ", False)]


def test_words_without_an_end_are_not_held_for_ever() -> None:
    """Words wait `max_quiet_sec`; the last one, which may go on, twice that."""
    planner = Planner(SpeechLimits())
    planner.add("so what do you", 0.0)
    assert planner.wake_at() == pytest.approx(3.0)
    assert say_all(planner, 3.0) == [(0, "so what do ", False)]
    assert say_all(planner, 6.0) == [(0, "you", False)]


def test_words_keep_a_stream_open_while_the_writer_writes() -> None:
    """A writer busy with a long sentence does not get the stream ended in the middle of it."""
    planner = Planner(SpeechLimits())
    planner.add("Hello there. ", 0.0)
    assert len(say_all(planner, 0.0)) == 1
    for tenth in range(5, 24, 5):
        planner.add("word ", tenth / 10)
    planner.add("and", 2.3)
    assert say_all(planner, 2.41) == [(0, "word word word word ", False)]


def test_nothing_empty_is_sent_and_silence_opens_no_stream() -> None:
    """Space and punctuation alone open no stream, and are not lost from the text."""
    planner = Planner(SpeechLimits())
    planner.add(" \n... -- ", 0.0)
    planner.add("Yes. ", 0.1)
    planner.end()
    said = say_all(planner, 0.1)
    assert [(number, end) for number, _, end in said] == [(0, True)]
    assert "Yes." in said[0][1]
    planner = Planner(SpeechLimits())
    planner.add("... \n -- ", 0.0)
    planner.end()
    assert say_all(planner, 0.0) == []
    assert planner.is_done


def test_a_stream_that_does_not_sound_is_ended_in_time() -> None:
    """A stream without audio gets its end before the service gives it up, busy writer or not."""
    planner = Planner(SpeechLimits())
    ended_at = None
    for second in range(12):
        planner.add("one more. ", float(second))
        if any(end for _, _, end in say_all(planner, second + 0.5)):
            ended_at = second
            break
    assert ended_at is not None
    assert ended_at < 9


def test_no_third_stream_opens_before_the_first_is_played_out() -> None:
    """At most two streams live at once: the one that sounds and the next."""
    planner = Planner(SpeechLimits())
    planner.add("This is a sentence of about sixty characters, more or less. " * 100, 0.0)
    first = planner.decide(0.0)
    assert [say.part.number for say in first] == [0, 1]
    planner.over(first[0].part)
    assert planner.decide(1.0) == []
    planner.consumed()
    assert [say.part.number for say in planner.decide(2.0)] == [2]


def test_a_restarted_part_is_sent_again_from_where_it_stopped() -> None:
    """A second attempt says the rest of the part's text, and its end."""
    planner = Planner(SpeechLimits())
    planner.add("One. Two. Three.", 0.0)
    planner.end()
    (say,) = planner.decide(0.0)
    assert (say.text, say.end) == ("One. Two. Three.", True)
    assert planner.restart(say.part, 5, not_before=1.0)
    assert planner.decide(0.5) == []
    assert planner.wake_at() == 1.0
    assert say_all(planner, 1.0) == [(0, "Two. Three.", True)]
    assert not planner.restart(say.part, 15, not_before=1.0)
    assert planner.is_done


def test_a_format_that_cannot_be_joined_waits_for_the_whole_text() -> None:
    """FLAC is spoken once all text is known, and refused when one stream cannot hold it."""
    planner = Planner(SpeechLimits(), joinable=False)
    planner.add("One. Two. ", 0.0)
    assert say_all(planner, 10.0) == []
    planner.end()
    assert say_all(planner, 10.0) == [(0, "One. Two. ", True)]
    planner = Planner(SpeechLimits(), joinable=False)
    planner.add("One sentence of many. " * 300, 0.0)
    planner.end()
    with pytest.raises(ConfigurationError, match="choose wav"):
        planner.decide(0.0)


def test_smaller_quiet_makes_all_timers_smaller() -> None:
    """`max_quiet_sec` of a tenth makes every timer a tenth, and amounts of text stay."""
    small, usual = SpeechLimits.for_quiet(0.3), SpeechLimits()
    assert small.start_hold_sec == pytest.approx(usual.start_hold_sec / 10)
    assert small.settle_sec == pytest.approx(usual.settle_sec / 10)
    assert small.part_bytes == usual.part_bytes
    assert SpeechLimits.for_quiet(5.0).start_hold_sec == usual.start_hold_sec
