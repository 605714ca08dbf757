"""The user's side of a recording, as the runtime sees it: event queue, handlers, transcript."""

from __future__ import annotations

from typing import Callable, Optional

from ...errors import AbortError, SonioxError
from ...protocol.tokens import SttEvent
from ...recorder.actions import Announce, Notice, SessionRestart
from ..stt.outlet import SttOutlet
from .events import Reconnecting


class RecordingListener:
    """Receiver of what the runtime delivers and reports; internal to `Recording`.

    `deliver()`, `overflow()` and `notify()` are called under the recording's lock, so that events
    and notices keep the order in which they happened; they never block. `ask_reconnect()` and
    `ended()` are called by the pump, without the lock.
    """

    def __init__(self, outlet: SttOutlet) -> None:
        # Immutable
        self._outlet = outlet
        # queues one event, of a weight; returns whether there was room for it
        self.deliver: Callable[[SttEvent, int], bool] = outlet.offer
        # Set once, at the end
        self.error: Optional[BaseException] = None
        # Set once, at the start: called when the recording has ended
        self.forget_cancel: Optional[Callable[[], None]] = None

    def overflow(self) -> SonioxError:
        """Return the error for a queue without room."""
        return self._outlet.delivery.overflow()

    def notify(self, notice: Notice) -> None:
        """Have the handlers for a notice called."""
        if isinstance(notice, SessionRestart) and notice.reset_transcript:
            self._outlet.transcript.clear()
        arguments = (notice,) if vars(notice) else ()  # none for a notice without fields
        self._outlet.events.emit(notice.event, *arguments)

    def ask_reconnect(self, action: Announce, answer: Callable[[bool], None]) -> bool:
        """Run the `reconnecting` handlers, then `answer(prevented)`; return False without any."""
        if not self._outlet.events.has("reconnecting"):
            return False
        event = Reconnecting(action.attempt, action.max_attempts, action.delay_sec)
        self._outlet.events.emit("reconnecting", event)
        # handlers run one at a time, in order: this runs after all of them
        self._outlet.worker.post(lambda: answer(event.default_prevented))
        return True

    def ended(self, error: Optional[BaseException]) -> None:
        """End the iteration and the handlers. The last call."""
        self.error = error
        if self.forget_cancel is not None:
            self.forget_cancel()
        self._outlet.delivery.end(error)
        if error is not None and not isinstance(error, AbortError):
            self._outlet.events.emit("error", error)
        self._outlet.worker.stop()
        self._outlet.release()

    def invalidate(self, error: BaseException) -> None:
        """End the iteration in a forked child."""
        self.error = error
        self._outlet.delivery.end(error)
