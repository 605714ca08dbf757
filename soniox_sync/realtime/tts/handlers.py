"""`on()`, `once()` and `off()` of speech, with what the handlers of each event may take.

A handler may take fewer arguments than its event has, so the last overload takes any event.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Callable, Literal, Optional, TypeVar, overload

from ...protocol.tts import AudioChunk, Timestamps
from ...runtime.delivery import DECORATED, Emitter, Handler, register_or_decorate, typed_as
from ...runtime.outlet import Outlet

if TYPE_CHECKING:
    from typing_extensions import Self

H = TypeVar("H", bound=Handler)

StreamEvent = Literal["audio", "audio_end", "terminated", "error"]
ConnectionEvent = Literal["error", "close"]


class StreamHandlers:
    """Base of `TtsStream`."""

    _outlet: Outlet[AudioChunk]

    @overload
    def on(
        self, event: Literal["audio"], handler: Callable[[bytes, Optional[Timestamps]], object]
    ) -> Self: ...
    @overload
    def on(self, event: Literal["audio"], handler: Callable[[bytes], object]) -> Self: ...
    @overload
    def on(self, event: Literal["error"], handler: Callable[[Exception], object]) -> Self: ...
    @overload
    def on(self, event: StreamEvent, handler: Callable[[], object]) -> Self: ...
    @overload
    def on(self, event: StreamEvent) -> Callable[[H], H]: ...
    def on(self, event: str, handler: Handler = DECORATED) -> Any:
        """Call `handler` at each `event`; return this stream.

        Without a handler it returns a decorator: `@stream.on("audio")`.

        Events: `"audio"` (chunk, timestamps), `"audio_end"`, `"terminated"`, `"error"` (exception).
        Handlers run on the stream's own callback thread, one at a time, in order: a slow one delays
        only its stream. With an `"audio"` handler all audio goes to handlers, waiting chunks first,
        and iterating raises `StateError`.
        """
        return register_or_decorate(self, self._outlet.register, event, handler, keep=self)

    @typed_as(on)
    def once(self, event: str, handler: Handler = DECORATED) -> Any:
        """Call `handler` at the next `event` only; otherwise like `on()`."""
        register = self._outlet.register
        return register_or_decorate(self, register, event, handler, once=True, keep=self)

    def off(self, event: StreamEvent, handler: Optional[Handler] = None) -> Self:
        """Remove `handler`, or all handlers of `event`."""
        self._outlet.unregister(event, handler)
        return self


class ConnectionHandlers:
    """Base of `TtsConnection`."""

    _events: Emitter

    @overload
    def on(self, event: Literal["error"], handler: Callable[[Exception], object]) -> Self: ...
    @overload
    def on(self, event: ConnectionEvent, handler: Callable[[], object]) -> Self: ...
    @overload
    def on(self, event: ConnectionEvent) -> Callable[[H], H]: ...
    def on(self, event: str, handler: Handler = DECORATED) -> Any:
        """Call `handler` at each `"error"` (exception) or `"close"`, on the callback thread.

        Returns this object; without a handler a decorator.
        """
        return register_or_decorate(self, self._events.on, event, handler)

    @typed_as(on)
    def once(self, event: str, handler: Handler = DECORATED) -> Any:
        """Call `handler` at the next `event` only; otherwise like `on()`."""
        return register_or_decorate(self, self._events.on, event, handler, once=True)

    def off(self, event: ConnectionEvent, handler: Optional[Handler] = None) -> Self:
        """Remove `handler`, or all handlers of `event`."""
        self._events.off(event, handler)
        return self
