"""When a scripted caller says its next line. No thread, no I/O, no clock of its own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Optional

from .lines import HangUp, Line, Quiet, Step, words_of

__all__ = ["Dialogue", "Moment", "NeverHeard"]

# Limits in real seconds do not depend on the speed of the caller: a service is as slow as ever.
# A caller who speaks first gives a greeting the time to begin
_GREETING_SEC = 0.5
# for an answer: a turn may have none
_ANSWER_SEC = 5.0
# the agent is quiet once it has been for so long, both in the caller's time and in real time: its
# sentences and its tokens come with gaps
_QUIET_MS = 600.0
_QUIET_SEC = 0.4
# who waits for words that do not come hangs up, so that the test that waits for it ends
_NEVER_SEC = 30.0


@dataclass(frozen=True)
class Moment:
    """What a caller knows now: its time and real time, if it hears the agent, what it has heard."""

    ms: float
    real_sec: float
    agent_speaks: bool
    heard: str


class NeverHeard(Exception):
    """Words that a line waits for, or the agent's voice, have not come."""


class Dialogue:
    """Decides what comes next, while the caller says nothing itself. Not thread-safe.

    With the lines `["Hello.", Line("Stop!", over=True), "Bye."]`:

        the caller        the agent                      next()
        is connected      says nothing for half a second Hello.
        "Hello."          answers                        Stop!, at once
        "Stop!"           is cut off, answers again      nothing
                          has been quiet for 0.6 s       Bye.
        "Bye."            says nothing for 5 s           hangs up
    """

    def __init__(self, steps: Sequence[Step]) -> None:
        self._steps = list(steps)
        self._is_first = True
        self._ended: Optional[Moment] = None  # when the line before ended
        self._pause_ms: Optional[float] = None  # its length, if the script has one here
        self._heard_before = 0  # words that were heard when it began
        self._was_silent = False  # the agent was, since then
        self._answered = False  # the agent has begun to speak since then
        self._last_voice: Optional[Moment] = None

    def line_begins(self, moment: Moment) -> None:
        """Note that the caller begins to speak."""
        self._heard_before = len(words_of(moment.heard))

    def next(self, moment: Moment) -> Optional[Step]:
        """Return what to do now, `None` for nothing. A line is over at the next call.

        Raises
            NeverHeard: what the script waits for has not come in 30 s.
        """
        if self._ended is None:
            self._ended = moment
        self._listen(moment)
        self._take_pauses()
        step = self._steps[0]
        if not self._is_due(step, moment, self._ended):
            self._give_up(step, moment, self._ended)
            return None
        self._steps.pop(0)
        self._ended, self._pause_ms = None, None
        self._is_first = self._was_silent = self._answered = False
        self._last_voice = None
        return step

    def _listen(self, moment: Moment) -> None:
        if moment.agent_speaks:
            # what it was still saying is no answer
            self._answered = self._answered or self._was_silent or self._is_first
            self._last_voice = moment
        else:
            self._was_silent = True

    def _take_pauses(self) -> None:
        while isinstance(self._steps[0], Quiet):
            pause = self._steps.pop(0)
            assert isinstance(pause, Quiet)
            self._pause_ms = (self._pause_ms or 0.0) + pause.sec * 1000

    def _is_due(self, step: Step, moment: Moment, ended: Moment) -> bool:
        if self._pause_ms is not None and moment.ms - ended.ms < self._pause_ms:
            return False
        if isinstance(step, Line):
            if step.after is not None and not self._has_heard(step.after, moment):
                return False
            if step.at_sec is not None:
                return moment.ms >= step.at_sec * 1000
            if step.over:
                return step.after is not None or (moment.agent_speaks and self._answered)
            if step.after is not None:
                return self._is_quiet(moment)
        if self._pause_ms is not None:
            return True
        return self._has_answer(step, moment, ended) and self._is_quiet(moment)

    def _has_heard(self, after: str, moment: Moment) -> bool:
        wanted, heard = words_of(after), words_of(moment.heard)[self._heard_before :]
        ends = range(len(wanted), len(heard) + 1)
        return any(heard[end - len(wanted) : end] == wanted for end in ends)

    def _has_answer(self, step: Step, moment: Moment, ended: Moment) -> bool:
        opens = self._is_first and not isinstance(step, HangUp)
        patience = _GREETING_SEC if opens else _ANSWER_SEC
        return self._answered or moment.real_sec - ended.real_sec >= patience

    def _is_quiet(self, moment: Moment) -> bool:
        if moment.agent_speaks:
            return False
        last = self._last_voice
        if last is None:
            return True
        return moment.ms - last.ms >= _QUIET_MS and moment.real_sec - last.real_sec >= _QUIET_SEC

    def _give_up(self, step: Step, moment: Moment, ended: Moment) -> None:
        if not isinstance(step, Line) or step.at_sec is not None or self._pause_ms is not None:
            return
        latest = max(ended.real_sec, self._last_voice.real_sec if self._last_voice else 0.0)
        if moment.real_sec - latest < _NEVER_SEC:
            return
        waits = f"the words {step.after!r}" if step.after is not None else "the agent's voice"
        raise NeverHeard(
            f"the caller has waited {_NEVER_SEC:g} s for {waits} to say {step.text!r}; it heard "
            f"{moment.heard!r}"
        )
