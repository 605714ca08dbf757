"""When a scripted caller says its lines: hand-played, with times in the test."""

from __future__ import annotations

from typing import Any

import pytest

from soniox_sync.errors import ConfigurationError, InputTypeError
from soniox_sync.sandbox import HangUp, Key, Line, Quiet
from soniox_sync.sandbox.caller.dialogue import Dialogue, Moment, NeverHeard
from soniox_sync.sandbox.caller.lines import read_steps


class Play:
    """A dialogue, and the call around it at normal speed; `heard` grows as the agent speaks."""

    def __init__(self, *lines: Any, speed: float = 1.0) -> None:
        self._dialogue = Dialogue(read_steps(lines))
        self._speed = speed
        self._sec = 0.0
        self._heard = ""
        self._ended = False

    def quiet(self, sec: float) -> list[tuple[float, Any]]:
        """Let real time pass while the agent says nothing; return what the caller does, and when.

        What it says takes no time.
        """
        return self._pass(sec, speaks=False)

    def agent(self, text: str) -> list[tuple[float, Any]]:
        """Have the agent say something, a word each tenth of a second."""
        found = []
        for word in text.split():
            self._heard = f"{self._heard} {word}".strip()
            found += self._pass(0.1, speaks=True)
        return found

    def _pass(self, sec: float, *, speaks: bool) -> list[tuple[float, Any]]:
        found: list[tuple[float, Any]] = []
        for _ in range(round(sec / 0.1)):
            if self._ended:
                break
            moment = Moment(self._sec * self._speed * 1000, self._sec, speaks, self._heard)
            step = self._dialogue.next(moment)
            if step is not None:
                found.append((round(self._sec, 1), step))
                self._ended = isinstance(step, HangUp)
                if isinstance(step, Line):
                    self._dialogue.line_begins(moment)
            self._sec = round(self._sec + 0.1, 1)
        return found


def test_the_caller_speaks_first_unless_it_is_greeted() -> None:
    """It waits half a second for a greeting, and lets one that has begun be finished."""
    assert Play("Hello.").quiet(0.9) == [(0.5, Line("Hello."))]
    play = Play("Hello.")
    assert play.quiet(0.4) == []
    assert play.agent("What can I do for you today?") == []
    assert play.quiet(0.9) == [(1.6, Line("Hello."))]


def test_a_line_waits_for_the_answer_to_the_line_before() -> None:
    """The answer may begin late, and have short gaps."""
    play = Play("One.", "Two.")
    play.quiet(1.0)
    assert play.quiet(3.0) == []
    assert play.agent("That is an answer") == []
    assert play.quiet(0.5) == []
    assert play.agent("and more of it") == []
    assert play.quiet(1.0) == [(5.8, Line("Two."))]


def test_a_line_that_is_not_answered_is_followed_by_the_next() -> None:
    """After five seconds, and in the end by the end of the call."""
    play = Play("One.", "Two.")
    assert play.quiet(20.0) == [(0.5, Line("One.")), (5.6, Line("Two.")), (10.8, HangUp())]


def test_the_rest_of_an_old_answer_is_no_answer() -> None:
    """What the agent was still saying when the line ended does not answer it."""
    play = Play("One.", Line("Wait!", over=True), "Two.")
    play.quiet(1.0)
    assert play.agent("The answer is") == [(1.0, Line("Wait!", over=True))]
    assert play.agent("very long and not to be cut") == []
    assert play.quiet(2.0) == []
    play.agent("What is it?")
    assert play.quiet(1.0) == [(4.8, Line("Two."))]


def test_a_line_over_the_agent_waits_for_a_new_answer() -> None:
    """What the agent was still saying has been interrupted already."""
    play = Play("One.", Line("Two!", over=True), Line("Three!", over=True))
    play.quiet(1.0)
    assert play.agent("The answer is") == [(1.0, Line("Two!", over=True))]
    assert play.agent("not to be cut") == []
    assert play.quiet(1.0) == []
    assert play.agent("Another one") == [(2.7, Line("Three!", over=True))]


def test_a_line_over_the_agent_begins_when_it_hears_the_words() -> None:
    """Case and punctuation aside; words from before the line do not count."""
    stop = Line("Stop!", after="the moon", over=True)
    play = Play("One.", stop, Line("Go on.", after="the moon"))
    play.quiet(1.0)
    assert play.agent("Well, the sun and The Moon! pull") == [(1.5, stop)]
    assert play.quiet(4.0) == []
    assert play.agent("Sorry: the moon") == []
    assert play.quiet(1.0) == [(6.5, Line("Go on.", after="the moon"))]


def test_a_line_over_the_agent_begins_at_its_last_words_too() -> None:
    """They are known when they were played: the agent may be quiet by then."""
    stop = Line("Stop!", after="the moon", over=True)
    play = Play("One.", stop)
    play.quiet(1.0)
    play.agent("It is")
    play._heard = "It is the moon."
    assert play.quiet(0.1)[0][1] == stop


def test_a_line_at_a_second_begins_then() -> None:
    """Whether the agent speaks or not; the second is one of the caller's time."""
    line = Line("Now.", at_sec=2.0)
    play = Play(line)
    play.quiet(1.9)
    assert play.agent("I am still speaking") == [(2.0, line)]
    assert Play(line, speed=4.0).quiet(1.0) == [(0.5, line)]


def test_a_pause_is_counted_from_the_end_of_the_line() -> None:
    """What follows begins right after it, also over the agent; pauses add up."""
    play = Play("I want", Quiet(1.0), Quiet(0.5), "a table.", Quiet(3.0), HangUp())
    play.quiet(1.0)
    assert play.agent("Yes? What do you want from us?") == []
    assert play.agent("Say it now or never") == [(2.1, Line("a table."))]
    assert play.quiet(4.0) == [(5.2, HangUp())]


def test_a_key_is_pressed_when_a_line_would_be_said() -> None:
    """Behind the agent's question, and then the next key waits for its answer."""
    play = Play(Key("5"), Quiet(0.2), Key("#"))
    assert play.quiet(0.2) == []
    play.agent("Press five")
    assert play.quiet(2.0) == [(0.9, Key("5")), (1.2, Key("#"))]


def test_quiet_is_measured_in_real_time_as_well() -> None:
    """A fast caller does not take the gap between two sentences of the service for the end."""
    play = Play("One.", "Two.", speed=20.0)
    play.quiet(1.0)
    play.agent("An answer")
    assert play.quiet(0.3) == []
    play.agent("goes on")
    assert play.quiet(1.0) == [(2.1, Line("Two."))]


@pytest.mark.parametrize(
    ("line", "message"),
    [
        (Line("Stop!", after="the moon"), "for the words 'the moon' to say 'Stop!'"),
        (Line("Stop!", over=True), "for the agent's voice to say 'Stop!'"),
    ],
)
def test_words_that_never_come_end_the_call(line: Line, message: str) -> None:
    """With an error that says what was heard instead: a test must not wait for ever."""
    play = Play(line)
    play.quiet(1.0)
    if line.after:
        play.agent("the sun")
    with pytest.raises(NeverHeard, match=message):
        play.quiet(32.0)


def test_an_empty_script_listens_and_hangs_up() -> None:
    """The end waits for a greeting as for any answer."""
    play = Play()
    assert play.quiet(4.0) == []
    play.agent("Hello?")
    assert play.quiet(1.0) == [(4.6, HangUp())]


@pytest.mark.parametrize("lines", ["Hello.", b"Hello.", None, 5])
def test_a_script_is_a_list(lines: Any) -> None:
    """A single text is a mistake: its letters would be the lines."""
    with pytest.raises(InputTypeError, match="lines: expected a list of lines"):
        read_steps(lines)


def test_wrong_lines_are_refused() -> None:
    """The message names the line, or its field."""
    with pytest.raises(InputTypeError, match=r"lines\[1\]: expected a str, Line, Key"):
        read_steps(["Hello.", 5])  # type: ignore[list-item]
    with pytest.raises(ConfigurationError, match=r"lines\[1\]: expected nothing after HangUp"):
        read_steps([HangUp(), "Hello."])
    for make, name in (
        (lambda: Line(""), "text"),
        (lambda: Line("a", at_sec=-1), "at_sec"),
        (lambda: Line("a", after="!"), "after"),
        (lambda: Line("a", over=1), "over"),  # type: ignore[arg-type]
        (lambda: Key("x"), "digit"),
        (lambda: Quiet(-1), "sec"),
    ):
        with pytest.raises(ConfigurationError, match=f"^{name}: expected"):
            make()
