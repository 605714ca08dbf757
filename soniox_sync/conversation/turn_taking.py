"""Whose turn it is: a fold of what happens and when, without I/O, clock or thread.

Every input has its moment (`At`), every output is an `Action`; a test plays both by hand. Times of
words are of the source's audio, and so is the time at which the agent was first heard::

    words " Time?" partial, final            -
    endpoint                                 CallReply("Time?")             thinking
    reply_text "It is noon. "                Speak, AddText                 thinking
    written 0..900 ms, then played 10 ms     -                              speaking
    words " wait" partial, begun later       Clear; cleared: heard "It"     listening
    words none (it was taken back), 2 s on   Speak " is noon. "             speaking
    words " wait" final, begun later         Clear, CancelReply, Deliver    listening
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Optional

from ..protocol.tokens import Token
from .actions import Action, AddText, At, EndText, Finalize, StopListening
from .agent import Passage, Utterance, Voice, sentence_cut
from .floor import FINALIZE_SEC, HANG_UP_SEC, Floor, is_farewell
from .interruption import Kind
from .turns import Dtmf, messages_of

# How often the sink is asked what it has played, while the first audio is expected: a tenth of
# what is noticed as a delay. Later on in steps of a quarter of what is left.
_POLL_SEC = 0.01
_SLOWEST_POLL_SEC = 0.1


class TurnTaking(Floor):
    """Decisions of a conversation. Not thread-safe: one thread, or a lock."""

    def messages(self) -> list[dict[str, str]]:
        """Return what was said and heard, and last what is being answered."""
        speech = self._speech
        asked = speech.turn.text if speech is not None and speech.turn is not None else ""
        return messages_of(self.turns, asked)

    def take(self) -> list[Action]:
        """Return the actions that were decided on since the last call."""
        actions, self._actions = self._actions, []
        return actions

    @property
    def wake_at(self) -> Optional[float]:
        """When `tick()` is to be called at the latest, as far as only time decides."""
        return None if self.is_over else min(self._dues(), default=None)

    def _dues(self) -> list[float]:
        found = []
        user, hold = self._user, self._hold
        if self._hung_up_at is not None:
            found.append(self._hung_up_at + HANG_UP_SEC)
        if self._may_answer and user.closed_at is not None and not user.is_speaking:
            found.append(self._answer_due(user.closed_at))
        if hold is not None and hold.resumes_at is not None:
            found.append(hold.resumes_at)
        if self._ends_by is not None:
            found.append(self._ends_by)
        if self._cut_off_at is not None:
            found.append(self._cut_off_at)
        elif self._longest_turn_end is not None:
            found.append(self._longest_turn_end)
        if self._waits_for_user:
            found.append(self._user_quiet.due)
        if self._waits_for_agent:
            found.append(self._agent_quiet.due)
        return found

    def poll_sec(self, played_ms: float) -> Optional[float]:
        """Seconds after which the sink should be asked again; `None`: nothing depends on it."""
        speech = self._speech
        if speech is None or self._hold is not None:
            return None
        for each in speech.passages:
            if each.start_ms is None or each.is_over:
                continue
            if not each.has_sounded:
                return _POLL_SEC
            left_sec = (each.end_ms - played_ms) / 1000
            if not speech.is_in_gap or left_sec > 0:
                return min(_SLOWEST_POLL_SEC, max(_POLL_SEC, left_sec / 4))
        return None

    # -- the user ----------------------------------------------------------------------------------

    def words(self, at: At, tokens: Sequence[Token]) -> None:
        """Take the tokens of a result: final ones, then those that may still change."""
        if self._ending is not None:
            return
        if self._user.hear(tokens, at.now):
            if self._user.is_speaking:
                self._user_quiet.heard(at.now)
            text = self._user.text
            if text and text != self._shown:
                self._notify("user_partial", text)
            self._shown = text
        if self._ends_by is not None and any(token.is_final for token in tokens):
            self.finalized(at)  # what came of it; nothing else would say so
        self._settle(at)

    def endpoint(self, at: At) -> None:
        """The user paused: a turn ends, unless that is left to `end_turn()`."""
        if not self._drop_backchannels():
            self._end_user_turn(at, is_manual=self._is_manual)
        self._settle(at)

    def finalized(self, at: At) -> None:
        """All that was said is final, on request."""
        was_asked, self._ends_asked = self._ends_asked > 0, 0
        self._ends_by = None
        if self._cut_off_at is not None:
            self._cut_off(at)
        elif was_asked:
            self._end_user_turn(at, urgent=True)
            if self._is_manual:
                self._take_pending(at)
        elif not self._drop_backchannels():
            self._end_user_turn(at, is_manual=self._is_manual)
        self._settle(at)

    def _drop_backchannels(self) -> bool:
        """Forget the segment if it only showed that the user listens; return whether it did."""
        words = self._user.words
        if not self._interruptions.only_listened(words, self._hold is not None):
            return False
        was_closed = not self._is_manual
        self._user.drop_segment()
        if was_closed and self._user.has_words:
            self._user.close(self._user.began_at or 0.0)
        return True

    def _end_user_turn(self, at: At, *, urgent: bool = False, is_manual: bool = False) -> None:
        if is_manual:
            self._user.end_segment()
        else:
            self._user.close(at.now, urgent=urgent)

    def end_turn(self, at: At) -> None:
        """End the turn as soon as its last words are final."""
        self._ends_asked += 1
        if not self.answers_finalize:
            self._ends_by = at.now + FINALIZE_SEC
        self._do(Finalize())
        self._settle(at)

    def user_said(self, at: At, text: str) -> None:
        """Take a turn that was typed or keyed."""
        if not text.strip():
            return
        self._user.type(text, int(at.source_ms))
        self._user_quiet.heard(at.now)
        self._user.close(at.now, urgent=True)
        if self._is_manual:
            self._take_pending(at)
        speech = self._speech
        if speech is not None and self._hung_up_at is None:
            kind = self._interruptions.why_typed(speech, self.barge_in)
            if kind is not None and self._hold is not None:
                self._hold.is_final = True
            elif kind is not None:
                self._stop_speech(at, kind, is_final=True)
        self._settle(at)

    def pause(self, at: At, on: bool) -> None:
        """Note that listening stops, or goes on."""
        self._paused = on
        self._user_quiet.heard(at.now)
        self._settle(at)

    def dtmf(self, at: At, digit: str) -> None:
        """Report a key of the telephone."""
        if self._ending is None:
            self._notify("dtmf", Dtmf(digit))
            self._settle(at)

    # -- the agent ---------------------------------------------------------------------------------

    def reply_text(self, at: At, job: int, text: str) -> None:
        """Take text of `reply`; that of a job that is no longer wanted is dropped."""
        speech = self._speech
        if speech is None or speech.job != job or speech.is_done or not text:
            return
        if speech.given_ms is None and text.strip():
            speech.given_ms = at.source_ms
        self._agent_quiet.spoke(at.now)
        last = speech.passages[-1] if speech.passages else None
        if last is not None and last.is_open and last.voice != self.voice:
            cut = sentence_cut(last.text, text)
            self._add(speech, text[:cut], last.voice)
            text = text[cut:]
        self._add(speech, text, self.voice)
        self._settle(at)

    def _add(self, speech: Utterance, text: str, voice: Voice) -> None:
        if text:
            passage, text = speech.add(text, voice)
            self._end_text(speech, keep=passage)
            self._do(AddText(passage, text, speech.job))

    def _end_text(self, speech: Utterance, keep: Optional[Passage] = None) -> None:
        for each in speech.close(keep):
            self._do(EndText(each))

    def reply_done(self, at: At, job: int, error: Optional[BaseException] = None) -> None:
        """The call of `reply` is over, and what it returned is closed."""
        if self._running == job:
            self._running = None
        speech = self._speech
        if speech is not None and speech.job == job and self._ending is None:
            if error is not None:  # and never done: what it would have said is missing
                self._end(at, "error", error)
            else:
                speech.is_done = True
            self._end_text(speech)
        self._settle(at)

    def say(
        self,
        at: At,
        text: str,
        *,
        barge_in: Optional[bool] = None,
        remember: bool = True,
        job: Optional[int] = None,
        is_farewell: bool = False,
    ) -> None:
        """Say a text after what was asked for before. `job`: of the `reply` that calls this."""
        speech = self._speech
        is_unwanted = job is not None and (speech is None or speech.job != job)
        if self._ending is not None or self._hung_up_at is not None or is_unwanted:
            return
        if not text.strip():
            return
        passage = Passage(self.voice, barge_in, remember, is_farewell)
        if speech is None or not speech.is_answer or speech.is_done:
            speech = Utterance(is_done=True)
            self._queue.append(speech)
        text = speech.say(passage, text)
        self._end_text(speech, keep=passage)
        self._do(AddText(passage, text))
        self._do(EndText(passage))
        self._settle(at)

    def voice_changed(self, voice: Voice) -> None:
        """Use another voice from the next sentence on."""
        self.voice = voice

    def written(self, at: At, passage: Passage, start_ms: float, end_ms: float) -> None:
        """Audio of a passage is in the sink, from `start_ms` to `end_ms`."""
        if not passage.is_voiced:
            if passage.start_ms is None:
                passage.start_ms = start_ms
            passage.end_ms = end_ms
        self._settle(at)

    def voiced(self, at: At, passage: Passage) -> None:
        """All audio of a passage was written."""
        passage.is_voiced = True
        self._settle(at)

    def failed(self, at: At, error: BaseException) -> None:
        """End with an error of the service, or of the sink."""
        self._end(at, "error", error)
        self._settle(at)

    def interrupt(self, at: At) -> None:
        """Cut what is said now, and what waits to be said."""
        kept = [each for each in self._queue if is_farewell(each)]
        for each in self._queue:
            if each not in kept:
                self._record(at, each, interrupted=True)
        self._queue = kept
        speech = self._speech
        if speech is not None and not is_farewell(speech):
            if self._hold is None:
                self._stop_speech(at, Kind.CUT, is_final=True)
            if self._hold is not None:
                self._hold.kind = Kind.CUT
                self._hold.is_final = self._hold.cuts_all = True
        self._settle(at)

    def cleared(self, at: At, heard: Mapping[Passage, int]) -> None:
        """The sink is silent; `heard`: characters of each passage that it had played."""
        speech = self._speech
        if speech is not None:
            for passage, count in heard.items():
                rest = speech.split(passage, count)
                if rest is not None:
                    self._do(AddText(rest, rest.text, speech.job))
                    if not rest.is_open:
                        self._do(EndText(rest))
        if self._hold is not None:
            self._hold.is_clearing = False
            if self._hold.kind is Kind.DEFERRED and speech is not None:
                self._queue.insert(0, speech)
                self._speech = self._hold = None
        if self._ending is not None:
            self._conclude(at)
        self._settle(at)

    # -- the end -----------------------------------------------------------------------------------

    def stop(self, at: At, farewell: str, job: Optional[int] = None) -> None:
        """End once all that was asked for was heard, the farewell last."""
        self._is_stopping = True
        speech = self._speech
        self.say(at, farewell, barge_in=False, is_farewell=True)
        if speech is not None and job is not None and speech.job == job:
            speech.is_done = True  # it waits here until its text was heard
            self._end_text(speech)
        self._settle(at)

    def hang_up(self, at: At) -> None:
        """The user is gone: what was said last is taken, and not answered."""
        if self._hung_up_at is not None or self._ending is not None:
            return
        self._hung_up_at = at.now
        waiting, self._queue = self._queue, []
        if self._speech is not None:
            if self._hold is None:
                self._stop_speech(at, Kind.CUT, is_final=True)
            self._hold_for_hang_up()
        for each in waiting:
            self._record(at, each, interrupted=True)
        self._do(StopListening(at_once=False))
        self._settle(at)

    def _hold_for_hang_up(self) -> None:
        speech, hold = self._speech, self._hold
        if speech is not None and hold is not None:
            unheard = speech.is_answer and speech.sounded_ms is None
            hold.kind = Kind.WITHDRAWN if unheard else Kind.CUT
            hold.is_final = hold.cuts_all = True

    def listened(self, at: At, error: Optional[BaseException] = None) -> None:
        """The recording is over, and all its results have come."""
        if self._ending is None:
            if error is not None and self._hung_up_at is None:
                self._end(at, "error", error)
            else:
                if error is not None:
                    self._notify("error", error)
                self.hang_up(at)
                self._end(at, "user")
        self._settle(at)

    def cancel(self, at: At, by: str = "cancel", error: Optional[BaseException] = None) -> None:
        """End at once."""
        self._end(at, by, error)
        self._settle(at)

    def tick(self, at: At) -> None:
        """Decide what only time, or what was played, decides."""
        if self._ends_by is not None and at.now >= self._ends_by:
            self.finalized(at)
        self._settle(at)
