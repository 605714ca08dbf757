"""`on()`, `once()` and `off()` of a conversation, with what the handlers of each event may take.

A handler may take fewer arguments than its event has, so the last overload takes any event.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Callable, Literal, Optional, TypeVar, overload

from ...conversation.states import ConversationState
from ...conversation.turns import Dtmf, Silence, Turn
from ...protocol.states import StateChange
from ...runtime.delivery import DECORATED, Handler, register_or_decorate, typed_as
from ...runtime.outlet import Outlet

if TYPE_CHECKING:
    from typing_extensions import Self

H = TypeVar("H", bound=Handler)

ConversationEvent = Literal["turn", "user_partial", "error", "state_change", "dtmf", "silence"]


class ConversationHandlers:
    """Base of `Conversation`."""

    def __init__(self, outlet: Outlet[Turn]) -> None:
        self._outlet = outlet

    @overload
    def on(self, event: Literal["turn"], handler: Callable[[Turn], object]) -> Self: ...
    @overload
    def on(self, event: Literal["user_partial"], handler: Callable[[str], object]) -> Self: ...
    @overload
    def on(self, event: Literal["error"], handler: Callable[[Exception], object]) -> Self: ...
    @overload
    def on(
        self,
        event: Literal["state_change"],
        handler: Callable[[StateChange[ConversationState]], object],
    ) -> Self: ...
    @overload
    def on(self, event: Literal["dtmf"], handler: Callable[[Dtmf], object]) -> Self: ...
    @overload
    def on(self, event: Literal["silence"], handler: Callable[[Silence], object]) -> Self: ...
    @overload
    def on(self, event: ConversationEvent, handler: Callable[[], object]) -> Self: ...
    @overload
    def on(self, event: ConversationEvent) -> Callable[[H], H]: ...
    def on(self, event: str, handler: Handler = DECORATED) -> Any:
        """Call `handler` at each `event`, one of those listed for the class; return this object.

        Without a handler it returns a decorator: `@conversation.on("silence")`.

        Handlers run on a callback thread, one at a time, in order, and may call any method; one
        that blocks delays no interruption. With one for `"turn"` all turns go to handlers, waiting
        ones first, and iterating raises `StateError`.

        Raises
            ConfigurationError: an unknown event.
            StateError: a handler of turns although they are being iterated.
        """
        return register_or_decorate(self, self._outlet.register, event, handler, keep=self)

    @typed_as(on)
    def once(self, event: str, handler: Handler = DECORATED) -> Any:
        """Call `handler` at the next `event` only; otherwise like `on()`."""
        register = self._outlet.register
        return register_or_decorate(self, register, event, handler, once=True, keep=self)

    def off(self, event: ConversationEvent, handler: Optional[Handler] = None) -> Self:
        """Remove `handler`, or all handlers of `event`."""
        self._outlet.unregister(event, handler)
        return self
