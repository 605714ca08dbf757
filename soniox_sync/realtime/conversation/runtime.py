"""The threads of a conversation, and the one that decides.

Everything that happens is put into one queue. The *conductor* thread takes it out, lets the
decisions of `soniox_sync/conversation` follow under the conversation's lock, and carries out their
actions outside of it. It never waits for a service, a sink or the user's code. Others: the
recording's, one that takes its results, one that calls `reply`, one that voices text and writes to
the sink.
"""

from __future__ import annotations

import logging
import queue
import threading
from collections import deque
from collections.abc import Iterable
from typing import Any, Callable, Optional

from ..._support.checks import wrong_value
from ..._support.locks import new_lock
from ..._support.queues import get_within
from ..._support.reprs import counted
from ...config.conversation import ConversationOptions
from ...conversation import actions
from ...conversation.actions import Action, At
from ...conversation.agent import Passage, Voice
from ...conversation.states import ConversationState
from ...conversation.turn_taking import TurnTaking
from ...conversation.turns import Turn
from ...errors import AbortError, SonioxError
from ...protocol.states import StateChange
from ...protocol.tokens import SttEvent
from ...runtime.clock import Clock
from ...runtime.delivery import CallbackWorker
from ...runtime.outlet import Outlet
from ...runtime.timeouts import CALLBACK_DRAIN_SEC
from ...transport.deadline import Deadline, wait_for
from ...transport.latch import Latch
from ..pool.pool import TtsPool
from ..recording.recording import Recording
from .ears import Ears
from .replies import ReplyThread, TextFilter
from .sinks import PEER_IS_GONE, Playout, Sink
from .texts import Job
from .voice import MakeSpeech, Recital, VoiceThread

_log = logging.getLogger("soniox_sync")

EVENTS = ("turn", "user_partial", "error", "state_change", "dtmf", "silence")
# turns that wait for a loop; a call has some hundred
_MAX_TURNS = 10_000
# threads that end at once unless the user's code, or a socket, holds them
_JOIN_SEC = 2.0
# How long close() waits for the threads: a connection closes within 2 s, a source of the user's may
# take a while.
_CLOSE_WAIT_SEC = 5.0
# on the source's thread: stopping the source may wait for this very thread
_SOURCE_WAIT_SEC = 0.2
# a reply that is inside the user's code ends with it
_REPLY_GRACE_SEC = 0.5
# Two clocks of one sink may differ a little; it falls by more if it counts something else, such as
# what was played since it was cleared.
_FALL_MS = 100.0

Input = Callable[[TurnTaking, At], None]


class ConversationRuntime:
    """Runs one conversation. Thread-safe."""

    def __init__(
        self,
        options: ConversationOptions,
        backchannels: Iterable[str],
        voice: Voice,
        recording: Recording,
        ears: Ears,
        sink: Sink,
        pool: TtsPool,
        make_speech: MakeSpeech,
        shape: Any,
        call_reply: Callable[[str], Any],
        text_filter: Optional[TextFilter],
        clock: Clock,
        name: str,
    ) -> None:
        # Immutable
        self.name = name
        self.recording = recording
        self._ears = ears
        self._sink = sink
        self._pool = pool
        self._clock = clock
        self.playout: Playout = Playout(sink, clock)
        self.ended: Latch = Latch()  # nothing more is decided
        self.over: Latch = Latch()  # and everything is released
        self.outlet: Outlet[Turn] = self._make_outlet()
        self._inbox: queue.SimpleQueue[Input] = queue.SimpleQueue()
        self.replies: ReplyThread = ReplyThread(
            call_reply, text_filter, self._reply_text, self._reply_done, f"{name}-reply"
        )
        self._voice = self._make_voice(make_speech, shape)
        self._conductor = threading.Thread(target=self._run, name=name, daemon=True)
        self._listener = threading.Thread(target=self._listen, name=f"{name}-ears", daemon=True)
        # Conductor only
        self._played_ms = self.playout.played_ms  # as far as it is known
        self._is_lost = False  # the sink does not say any more what it has played
        self._recitals: dict[Passage, Recital] = {}
        self._jobs: dict[int, Job] = {}
        # Guards the decisions. Order: conversation -> leaf. Single fields of them (the state) may
        # be read without it.
        self._lock = new_lock()
        self.turns: TurnTaking = TurnTaking(options, tuple(backchannels), voice, self._at())
        # Replaced by the conductor, read by any thread
        self.job: Optional[Job] = None

    def _make_outlet(self) -> Outlet[Turn]:
        return Outlet(
            EVENTS,
            final=("error",),
            data_events=("turn",),
            push=lambda turn: self.outlet.events.run("turn", turn),
            limit=_MAX_TURNS,
            what="turns",
            worker=CallbackWorker(f"soniox-callback-{self.name[7:]}"),
        )

    def _make_voice(self, make_speech: MakeSpeech, shape: Any) -> VoiceThread:
        return VoiceThread(
            make_speech,
            self._sink,
            self.playout,
            shape,
            on_written=lambda *args: self.post(lambda turns, at: turns.written(at, *args)),
            on_voiced=lambda passage: self.post(lambda turns, at: turns.voiced(at, passage)),
            on_gone=self.hang_up,
            on_error=self.fail,
            on_sound=self._ears.agent_speaks,
            on_quiet=self._ears.agent_is_quiet,
            prepare=self._warm_up,
            name=f"{self.name}-voice",
        )

    # -- any thread ------------------------------------------------------------------------------

    def start(self) -> None:
        """Start listening; raise what the source raises."""
        self.recording.start()
        for thread in (self._conductor, self._listener, self._voice, self.replies):
            thread.start()

    def post(self, what: Input) -> None:
        """Have the conductor note that something happened. Never blocks."""
        self._inbox.put(what)

    def hang_up(self) -> None:
        """Note that the user is gone."""
        self.post(lambda turns, at: turns.hang_up(at))

    def fail(self, error: BaseException) -> None:
        """End with an error."""
        self.post(lambda turns, at: turns.failed(at, error))

    def cancel(self, error: Optional[BaseException] = None) -> None:
        """End at once; `error` is to be raised by the loop."""
        self.post(lambda turns, at: turns.cancel(at, "cancel", error))

    def messages(self) -> list[dict[str, str]]:
        """Return the conversation as messages."""
        with self._lock:
            return self.turns.messages()

    def all_turns(self) -> list[Turn]:
        """Return the turns so far."""
        with self._lock:
            return list(self.turns.turns)

    @property
    def is_inside(self) -> bool:
        """Whether the caller runs on a thread of the conversation, as the user's sink does.

        `reply` and handlers do not count: the conversation ends without them.
        """
        own = threading.current_thread() in (self._conductor, self._listener)
        return own or self._voice.is_current or self._sink.is_current

    def join(self) -> None:
        """Wait for the end of all threads, at most a few seconds, but not for the caller's own."""
        if self.is_inside or self.outlet.worker.is_current:
            return
        wait_sec = _SOURCE_WAIT_SEC if self._ears.is_current else _CLOSE_WAIT_SEC
        wait_for(self.over, Deadline(wait_sec))
        self.replies.join(_REPLY_GRACE_SEC)
        self.outlet.worker.drain(Deadline(CALLBACK_DRAIN_SEC))

    def describe(self) -> str:
        """Return the state, for a repr."""
        return f"{self.turns.state} {counted(len(self.turns.turns), 'turn')}"

    # -- reply, on its thread --------------------------------------------------------------------

    def _reply_text(self, job: Job, text: str) -> None:
        job.count(len(text))  # until the conductor has passed it on

        def accept(turns: TurnTaking, at: At) -> None:
            job.count(-len(text))
            turns.reply_text(at, job.number, text)

        self.post(accept)

    def _reply_done(self, job: Job, error: Optional[BaseException]) -> None:
        self.post(lambda turns, at: turns.reply_done(at, job.number, error))

    # -- results, on the listener thread ---------------------------------------------------------

    def _listen(self) -> None:
        error: Optional[BaseException] = None
        try:
            for event in self.recording:
                self._heard(event)
        except BaseException as raised:  # noqa: BLE001 - top of a thread: ends the loop
            error = raised
        failure = error  # Python deletes `error` before the lambda may run
        self.post(lambda turns, at: turns.listened(at, failure))

    def _heard(self, event: SttEvent) -> None:
        if event.kind == "result":
            tokens = event.result.tokens
            self.post(lambda turns, at: turns.words(at, tokens))
        elif event.kind == "endpoint":
            self.post(lambda turns, at: turns.endpoint(at))
        elif event.kind == "finalized":
            self.post(lambda turns, at: turns.finalized(at))

    # -- the voice's thread ----------------------------------------------------------------------

    def _warm_up(self) -> None:
        """Connect before the first word is to be spoken."""
        try:
            self._pool.warm()
        except SonioxError as error:  # the first speech tries again, and reports it
            _log.debug("! %s: connecting early: %s", self.name, error)

    # -- the conductor ---------------------------------------------------------------------------

    def _at(self) -> At:
        return At(self._clock.now(), self._ears.now_ms, self._played_ms)

    def _run(self) -> None:
        error: Optional[BaseException] = None
        try:
            while not self.turns.is_over:
                self._take_input()
        except BaseException as raised:  # noqa: BLE001 - top of a thread: raised by the loop
            _log.exception("! %s failed", self.name)
            error = raised
        finally:
            self._finish(error)

    def _take_input(self) -> None:
        """Wait for what happens next, or for the time at which something is due; act on it."""
        try:
            what = get_within(self._inbox, self._timeout())
        except queue.Empty:
            what = TurnTaking.tick
        self._follow_sink()
        self._decide(what)

    def _timeout(self) -> Optional[float]:
        with self._lock:
            due, poll = self.turns.wake_at, self.turns.poll_sec(self._played_ms)
        left = None if due is None else max(0.0, due - self._clock.now())
        known = [each for each in (left, poll) if each is not None]
        return min(known) if known else None

    def _follow_sink(self) -> None:
        """Note what the sink has played. If that fails, it was the last time, and an input."""
        if self._is_lost:
            return
        try:
            played = self.playout.played_ms
            if played < self._played_ms - _FALL_MS:
                expected = f"a number that never falls, as it was {self._played_ms:g} before"
                raise wrong_value("sink.played_ms", expected, played)
            self._played_ms = max(self._played_ms, played)
        except PEER_IS_GONE:
            self._is_lost = True
            self.hang_up()
        except BaseException as error:  # noqa: BLE001 - the user's sink: ends the loop
            self._is_lost = True
            self.fail(error)

    def _decide(self, what: Input) -> None:
        with self._lock:
            try:
                what(self.turns, self._at())
            except Exception as error:  # noqa: BLE001 - a mistake in this library: ends the loop
                _log.exception("! %s: an input failed", self.name)
                self.turns.failed(self._at(), error)
            todo = deque(self.turns.take())
        while todo:
            todo.extend(self._carry_out(todo.popleft()))
        if not self.turns.is_sounding:
            self._ears.agent_is_quiet()

    def _carry_out(self, action: Action) -> list[Action]:
        """Carry out an action; return what follows. One that fails ends the conversation."""
        error: Optional[BaseException] = None
        heard: dict[Passage, int] = {}
        try:
            if isinstance(action, actions.Clear):
                heard, error = self._clear(action)
            else:
                self._perform(action)
        except Exception as raised:  # noqa: BLE001 - no thread could be started, say
            _log.exception("! %s: an action failed", self.name)
            error = raised
        with self._lock:
            if error is not None:
                self.turns.failed(self._at(), error)
            if isinstance(action, actions.Clear):
                self.turns.cleared(self._at(), heard)
            return self.turns.take()

    def _clear(self, action: actions.Clear) -> tuple[dict[Passage, int], Optional[BaseException]]:
        """Silence some passages; return what was heard of them, and how the sink failed at it."""
        recitals = [self._recitals.pop(each) for each in action.passages]
        for each in recitals:
            each.is_cut.set()
        error: Optional[BaseException] = None
        played = self._played_ms
        try:
            self._sink.clear()
            played = self.playout.cleared()
        except PEER_IS_GONE:  # of `played_ms`: the next look at it reports that
            pass
        except BaseException as raised:  # noqa: BLE001 - the user's sink: ends the loop
            error = raised
        self._follow_sink()
        for each in recitals:
            each.cut()
        return {each.passage: each.heard(played) for each in recitals}, error

    def _perform(self, action: Action) -> None:
        if isinstance(action, actions.AddText):
            job = None if action.job is None else self._jobs.get(action.job)
            self._recital(action.passage).feed.put(action.text, job)
        elif isinstance(action, actions.EndText):
            self._recital(action.passage).feed.end()
        elif isinstance(action, actions.Speak):
            self._voice.speak(self._recital(action.passage))
        elif isinstance(action, actions.CallReply):
            self.job = Job(action.job, action.text)
            self._jobs = {action.job: self.job}  # the one before has ended
            self.replies.take(self.job)
        elif isinstance(action, actions.CancelReply):
            self._jobs[action.job].end()
            self._jobs[action.job].cancel.cancel("the reply is no longer wanted")
        elif isinstance(action, actions.HoldReply):
            self._jobs[action.job].hold(action.on)
        elif isinstance(action, actions.Finalize):
            self.recording.finalize()
        elif isinstance(action, actions.StopListening):
            self._stop_listening(action.at_once)
        else:
            self._report(action)

    def _recital(self, passage: Passage) -> Recital:
        recital = self._recitals.get(passage)
        if recital is None:
            self._forget_old()
            recital = self._recitals[passage] = Recital(passage)
        return recital

    def _forget_old(self) -> None:
        for passage in [each for each in self._recitals if each.is_over]:
            del self._recitals[passage]

    def _stop_listening(self, at_once: bool) -> None:
        if at_once:
            self.recording.cancel()
            return

        def stop() -> None:
            try:
                self.recording.stop(0)
            except BaseException as error:  # noqa: BLE001 - the listener reports its end
                _log.debug("! %s: %s", self.name, error)

        # stopping a source may wait for the user's code
        threading.Thread(target=stop, name=f"{self.name}-stop", daemon=True).start()

    def _report(self, action: Action) -> None:
        if isinstance(action, actions.Deliver):
            if not self.outlet.delivery.put(action.turn, 1):
                self.fail(self.outlet.delivery.overflow())
        elif isinstance(action, actions.Notify):
            self.outlet.events.emit(action.event, action.argument)
        elif isinstance(action, actions.Quit):
            self._end_loop(action.error)

    def _end_loop(self, error: Optional[BaseException]) -> None:
        """End the loop and the handlers, after what was delivered."""
        self.outlet.delivery.end(error)
        if error is not None and not isinstance(error, AbortError):
            self.outlet.events.emit("error", error)
        self.ended.set()

    # -- the end ---------------------------------------------------------------------------------

    def _finish(self, error: Optional[BaseException]) -> None:
        """Stop and release everything. The conductor's last action."""
        if not self.turns.is_over:  # it failed itself
            old, self.turns.state = self.turns.state, ConversationState.ENDED
            self.turns.ended_by = "error"
            self.outlet.events.emit("state_change", StateChange(old, self.turns.state, "stopped"))
            self._end_loop(error)
        for recital in self._recitals.values():
            recital.cut()
        for job in self._jobs.values():
            job.end()
        try:
            self._sink.clear()
        except BaseException:  # noqa: BLE001 - a user's code, at the top of a thread: logged
            _log.exception("! clearing the sink of %s failed", self.name)
        self._voice.stop()
        self.replies.stop()
        self.recording.close()
        self._voice.join(_JOIN_SEC)
        self._pool.close(0.0)
        self._listener.join(_JOIN_SEC)
        self.outlet.worker.stop()
        self.outlet.release()
        self.over.set()
