"""`on()`, `once()` and `off()` of a session, with what the handlers of each event may take.

A handler may take fewer arguments than its event has, so the last overload takes any event.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Callable, Literal, Optional, TypeVar, overload

from ...protocol.states import StateChange, SttSessionState
from ...protocol.tokens import Result, Token
from ...runtime.delivery import DECORATED, Handler, register_or_decorate, typed_as
from .outlet import EventSource

if TYPE_CHECKING:
    from typing_extensions import Self

H = TypeVar("H", bound=Handler)

SessionEvent = Literal[
    "result",
    "token",
    "endpoint",
    "finalized",
    "finished",
    "connected",
    "disconnected",
    "error",
    "state_change",
]


class SessionHandlers(EventSource):
    """Base of `SttSession`."""

    @overload
    def on(self, event: Literal["result"], handler: Callable[[Result], object]) -> Self: ...
    @overload
    def on(self, event: Literal["token"], handler: Callable[[Token], object]) -> Self: ...
    @overload
    def on(
        self, event: Literal["disconnected"], handler: Callable[[Optional[str]], object]
    ) -> Self: ...
    @overload
    def on(self, event: Literal["error"], handler: Callable[[Exception], object]) -> Self: ...
    @overload
    def on(
        self,
        event: Literal["state_change"],
        handler: Callable[[StateChange[SttSessionState]], object],
    ) -> Self: ...
    @overload
    def on(self, event: SessionEvent, handler: Callable[[], object]) -> Self: ...
    @overload
    def on(self, event: SessionEvent) -> Callable[[H], H]: ...
    def on(self, event: str, handler: Handler = DECORATED) -> Any:
        """Call `handler` at each `event`, one of those listed for the class; return this object.

        Without a handler it returns a decorator: `@session.on("result")`.

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

    def off(self, event: SessionEvent, handler: Optional[Handler] = None) -> Self:
        """Remove `handler`, or all handlers of `event`."""
        self._outlet.unregister(event, handler)
        return self
