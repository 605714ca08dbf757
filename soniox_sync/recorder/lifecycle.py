"""State of a recording from its start to its one end, and the notices about it."""

from __future__ import annotations

from typing import Optional, Union

from ..protocol.states import StateChange
from ..protocol.tokens import SttEvent
from .actions import Done, Notice, RecordingState


class Lifecycle:
    """State, requests of the user (pause, stop), outcome, and notices not yet taken.

    Requests outlive a state: a recording that is stopped while it reconnects goes on reconnecting,
    and is `stopping` again as soon as it has a session.
    """

    def __init__(self) -> None:
        self.state: RecordingState = RecordingState.IDLE
        self.is_paused: bool = False
        self.is_stopping: bool = False  # no more audio is captured; the rest is still transcribed
        self.source_error: Optional[BaseException] = None  # raised once that is done
        self.outcome: Optional[Done] = None
        self._notices: list[Union[SttEvent, Notice]] = []

    @property
    def is_over(self) -> bool:
        """Whether the recording has ended."""
        return self.outcome is not None

    # -- notices ---------------------------------------------------------------------------------

    def notify(self, notice: Union[SttEvent, Notice, None]) -> None:
        """Add an event or a notice for the user, if there is one."""
        if notice is not None:
            self._notices.append(notice)

    def take_notices(self) -> list[Union[SttEvent, Notice]]:
        """Return what was added since the last call, in order."""
        taken, self._notices = self._notices, []
        return taken

    # -- state -----------------------------------------------------------------------------------

    def change(self, state: RecordingState, reason: str) -> None:
        """Change to `state`, unless it is the current one."""
        if state is not self.state:
            self._change(state, reason)

    def rotated(self) -> None:
        """Report a rotation, which does not change the state."""
        self._change(self.state, "rotated")

    def _change(self, state: RecordingState, reason: str) -> None:
        change = StateChange(self.state, state, reason)
        self.state = state
        self.notify(change)

    def run(self, reason: str) -> None:
        """Change to the state of a recording that has a session: running, paused or stopping."""
        if self.is_stopping:
            self.change(RecordingState.STOPPING, reason)
        else:
            state = RecordingState.PAUSED if self.is_paused else RecordingState.RECORDING
            self.change(state, reason)

    def pause(self) -> bool:
        """Pause; return whether that changes anything."""
        if self.is_paused or self.is_stopping or self.is_over:
            return False
        self.is_paused = True
        if self.state is RecordingState.RECORDING:
            self.change(RecordingState.PAUSED, "user_action")
        return True

    def resume(self) -> None:
        """Undo `pause()`."""
        self.is_paused = False
        if self.state is RecordingState.PAUSED:
            self.change(RecordingState.RECORDING, "user_action")

    def stop(self, error: Optional[BaseException]) -> None:
        """Accept no more audio; `error` is what the source failed with, if it did."""
        if not self.is_stopping and not self.is_over:
            self.is_stopping = True
            self.source_error = error
            self.change(RecordingState.STOPPING, "error" if error else "user_action")

    # -- end -------------------------------------------------------------------------------------

    def cancel(self, error: BaseException) -> None:
        """End at the user's request."""
        self.outcome = Done(error)
        self.change(RecordingState.CANCELED, "user_action")

    def fail(self, error: BaseException) -> None:
        """End because of `error`."""
        self.outcome = Done(error)
        self.change(RecordingState.ERROR, "error")

    def finish(self, last: SttEvent) -> None:
        """End after the last result: with the event `last`, or with the error of the source."""
        if self.source_error is not None:
            self.fail(self.source_error)
            return
        self.notify(last)
        self.outcome = Done()
        self.change(RecordingState.STOPPED, "finished")
