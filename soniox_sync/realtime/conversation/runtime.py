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

from ..._support.reprs import counted
from ...config.conversation import ConversationOptions
from ...conversation import actions
from ...conversation.actions import Action, At
from ...conversation.agent import Passage, Voice
from ...conversation.states import ConversationState
from ...conversation.turn_taking import TurnTaking
from ...conversation.turns import Turn
from ...errors import AbortError, SonioxError
from ...protocol.tokens import SttEvent
from ...runtime.clock import Clock
from ...runtime.delivery import CallbackWorker
from ...runtime.outlet import Outlet
from ...transport.latch import Latch
from ..pool.pool import TtsPool
from ..recording.recording import Recording
from .ears import Ears
from .replies import ReplyThread, TextFilter
from .sinks import Playout, Sink
from .texts import Job
from .voice import MakeSpeech, Recital, VoiceThread

_log = logging.getLogger("soniox_sync")

EVENTS = ("turn", "user_partial", "error", "state_change", "dtmf", "silence")
# turns that wait for a loop; a call has some hundred
_MAX_TURNS = 10_000
# threads that end at once unless the user's code, or a socket, holds them
_JOIN_SEC = 2.0

Input = Callable[[TurnTaking, At], None]


class ConversationRuntime:
    """Runs one conversation. Safe from any thread."""

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
        self.outlet: Outlet[Turn] = Outlet(
            EVENTS,
            final=("error",),
            data_events=("turn",),
            push=lambda turn: self.outlet.events.run("turn", turn),
            limit=_MAX_TURNS,
            what="turns",
            worker=CallbackWorker(f"soniox-callback-{name[7:]}"),
        )
        self._inbox: queue.SimpleQueue[Input] = queue.SimpleQueue()
        self.replies: ReplyThread = ReplyThread(
            call_reply, text_filter, self._reply_text, self._reply_done, f"{name}-reply"
        )
        self._voice = VoiceThread(
            make_speech,
            sink,
            self.playout,
            shape,
            on_written=lambda *args: self.post(lambda turns, at: turns.written(at, *args)),
            on_voiced=lambda passage: self.post(lambda turns, at: turns.voiced(at, passage)),
            on_gone=self.hang_up,
            on_error=self.fail,
            on_sound=ears.agent_speaks,
            on_quiet=ears.agent_is_quiet,
            prepare=self._warm_up,
            name=f"{name}-voice",
        )
        self._conductor = threading.Thread(target=self._run, name=name, daemon=True)
        self._listener = threading.Thread(target=self._listen, name=f"{name}-ears", daemon=True)
        # Guards the decisions. Order: conversation -> leaf. Single fields of them (the state) may
        # be read without it.
        self._lock = threading.Lock()
        self.turns: TurnTaking = TurnTaking(options, tuple(backchannels), voice, self._at())
        # Conductor only
        self._recitals: dict[Passage, Recital] = {}
        self._jobs: dict[int, Job] = {}
        # Replaced by the conductor, read by any thread
        self.job: Optional[Job] = None

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
    def is_conducting(self) -> bool:
        """Whether the caller runs on a thread for which others wait at the end."""
        return threading.current_thread() in (self._conductor, self._listener)

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
        return At(self._clock.now(), self._ears.now_ms, self.playout.played_ms)

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
            what = self._inbox.get(timeout=self._timeout())
        except queue.Empty:
            what = TurnTaking.tick
        try:
            at = self._at()
        except Exception as error:  # noqa: BLE001 - the user's sink: ends the loop
            failure, at = error, At(self._clock.now(), self._ears.now_ms, 0.0)
            what = lambda turns, at: turns.failed(at, failure)  # noqa: E731
        self._decide(what, at)

    def _timeout(self) -> Optional[float]:
        with self._lock:
            due, poll = self.turns.wake_at, self.turns.poll_sec(self.playout.played_ms)
        left = None if due is None else max(0.0, due - self._clock.now())
        known = [each for each in (left, poll) if each is not None]
        return min(known) if known else None

    def _decide(self, what: Input, at: At) -> None:
        with self._lock:
            what(self.turns, at)
            todo = deque(self.turns.take())
        while todo:
            action = todo.popleft()
            if isinstance(action, actions.Clear):
                heard = self._clear(action)
                with self._lock:
                    self.turns.cleared(self._at(), heard)
                    todo.extend(self.turns.take())
            else:
                self._perform(action)
        if not self.turns.is_sounding:
            self._ears.agent_is_quiet()

    def _clear(self, action: actions.Clear) -> dict[Passage, int]:
        recitals = [self._recitals.pop(each) for each in action.passages]
        for each in recitals:
            each.is_cut.set()
        self._sink.clear()
        played = self.playout.cleared()
        for each in recitals:
            each.cut()
        return {each.passage: each.heard(played) for each in recitals}

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
            except SonioxError as error:  # it goes on finishing; the listener reports its end
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
            self.turns.state = ConversationState.ENDED
            self.turns.ended_by = "error"
            self._end_loop(error)
        for recital in self._recitals.values():
            recital.cut()
        for job in self._jobs.values():
            job.end()
        try:
            self._sink.clear()
        except Exception:  # noqa: BLE001 - a user's code, at the top of a thread: logged
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
