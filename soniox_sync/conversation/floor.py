"""Who has the floor: what stops the agent, what comes next, and when. No I/O.

`Floor` decides after each input of `TurnTaking`, which is the whole of it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Optional

from ..config.conversation import ConversationOptions
from ..protocol.states import StateChange, step
from .actions import (
    Action,
    At,
    CallReply,
    CancelReply,
    Clear,
    Deliver,
    Finalize,
    HoldReply,
    Notify,
    Quit,
    Speak,
    StopListening,
)
from .agent import Passage, Utterance, Voice
from .interruption import Hold, Interruptions, Kind
from .records import answered, unanswered
from .silence import Quiet
from .states import CONVERSATION, REASONS, ConversationState, Step
from .turns import Turn
from .user import UserSide, UserTurn
from .words import Backchannels

# After a turn that is too long its last words are made final; the service answers a request for
# that within half a second, and after this the words that are final have to do.
FINALIZE_SEC = 2.0
# As long as a session takes to finish at most (`finish_timeout_sec`): after a hang-up nobody waits
# for a service that does not answer.
HANG_UP_SEC = 10.0
# How long nothing sounds before the agent counts as thinking again: a voice whose next words come
# sooner has not paused.
_GAP_SEC = 0.5
# a sink that counts whole milliseconds stays behind by up to one
_ROUNDING_MS = 1.0


@dataclass(frozen=True)
class Ending:
    """Why the conversation ends."""

    by: str
    error: Optional[BaseException] = None


class Floor:
    """State of a conversation, and what follows from it. Base of `TurnTaking`."""

    def __init__(
        self, options: ConversationOptions, backchannels: Sequence[str], voice: Voice, at: At
    ) -> None:
        self._options = options
        self.barge_in: bool = options.barge_in
        self.patience_sec: float = options.patience_sec
        self.voice: Voice = voice  # of the next sentence
        self.state: ConversationState = ConversationState.LISTENING
        self.turns: list[Turn] = []
        self._actions: list[Action] = []
        # -- the user
        self._user = UserSide()
        self._interruptions = Interruptions(Backchannels(backchannels), options.min_barge_in_words)
        self._pending: list[UserTurn] = []  # whole, and nothing is added to them
        self._ends_asked = 0  # by end_turn(), and not answered by the service yet
        self.answers_finalize: bool = True  # `<fin>` comes; not on every route of a gateway
        self._ends_by: Optional[float] = None  # without it, a turn ends then
        self._cut_off_at: Optional[float] = None  # a turn that is too long ends then at the latest
        self._paused = False
        self._shown = ""  # what was reported of the open turn
        # -- the agent
        self._speech: Optional[Utterance] = None  # sounding, or being prepared
        self._queue: list[Utterance] = []
        self._hold: Optional[Hold] = None
        self._jobs = 0
        self._running: Optional[int] = None  # job that the reply thread works on, wanted or not
        self._is_delayed = False  # a turn waits for the end of that job
        self._cancelled: Optional[int] = None  # the last one that is not wanted
        # -- the end
        self._is_stopping = False
        self._hung_up_at: Optional[float] = None
        self._ending: Optional[Ending] = None
        self.ended_by: Optional[str] = None
        # -- silence
        self._user_quiet = Quiet("user", options.user_silence_sec, at.now)
        self._agent_quiet = Quiet("agent", options.agent_silence_sec, at.now)

    @property
    def is_over(self) -> bool:
        """Whether nothing happens any more."""
        return self.state is ConversationState.ENDED

    # -- the user --------------------------------------------------------------------------------

    @property
    def _is_manual(self) -> bool:
        return self._options.turn_end == "manual"

    def _cut_off(self, at: At) -> None:
        """End a turn that is too long."""
        self._cut_off_at = None
        self._take_pending(at)
        self._user.began_at = at.now if self._user.is_speaking else None

    def _take_pending(self, at: At) -> None:
        """End the open turn for good: what is said from now on is the next one."""
        self._user.end_segment()
        if self._user.has_words:
            turn = self._user.take()
            turn.may_continue = False
            self._pending.append(turn)

    # -- time --------------------------------------------------------------------------------------

    def _settle(self, at: At) -> None:
        if self.is_over or self._ending is not None:
            return
        self._follow_sink(at)
        self._judge(at)
        self._end_long_turn(at)
        self._begin(at)
        self._speak_next()
        self._report_silence(at)
        if self._hung_up_at is not None and at.now >= self._hung_up_at + HANG_UP_SEC:
            self._end(at, "user")

    def _follow_sink(self, at: At) -> None:
        """Note what the sink has played."""
        speech = self._speech
        if speech is None or self._hold is not None:
            return
        for each in speech.passages:
            if each.is_over or not each.has_begun:
                continue
            start = each.start_ms
            if start is not None and not each.has_sounded and at.played_ms > start:
                self._sounds(at, speech, each, at.source_ms - (at.played_ms - start))
            played_all = start is None or at.played_ms >= each.end_ms - _ROUNDING_MS
            if each.is_voiced and played_all:
                each.is_over = True
                self._interruptions.notice_ended(at.source_ms)
                self._user_quiet.spoke(at.now)
                self._agent_quiet.spoke(at.now)
        if speech.is_over:
            self._finish(at, speech)
        else:
            self._follow_gap(at, speech)

    def _follow_gap(self, at: At, speech: Utterance) -> None:
        """Note when all was heard so far, and `reply` still works."""
        current = speech.current
        sounds = _sounds_now(current, at.played_ms)
        if speech.begun_ms is None or speech.is_done or not self._is_waiting(current, sounds):
            speech.played_all_at, speech.is_in_gap = None, False
            if sounds and self.state is ConversationState.THINKING:
                self._step(Step.REPLY)
            return
        if speech.played_all_at is None:
            speech.played_all_at = at.now
        is_empty = current is None or not current.has_begun
        if not speech.is_in_gap and (is_empty or at.now >= speech.played_all_at + _GAP_SEC):
            speech.is_in_gap = True
            self._agent_quiet.spoke(speech.played_all_at)
            if self.state is ConversationState.SPEAKING:
                self._step(Step.GAP)

    def _is_waiting(self, current: Optional[Passage], sounds: bool) -> bool:
        """Whether only more text could make the agent be heard."""
        if current is None or not current.has_begun:
            return current is None or not current.text.strip()
        return current.has_sounded and not current.is_voiced and not sounds

    def _sounds(self, at: At, speech: Utterance, passage: Passage, since_ms: float) -> None:
        """Note that a passage is heard, since a time of the source."""
        passage.has_sounded = True
        if not may_cut(passage, self.barge_in):
            self._interruptions.notice_began(since_ms)
        self._user_quiet.spoke(at.now)
        self._agent_quiet.heard(at.now)
        if speech.begun_ms is None:
            speech.begun_ms = since_ms
            self._interruptions.agent_began(since_ms)
        if speech.sounded_ms is None and (passage.remember or not speech.is_answer):
            speech.sounded_ms = since_ms
        if self.state is not ConversationState.SPEAKING:
            self._step(Step.REPLY)

    def _finish(self, at: At, speech: Utterance) -> None:
        self._speech = None
        self._interruptions.agent_ended(at.source_ms)
        self._record(at, speech, interrupted=False)
        if self.state is ConversationState.SPEAKING or speech.begun_ms is not None:
            self._step(Step.HEARD)
        elif self.state is ConversationState.THINKING:
            self._step(Step.NOTHING)
        self._user_quiet.spoke(at.now)

    # -- interruptions -----------------------------------------------------------------------------

    def _judge(self, at: At) -> None:
        """Stop for the user's words, go on when they are taken back, or give way for good."""
        speech = self._speech
        if speech is None:
            return
        words, user = self._user.words, self._user
        if self._hold is None and self._hung_up_at is None:
            kind = self._interruptions.why(speech, words, at.source_ms, self.barge_in)
            if kind is not None:
                self._stop_speech(at, kind)
        hold = self._hold
        if hold is None or hold.is_clearing:
            return
        back_sec = self._options.false_interruption_sec
        is_final = hold.is_final or self._interruptions.is_final(hold, user.final_words)
        if is_final or back_sec is None:
            self._give_way(at, speech, hold)
        elif self._interruptions.stands(hold, words):
            hold.resumes_at = None
        elif hold.resumes_at is None:
            hold.resumes_at = at.now + back_sec
        elif at.now >= hold.resumes_at:
            self._resume(at, speech, hold)

    @property
    def is_sounding(self) -> bool:
        """Whether the voice works on a passage, or the sink plays one."""
        speech = self._speech
        is_quiet = speech is None or speech.is_in_gap or self._hold is not None
        return not is_quiet and bool(self._sounding())

    def _sounding(self) -> tuple[Passage, ...]:
        """Return the passages that the voice works on, or the sink."""
        passages = self._speech.passages if self._speech is not None else ()
        return tuple(each for each in passages if each.has_begun and not each.is_over)

    def _stop_speech(self, at: At, kind: Kind, *, is_final: bool = False) -> None:
        speech = self._speech
        assert speech is not None  # the callers have one
        sounding = self._sounding()
        was_speaking = self.state is ConversationState.SPEAKING
        self._hold = Hold(kind, is_final, bool(sounding), was_speaking)
        if speech.job is not None and not speech.is_done:
            self._do(HoldReply(speech.job, True))
        if sounding:
            self._do(Clear(sounding))
        elif kind is Kind.DEFERRED:
            self._hold, self._speech = None, None
            self._queue.insert(0, speech)
        if was_speaking:
            is_withdrawn = kind is Kind.WITHDRAWN
            self._step(Step.WITHDRAWN if is_withdrawn else Step.INTERRUPTED)

    def _resume(self, at: At, speech: Utterance, hold: Hold) -> None:
        self._hold = None
        if speech.job is not None and not speech.is_done:
            self._do(HoldReply(speech.job, False))
        if hold.was_speaking:
            self._step(Step.RESUMED)
        self._user_quiet.spoke(at.now)
        self._agent_quiet.spoke(at.now)

    def _give_way(self, at: At, speech: Utterance, hold: Hold) -> None:
        """Drop what is being said: the words against it are final."""
        self._speech = self._hold = None
        self._interruptions.agent_ended(at.source_ms)
        self._cancel_reply(speech.job)
        kept = Utterance(is_done=True)
        kept.passages = [
            each for each in speech.passages if each.barge_in is False and not each.is_over
        ]
        if hold.cuts_all:
            kept.passages = [each for each in kept.passages if each.is_farewell]
        speech.passages = [each for each in speech.passages if each not in kept.passages]
        if hold.kind is Kind.WITHDRAWN and speech.turn is not None:
            self._user.put_back(speech.turn, at.now)
            is_heard = Step.WITHDRAWN
        else:
            self._record(at, speech, interrupted=True)
            is_heard = Step.INTERRUPTED
            self._drop_queue(at)
        for each in speech.passages:
            each.is_over = True  # nothing more of it will sound
        if kept.passages:
            self._queue.insert(0, kept)
        if self.state is ConversationState.THINKING:
            self._step(is_heard)
        self._user_quiet.spoke(at.now)

    def _cancel_reply(self, job: Optional[int]) -> None:
        """Cancel a call of `reply`, once, unless it is over."""
        if job is not None and job == self._running and job != self._cancelled:
            self._cancelled = job
            self._do(CancelReply(job))

    def _drop_queue(self, at: At) -> None:
        """Drop what waits to be said and may be interrupted: nothing more is written."""
        kept = []
        for each in self._queue:
            if all(may_cut(passage, self.barge_in) for passage in each.passages):
                self._record(at, each, interrupted=True)
            else:
                kept.append(each)
        self._queue = kept

    # -- what comes next ---------------------------------------------------------------------------

    @property
    def _may_answer(self) -> bool:
        is_free = self._speech is None and self._hold is None and not self._queue
        is_open = not self._is_stopping and self._hung_up_at is None
        return is_free and is_open and self._running is None

    def _answer_due(self, closed_at: float) -> float:
        return closed_at + (0.0 if self._user.is_urgent else self.patience_sec)

    def _begin(self, at: At) -> None:
        """Begin with what was asked for by `say()`, or answer a turn that has ended."""
        user = self._user
        if self._speech is not None or self._hold is not None or self._hung_up_at is not None:
            return
        if self._queue:
            first = self._queue[0]
            if not user.is_speaking or is_farewell(first):
                self._speech = self._queue.pop(0)
            return
        if self._is_stopping:
            self._end(at, "agent")
            return
        if self._running is not None:
            self._delay(at)
            return
        if self._pending:
            self._answer(at, self._pending.pop(0))
            return
        self._is_delayed = False
        closed_at = None if user.is_speaking else user.closed_at
        if closed_at is not None and at.now >= self._answer_due(closed_at):
            self._answer(at, user.take())

    def _delay(self, at: At) -> None:
        """Note that a turn waits for a call of `reply` that is not wanted, but not over either."""
        user = self._user
        has_turn = bool(self._pending) or (user.closed_at is not None and not user.is_speaking)
        if has_turn and not self._is_delayed:
            self._agent_quiet.heard(at.now)
        self._is_delayed = has_turn

    def _answer(self, at: At, turn: UserTurn) -> None:
        self._jobs += 1
        self._running = self._jobs
        self._speech = Utterance(self._jobs, turn, asked_ms=at.source_ms)
        self._agent_quiet.heard(at.now)
        self._step(Step.ENDPOINT)
        self._do(CallReply(self._jobs, turn.text))

    def _speak_next(self) -> None:
        """Begin to voice the next passage, without a gap if the same rule holds for it."""
        speech = self._speech
        if speech is None or self._hold is not None:
            return
        before: Optional[Passage] = None
        for each in speech.passages:
            if not each.has_begun and not each.is_over:
                is_free = before is None or before.is_over
                if before is not None and before.is_voiced:
                    is_free = is_free or before.barge_in is each.barge_in
                if is_free and (each.text.strip() or not each.is_open):
                    each.has_begun = True
                    self._do(Speak(each))
                return
            before = each

    def _end_long_turn(self, at: At) -> None:
        """End a turn that has no end: first its last words are made final."""
        if self._cut_off_at is not None:
            if at.now >= self._cut_off_at:
                self._cut_off(at)
        elif (end := self._longest_turn_end) is not None and at.now >= end:
            self._cut_off_at = at.now + FINALIZE_SEC
            self._do(Finalize())

    @property
    def _longest_turn_end(self) -> Optional[float]:
        """When the open turn is too long; `None` if none is open."""
        user = self._user
        if user.began_at is None or user.closed_at is not None or self._hung_up_at is not None:
            return None
        return user.began_at + self._options.max_turn_sec

    # -- silence -----------------------------------------------------------------------------------

    @property
    def _waits_for_user(self) -> bool:
        user = self._user
        is_idle = self._speech is None and self._hold is None and not self._queue
        has_turn = user.is_speaking or user.closed_at is not None or bool(self._pending)
        is_ending = self._is_stopping or self._hung_up_at is not None
        return is_idle and not has_turn and not self._paused and not is_ending

    @property
    def _waits_for_agent(self) -> bool:
        speech = self._speech
        if speech is None:
            return self._is_delayed and not self._queue
        if self._hold is not None or speech.is_done or not speech.is_answer:
            return False
        return speech.current is None or not speech.current.has_begun or speech.is_in_gap

    def _report_silence(self, at: At) -> None:
        for is_waiting, quiet in (
            (self._waits_for_user, self._user_quiet),
            (self._waits_for_agent, self._agent_quiet),
        ):
            if is_waiting and (silence := quiet.ring(at.now)) is not None:
                self._notify("silence", silence)

    # -- the end -----------------------------------------------------------------------------------

    def _end(self, at: At, by: str, error: Optional[BaseException] = None) -> None:
        """Stop everything; when the sink is silent, hand out what is left."""
        if self._ending is not None:
            return
        self._follow_sink(at)  # what was heard until now counts
        self._ending = Ending(by, error)
        self._do(StopListening(at_once=True))
        self._cancel_reply(self._running)
        sounding = self._sounding()
        if self._hold is not None and self._hold.is_clearing:
            return  # cleared() comes
        if sounding:
            self._do(Clear(sounding))
        else:
            self._conclude(at)

    def _conclude(self, at: At) -> None:
        ending = self._ending
        if ending is None or self.is_over:
            return
        self._hold = None
        for each in [self._speech, *self._queue]:
            if each is not None:
                self._record(at, each, interrupted=not each.is_over)
        self._speech, self._queue = None, []
        self._user.end_segment()
        left = [*self._pending, self._user.take()]
        for turn in left:
            if turn.text:
                self._deliver(unanswered(turn))
        self._pending = []
        self.ended_by = ending.by
        self._step(Step.STOPPED)
        self._do(Quit(ending.error))

    # -- outputs -----------------------------------------------------------------------------------

    def _record(self, at: At, speech: Utterance, interrupted: bool) -> None:
        turn = answered(speech, interrupted, at.source_ms)
        if turn is not None:
            self._deliver(turn)

    def _deliver(self, turn: Turn) -> None:
        self.turns.append(turn)
        self._do(Deliver(turn))

    def _step(self, what: Step) -> None:
        old = self.state
        self.state = step(CONVERSATION, old, what, "the conversation")
        self._notify("state_change", StateChange(old, self.state, REASONS[what]))

    def _notify(self, event: str, argument: Any) -> None:
        self._do(Notify(event, argument))

    def _do(self, action: Action) -> None:
        self._actions.append(action)


def _sounds_now(passage: Optional[Passage], played_ms: float) -> bool:
    """Return whether the sink has something of a passage to play."""
    if passage is None or not passage.has_sounded:
        return False
    return played_ms < passage.end_ms - _ROUNDING_MS


def is_farewell(speech: Utterance) -> bool:
    return any(each.is_farewell for each in speech.passages)


def may_cut(passage: Passage, barge_in: bool) -> bool:
    return barge_in if passage.barge_in is None else passage.barge_in
