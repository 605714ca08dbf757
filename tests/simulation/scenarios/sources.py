"""Sources that are started, paused and stopped while they deliver: an iterable, and a WebSocket."""

from __future__ import annotations

from typing import Any, Optional

from tests.simulation.runner import Simulation
from tests.simulation.words import CONFIG, speak

# an iterable of the user's cannot be interrupted: half a second, and the handler that runs
STOP_SEC = 0.5 + 0.3
_HANDLER_SEC = 0.2


class PlannedError(Exception):
    """Raised by code of the user's, on purpose."""


def run(simulation: Simulation) -> None:
    """Start a source, and stop, pause and start it from several threads, and from its handlers."""
    _Sources(simulation).run()


class _Socket:
    """A WebSocket whose page sends a few chunks, then hangs up, or fails, or sends no more."""

    def __init__(self, scenario: _Sources) -> None:
        self._scenario = scenario
        self._messages = scenario.simulation.queue.SimpleQueue()

    def receive(self) -> Any:
        message = self._messages.get()
        if isinstance(message, Exception):
            raise message
        return message

    def send(self, message: Any) -> None:
        pass

    def close(self) -> None:
        self._messages.put(None)

    def talk(self) -> None:
        """Be the page."""
        for chunk in self._scenario.chunks():
            self._messages.put(chunk)
        if self._scenario.fails:
            self._messages.put(PlannedError("the socket"))
        elif self._scenario.ends:
            self._messages.put(None)


class _Sources:
    def __init__(self, simulation: Simulation) -> None:
        self.simulation = sim = simulation
        self.count = sim.rng.randint(0, 6)
        self.fails = sim.chance(0.2)
        self.ends = sim.chance(0.8)
        self.blocks_sec = sim.rng.choice((0.0, 0.0, 2.0))
        self.stops_inside = sim.rng.choice((0, 0, 0, 1, 2))  # at this chunk
        self.heard: list[int] = []
        self.ended = 0
        self.error: Optional[BaseException] = None
        self.stopped_at: Optional[int] = None  # how many calls there had been
        self.calls = 0
        self.is_closed = False  # the generator
        self.is_inside = False  # a handler
        self.is_paused = False  # ever
        self.is_started = self.may_be_stopped = self.is_restarted = False
        self.socket = _Socket(self) if sim.chance(0.4) else None
        self.source: Any = None

    def chunks(self) -> Any:
        sim = self.simulation
        try:
            for number in range(1, self.count + 1):
                sim.pause(0.2)
                if number == self.count:
                    sim.time.sleep(self.blocks_sec)
                yield speak([number])
            if self.fails and self.socket is None:
                raise PlannedError("the iterable")
        finally:
            self.is_closed = True

    # -- handlers ---------------------------------------------------------------------------------

    def _called(self) -> None:
        sim = self.simulation
        self.calls += 1
        is_stopped = self.stopped_at is not None and not self.is_restarted
        sim.check(not is_stopped, "a handler was called after stop() had returned")
        sim.check(not self.is_inside, "two handlers at once")
        sim.check(not self.ended and self.error is None, "a handler was called after the end")
        self.is_inside = True
        sim.pause(_HANDLER_SEC)
        self.is_inside = False

    def _on_data(self, data: bytes) -> None:
        self._called()
        self.heard.append(data[0])
        if len(self.heard) == self.stops_inside:
            self.source.stop()
            self.stopped_at = self.calls

    def _on_end(self) -> None:
        self._called()
        self.ended += 1

    def _on_error(self, error: BaseException) -> None:
        self._called()
        self.error = error

    # -- what others do ---------------------------------------------------------------------------

    def _pause(self) -> None:
        for _ in range(self.simulation.rng.randint(1, 3)):
            self.simulation.pause(0.3)
            self.is_paused = True
            self.source.pause()
            self.simulation.pause(0.3)
            self.source.resume()

    def _stop(self) -> None:
        sim = self.simulation
        sim.time.sleep(sim.rng.choice((0.0, 0.1, 0.5, 5.0)))
        was_started = self.is_started
        sim.bounded("stop()", STOP_SEC, self.source.stop)
        if was_started:  # otherwise it may run again
            self.stopped_at = self.calls
            is_running = self.is_inside and not self.is_restarted
            sim.check(not is_running, "stop() has returned while a handler runs")
        self.may_be_stopped = True

    def run(self) -> None:
        sim = self.simulation
        sim.allowed_logs = ("! thread soniox-source",)
        if self.socket is None:
            iterable = sim.soniox.sources.IterableSource
            self.source = iterable(self.chunks(), pace=sim.rng.choice((False, 1.0, 4.0)), **CONFIG)
        else:
            self.source = sim.module("web").WebSocketAudio(self.socket)
            sim.thread(self.socket.talk, "page")
        handlers = sim.soniox.sources.AudioSourceHandlers(
            on_data=self._on_data, on_error=self._on_error, on_end=self._on_end
        )
        users = []
        if sim.chance(0.6):
            users.append(sim.thread(self._pause, "pauses"))
        if sim.chance(0.6):
            users.append(sim.thread(self._stop, "stops"))
        self._start(handlers)
        for user in users:
            user.join()
        sim.time.sleep(10.0)
        if self.stopped_at is None and not self.may_be_stopped:
            self._check_whole()
        sim.check(self.heard == sorted(set(self.heard)), "chunks are lost or doubled")
        sim.bounded("the last stop()", STOP_SEC, self.source.stop)
        if self.socket is not None:
            self.source.close()
        else:
            sim.time.sleep(self.blocks_sec + 1.0)
            started = self.heard or self.ended or self.error
            sim.check(self.is_closed or not started, "the user's generator was not closed")

    def _start(self, handlers: Any) -> None:
        sim = self.simulation
        sim.pause(0.3)
        self.source.start(handlers)
        self.is_started = True
        if sim.chance(0.3):
            self.is_restarted = self.socket is not None  # if it was stopped meanwhile
            try:
                self.source.start(handlers)
                sim.check(self.socket is not None, "an iterable was started twice")
                sim.check(self.may_be_stopped or self.stopped_at, "started while it ran")
            except sim.soniox.errors.StateError:
                pass

    def _check_whole(self) -> None:
        """Check a source that nobody stopped: everything came, then one end."""
        sim = self.simulation
        is_page = self.socket is not None
        if not (is_page and self.is_paused):  # a page's audio is dropped meanwhile
            sim.check(self.heard == list(range(1, self.count + 1)), f"heard {self.heard}")
        if self.fails:
            sim.check(isinstance(self.error, PlannedError), f"the cause is {self.error!r}")
        elif is_page:
            sim.check(self.ended == int(self.ends), "no end, or one too many")
        elif self.count:
            sim.check(self.ended == 1, "no end")
        else:
            sim.check(self.error is not None, "no error for no audio")
