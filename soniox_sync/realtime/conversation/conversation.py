"""`Conversation`: what users hold. Threads are in `runtime`, decisions in `conversation`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, Callable, Optional

from ..._support.checks import boolean, encoded, seconds, text, timeout
from ..._support.locks import new_lock
from ..._support.reprs import summary
from ...cancel import CancelToken
from ...conversation.agent import Voice
from ...conversation.states import ConversationState
from ...conversation.turns import ConversationMetrics, Turn, measure
from ...errors import SonioxTimeoutError, StateError, fresh
from ...runtime import forks
from ...runtime.signals import safe_in_signal_handlers
from ...runtime.unclosed import close_when_collected
from ...transport.deadline import Deadline, wait_for
from .handlers import ConversationHandlers
from .replies import filtered
from .runtime import ConversationRuntime

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from ...config.keywords import VoiceKeywords

_any_text = text(empty=True)


class Conversation(ConversationHandlers):
    """Conversation between a user and an agent that answers by `reply`.

    Made by `client.realtime.converse()`, and already listening. Iterating gives each `Turn` when it
    is over; the loop ends when the conversation does, and raises what `reply` or a service raised.
    Leaving the loop or the `with` block ends the conversation at once. Turns wait for a loop that
    is slow; interruptions do not. Thread-safe, also inside `reply` and handlers.

    Events for `on()`: `"turn"` (`Turn`; instead of iterating), `"user_partial"` (`str`: the turn so
    far, which may still change), `"state_change"` (`StateChange`, with `reason` `"endpoint"`,
    `"reply"`, `"heard"`, `"interrupted"`, `"resumed"`, `"withdrawn"` or `"stopped"`), `"dtmf"`
    (`Dtmf`), `"silence"` (`Silence`), `"error"` (exception).
    """

    def __init__(
        self,
        runtime: ConversationRuntime,
        cancel: Optional[CancelToken],
        check_voice: Callable[[Mapping[str, Any]], Voice],
    ) -> None:
        super().__init__(runtime.outlet)
        # Immutable
        self._runtime = runtime
        self._check_voice = check_voice
        self._no_reply = CancelToken()
        self._forget: Callable[[], None] = lambda: None
        # Guards the settings below. Leaf.
        self._lock = new_lock()
        self._barge_in = runtime.turns.barge_in
        self._patience_sec = runtime.turns.patience_sec
        self._voice = runtime.turns.voice
        if cancel is not None:
            end = runtime.cancel
            self._forget = cancel.on_cancel(lambda: end(cancel.error()))
        forks.register(self._invalidate)
        ended = runtime.ended
        close_when_collected(
            self,
            lambda: f"Conversation {runtime.describe()}",
            lambda: not ended.is_set(),
            runtime.cancel,
        )

    # -- facts -----------------------------------------------------------------------------------

    @property
    def state(self) -> ConversationState:
        """Current state."""
        return self._runtime.turns.state

    @property
    def ended_by(self) -> Optional[str]:
        """Who ended it: `"user"`, `"agent"`, `"cancel"` or `"error"`; `None` while it goes on."""
        return self._runtime.turns.ended_by

    @property
    def turns(self) -> list[Turn]:
        """Turns that are over, as a new list; in the order in which they ended."""
        return self._runtime.all_turns()

    def messages(self) -> list[dict[str, str]]:
        """Return the conversation for a language model, oldest first.

        A new list of `{"role": "user" | "assistant", "content": ...}`; of the agent's texts only
        what was heard. It is complete before `reply` is called; the text to answer comes last.
        """
        return self._runtime.messages()

    @property
    def metrics(self) -> ConversationMetrics:
        """How many turns there were, and how long the answers took."""
        return measure(self.turns)

    @property
    def reply_cancel(self) -> CancelToken:
        """Token of the current call of `reply`, cancelled once its answer is no longer wanted."""
        here = self._runtime.replies.current_here
        job = self._runtime.job if here is None else here
        return self._no_reply if job is None else job.cancel

    @property
    def barge_in(self) -> bool:
        """Whether words of the user stop the agent; may be set at any time."""
        return self._barge_in

    @barge_in.setter
    def barge_in(self, value: bool) -> None:
        boolean("barge_in", value)
        with self._lock:
            self._barge_in = value
            self._runtime.post(lambda turns, at: setattr(turns, "barge_in", value))

    @property
    def patience_sec(self) -> float:
        """Seconds of quiet after the endpoint before `reply` is called; may be set at any time."""
        return self._patience_sec

    @patience_sec.setter
    def patience_sec(self, value: float) -> None:
        seconds("patience_sec", value)
        with self._lock:
            self._patience_sec = value
            self._runtime.post(lambda turns, at: setattr(turns, "patience_sec", float(value)))

    def __repr__(self) -> str:
        return summary(self, self._runtime.describe())

    # -- speaking --------------------------------------------------------------------------------

    def say(self, text: str, *, barge_in: Optional[bool] = None, remember: bool = True) -> None:
        """Say a text when the user is not speaking, after what already waits to be said.

        Does not wait. Inside `reply` its place is between the texts that are yielded. `barge_in`:
        `False` for a notice that must not be cut, so that what is said over it is the next turn;
        `None` follows the conversation. `remember`: `False` for a filler that is in neither `turns`
        nor `messages()`. A text without anything to say does nothing.

        Raises
            StateError: the conversation has ended.
            InputTypeError: an argument of the wrong type.
        """
        shown = self._spoken("text", text)
        if barge_in is not None:
            boolean("barge_in", barge_in)
        boolean("remember", remember)
        self._check_open("say something")
        job = self._runtime.replies.current_here
        number = None if job is None else job.number
        self._runtime.post(
            lambda turns, at: turns.say(at, shown, barge_in=barge_in, remember=remember, job=number)
        )

    def _spoken(self, name: str, text: str) -> str:
        """Return what the voice gets of a text."""
        _any_text(name, text)
        return "".join(filtered(self._runtime.replies.text_filter, [text]))

    def interrupt(self) -> None:
        """Cut what the agent says now and what waits to be said, but not a farewell.

        Use it for detectors of your own, and for keys. Does nothing while the agent is silent. Does
        not wait.
        """
        self._runtime.post(lambda turns, at: turns.interrupt(at))

    def set_voice(self, **voice_fields: Unpack[VoiceKeywords]) -> None:
        """Speak with another voice, language or speed from the next sentence on.

        Takes fields of `TtsStreamInput`, which replace the current ones; not those of the audio's
        format.

        Raises
            ConfigurationError: an unknown field, or an invalid value.
        """
        with self._lock:
            voice = self._check_voice({**self._voice, **voice_fields})
            self._voice = voice
            self._runtime.post(lambda turns, at: turns.voice_changed(voice))

    # -- the user --------------------------------------------------------------------------------

    def end_turn(self) -> None:
        """End the user's turn: what was said so far is made final, and answered.

        In push-to-talk (`turn_end="manual"`) only this ends a turn; it may be called in either
        mode. Does not wait.

        Raises
            StateError: the conversation has ended.
        """
        self._check_open("end a turn")
        self._runtime.post(lambda turns, at: turns.end_turn(at))

    def user_said(self, text: str) -> None:
        """Take a turn that was typed or keyed instead of spoken. Does not wait.

        Raises
            StateError: the conversation has ended.
            InputTypeError: not a `str`.
        """
        _any_text("text", text)
        encoded("text", text)
        self._check_open("take a turn")
        self._runtime.post(lambda turns, at: turns.user_said(at, text))

    def pause(self) -> None:
        """Leave out what is said until `resume()`; what was said before is made final.

        As `Recording.pause()`: the session is kept alive, and billed. Idempotent.
        """
        self._runtime.post(lambda turns, at: turns.pause(at, True))
        self._runtime.recording.pause()

    def resume(self) -> None:
        """Listen again. Idempotent."""
        self._runtime.recording.resume()
        self._runtime.post(lambda turns, at: turns.pause(at, False))

    # -- iterating -------------------------------------------------------------------------------

    def __iter__(self) -> Iterator[Turn]:
        """Iterate over the turns, each when it is over.

        Ends when the conversation was ended, also by `cancel()`. After the turns before it, it
        raises what `reply` raised, unchanged, `SystemExit` included (but `StopIteration` and
        `GeneratorExit` as `RuntimeError`, as they would end your loop silently); the error of a
        service, the source or the sink; `AbortError` if the token of `cancel=` was cancelled;
        `StateError` if turns go to a handler, or inside `reply`, because no turn can end before
        that has returned.
        """
        self._check_outside()
        self._runtime.outlet.delivery.start_pulling()
        return self._loop()

    def _loop(self) -> Iterator[Turn]:
        try:
            take, forever = self._runtime.outlet.delivery.take, Deadline(None)
            while (turn := take(forever, "turn")) is not None:
                yield turn
                try:
                    self._check_outside()
                except StateError as error:  # a loop that was begun elsewhere: it is broken now
                    self._runtime.fail(error)
                    raise
        finally:
            self.close()

    def _check_outside(self) -> None:
        if self._runtime.replies.current_here is not None:
            raise StateError("cannot iterate inside reply: the next turn waits for its answer")
        if self._runtime.is_inside:
            raise StateError("cannot iterate inside the sink: the next turn waits for it")

    def wait(self, timeout_sec: Optional[float] = None) -> None:
        """Wait until the conversation has ended; use it where turns go to a handler.

        `timeout_sec`: the longest wait, `None` (the default) for as long as it takes, 0: do not
        wait.

        Raises
            SonioxTimeoutError: it has not ended by then.
            SonioxError: what ended it; also what `reply` raised, of its own class.
        """
        timeout("timeout_sec", timeout_sec)
        deadline = Deadline(timeout_sec)
        if not wait_for(self._runtime.ended, deadline):
            raise SonioxTimeoutError(
                f"the conversation did not end {deadline.within}: wait longer with "
                "wait(timeout_sec=...), or end it with stop()"
            )
        error = self._runtime.outlet.delivery.error
        if error is not None:
            raise fresh(error)

    # -- ending ----------------------------------------------------------------------------------

    def stop(self, farewell: Optional[str] = None, timeout_sec: float = 30.0) -> None:
        """End the conversation once all that waits to be said, the farewell last, was *heard*.

        The farewell cannot be interrupted, and turns that end meanwhile are not answered. Waits
        until it was heard; then the loop ends. Thread-safe, also inside `reply` (whose later texts
        are not said) and in handlers. Inside the sink, which has to play the farewell, it does not
        wait. `timeout_sec`: the longest wait, after which the farewell is cut.

        Raises
            SonioxTimeoutError: it was not heard by then; the conversation has ended all the same.
        """
        spoken = "" if farewell is None else self._spoken("farewell", farewell)
        seconds("timeout_sec", timeout_sec)
        job = self._runtime.replies.current_here
        number = None if job is None else job.number
        self._runtime.post(lambda turns, at: turns.stop(at, spoken, number))
        if self._runtime.is_inside:
            return
        if not wait_for(self._runtime.ended, Deadline(timeout_sec)):
            self._runtime.post(lambda turns, at: turns.cancel(at, "agent"))
            raise SonioxTimeoutError(f"the farewell was not heard within {timeout_sec:g} s")

    @safe_in_signal_handlers
    def cancel(self) -> None:
        """End at once: the sink is cleared, the loop ends. Does not wait. Idempotent."""
        self._forget()
        self._runtime.cancel()

    @safe_in_signal_handlers
    def close(self) -> None:
        """End at once, and wait a few seconds at most until the threads have ended. Idempotent.

        It does not wait for a `reply` that is inside your code: its thread ends when that returns.
        Inside the sink it does not wait at all, because one of these threads calls it.
        """
        self.cancel()
        self._runtime.join()

    def __enter__(self) -> Conversation:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()

    def _check_open(self, what: str) -> None:
        forks.check()
        if self._runtime.ended.is_set():
            raise StateError(f"cannot {what}: the conversation has ended")

    def _invalidate(self) -> None:
        """Fail in a forked child; the parent's conversation goes on."""
        error = forks.fork_error("conversation", "start")
        self._runtime.outlet.delivery.end(error)
        self._runtime.ended.set()
        self._runtime.over.set()
