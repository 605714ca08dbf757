"""`on()`, `once()` and `off()` of a recording, with what the handlers of each event may take.

A handler may take fewer arguments than its event has, so the last overload takes any event.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Callable, Literal, Optional, TypeVar, overload

from ...protocol.states import StateChange
from ...protocol.tokens import Result, Token
from ...recorder.actions import Reconnected, RecordingState, SessionRestart
from ...runtime.delivery import DECORATED, Handler, register_or_decorate, typed_as
from ..stt.outlet import EventSource
from .events import Reconnecting

if TYPE_CHECKING:
    from typing_extensions import Self

H = TypeVar("H", bound=Handler)

RecordingEvent = Literal[
    "connected",
    "endpoint",
    "error",
    "finalized",
    "finished",
    "reconnected",
    "reconnecting",
    "result",
    "session_restart",
    "source_muted",
    "source_unmuted",
    "state_change",
    "token",
]


class RecordingHandlers(EventSource):
    """Base of `Recording`."""

    @overload
    def on(self, event: Literal["result"], handler: Callable[[Result], object]) -> Self: ...
    @overload
    def on(self, event: Literal["token"], handler: Callable[[Token], object]) -> Self: ...
    @overload
    def on(self, event: Literal["error"], handler: Callable[[Exception], object]) -> Self: ...
    @overload
    def on(
        self,
        event: Literal["state_change"],
        handler: Callable[[StateChange[RecordingState]], object],
    ) -> Self: ...
    @overload
    def on(
        self, event: Literal["reconnecting"], handler: Callable[[Reconnecting], object]
    ) -> Self: ...
    @overload
    def on(
        self, event: Literal["reconnected"], handler: Callable[[Reconnected], object]
    ) -> Self: ...
    @overload
    def on(
        self, event: Literal["session_restart"], handler: Callable[[SessionRestart], object]
    ) -> Self: ...
    @overload
    def on(self, event: RecordingEvent, handler: Callable[[], object]) -> Self: ...
    @overload
    def on(self, event: RecordingEvent) -> Callable[[H], H]: ...
    def on(self, event: str, handler: Handler = DECORATED) -> Any:
        """Call `handler` at each `event`, one of those listed for the class; return this object.

        Without a handler it returns a decorator: `@recording.on("result")`.

        Handlers run on a callback thread, one at a time, in order, and may call any method. With
        one for `"result"` or `"token"` all results go to handlers, waiting ones first, and
        iterating raises `StateError`.

        Raises
            ConfigurationError: an unknown event.
            StateError: a data handler although the results are being iterated.
        """
        return register_or_decorate(self, self._outlet.register, event, handler, keep=self)

    @typed_as(on)
    def once(self, event: str, handler: Handler = DECORATED) -> Any:
        """Call `handler` at the next `event` only; otherwise like `on()`."""
        register = self._outlet.register
        return register_or_decorate(self, register, event, handler, once=True, keep=self)

    def off(self, event: RecordingEvent, handler: Optional[Handler] = None) -> Self:
        """Remove `handler`, or all handlers of `event`."""
        self._outlet.unregister(event, handler)
        return self
