"""Who carries out what a recording decides: one thread at a time, and none that has nothing to do.

The rule, of which everything else follows:

- What is to be done is asked of the recorder under the recording's lock, after every change, by the
  thread that made the change. Mostly there is nothing, and no other thread is woken.
- Who gets an action has the *turn*: until it is done nobody asks again. So there is one writer, and
  what changes meanwhile is looked at when the turn ends.
- Audio is sent by the thread that brought it, as far as that takes no wait. All else has the pump:
  a thread that is started when there is something for it, and ends after a second without.
- What is to be done later is a timer on the clock, which then asks as anyone does.

A live recording, from its start (`-` keeps silent)::

    source's thread    reader             pump                clock
    audio                                 starts, Open
                                          opener started
                       session is open    Send (the backlog)
    audio, Send        -                  waits a second
    audio, Send        result, asks       has ended
    audio, the socket
      is full: half of
      it is handed on                     starts, Send
    audio              result             (waits for room)
"""

from __future__ import annotations

import sys
import threading
from typing import Optional, Protocol

from ..._support.locks import new_condition
from ...recorder.actions import Action, Send, Wait
from ...runtime.clock import Clock, Timer

# A catch-up sends every few hundredths of a second, a reconnect has steps in between: one thread
# for all of it costs less than one for each step.
_LINGER_SEC = 1.0
# holder of the turn; a thread that sends what it brought holds it by its number
_PUMP = -1


class Work(Protocol):
    """What a pump is for: the runtime of a recording."""

    def decide(self) -> Action:
        """Return what to do now. Under the lock."""

    def perform(self, action: Action) -> bool:
        """Do it, without the lock; return whether it was the last. Never raises."""

    def changed(self) -> object:
        """Look for what is due: an action is done, or a time has come. Under the lock."""

    def fail(self, error: BaseException) -> None:
        """End the recording because of `error`. Under the lock."""


class Pump:
    """Turn, thread and timer of one recording.

    Its methods are called under the recording's lock, except for `start_if_needed()`.
    """

    def __init__(self, lock: threading.RLock, clock: Clock, work: Work) -> None:
        # Immutable
        self._clock = clock
        self._work = work
        # Under the recording's lock
        self.is_enabled: bool = False  # the source has started
        # Nobody has the turn, and nobody need ask: the recorder was settled, and since then there
        # were only results, and chunks that went straight through it.
        self.is_quiet: bool = False
        self._was_quiet = False  # when the turn began
        self._turn: Optional[int] = None
        self._has_changed = False  # something, while somebody has the turn
        self._handed: Optional[Action] = None  # to be done by the pump, which has the turn
        self._thread: Optional[threading.Thread] = None
        self._runner: Optional[int] = None  # thread that carries out what was handed
        self._timer: Optional[Timer] = None
        self._lock = lock
        self._has_work = new_condition(lock)

    @property
    def is_current(self) -> bool:
        """Whether the caller is the pump."""
        return self._runner == threading.get_ident()

    # -- the turn --------------------------------------------------------------------------------

    def look(self, *, may_send: bool = False) -> Optional[Send]:
        """Have done what is due, unless somebody has the turn, who will look when it ends.

        With `may_send` the caller gets what is to be sent, and the turn: it has to end it by
        `release()` or `hand_over()`. Everything else is handed to the pump.
        """
        self.is_quiet = self._was_quiet = False
        if self._turn is not None or not self.is_enabled:
            self._has_changed = True
            return None
        self._has_changed = False
        action = self._work.decide()
        if isinstance(action, Wait):
            if action.until is not None:
                self._look_at(action.until)
        elif may_send and isinstance(action, Send):
            self._turn = threading.get_ident()
            return action
        else:
            self.hand_over(action)
        return None

    def take_turn(self) -> None:
        """Begin the caller's turn while it is quiet; so it is again if nothing else happens."""
        self._turn, self._has_changed = threading.get_ident(), False
        self.is_quiet, self._was_quiet = False, True

    def release(self) -> bool:
        """End the caller's turn, if it has it; return whether others made changes meanwhile.

        Then, or if there is more to send, `look()` again.
        """
        if self._turn == threading.get_ident():
            self._turn = None
            self.is_quiet = self._was_quiet
        return self._has_changed

    def hand_over(self, action: Action) -> None:
        """Give the pump something to do, and the turn; then `start_if_needed()`."""
        self._turn, self._handed = _PUMP, action
        self._has_work.notify()

    # -- time ------------------------------------------------------------------------------------

    def _look_at(self, when: float) -> None:
        """Look again at a time. An earlier timer is kept: it looks, and sets the next."""
        timer = self._timer
        if timer is not None:
            if timer.when <= when:
                return
            timer.cancel()
        self._timer = self._clock.call_at(when, self._on_time)

    def _on_time(self) -> None:
        with self._lock:
            self._timer = None
            self._work.changed()
        self.start_if_needed()

    # -- the thread ------------------------------------------------------------------------------

    def start_if_needed(self) -> None:
        """Start the pump if it has something to do and does not run. Without the lock."""
        if self._handed is None or self._thread is not None:
            return
        thread = threading.Thread(target=self._run, name="soniox-recording", daemon=True)
        with self._lock:
            if self._handed is None or self._thread is not None or sys.is_finalizing():
                return
            self._thread = thread  # before start(): Ctrl-C may interrupt start() once it runs
        try:
            thread.start()
        except RuntimeError as error:  # no more threads, or the interpreter is shutting down
            self._end_here(error)

    def _end_here(self, error: RuntimeError) -> None:
        """End the recording on the caller's thread, as there is no other: it must not hang."""
        with self._lock:
            self._work.fail(error)
            self._handed = self._work.decide()
        self._run()

    def _run(self) -> None:
        self._runner = threading.get_ident()
        is_over = False
        while not is_over:
            with self._lock:
                if self._handed is None:
                    self._has_work.wait(_LINGER_SEC)
                action, self._handed = self._handed, None
                if action is None:
                    self._thread = self._runner = None
                    return
            is_over = self._work.perform(action)
            if not is_over:
                with self._lock:
                    self._turn = None
                    self._work.changed()
        self._runner = None

    # -- the end ---------------------------------------------------------------------------------

    def stop_timer(self) -> None:
        """Look at no later time: the recording is over."""
        if self._timer is not None:
            self._timer.cancel()

    def invalidate(self) -> None:
        """Do nothing any more, in a forked child, where the thread does not exist.

        Not what was handed to it, either: a thread of the parent's was about to start it.
        """
        self.is_enabled = False
        self._handed = None
