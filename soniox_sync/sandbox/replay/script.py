"""What the service does on one connection of a trace, and when. No I/O, no thread, no clock.

A message of the service is a *cue*. It is due once the client messages that preceded it in the
trace have come, those of its stream and those of the connection, and its predecessors have been
played. Streams of a connection do not wait for one another; what concerns the whole connection
waits for all of them:

    trace                          now: config, text of stream b come first
    sent      a config, text
    sent      b config, text
    received  a audio              waits for a's text
    received  b audio              due
    received  a terminated         waits for a's audio
    received  b terminated         due
    close     received 1000        waits for all of the above
"""

from __future__ import annotations

import collections
from dataclasses import dataclass, field
from typing import Callable, Literal, Optional

from .client import Lane, Mark, Mismatch, Said, classify
from .content import Audio, Content, Silence, compare, restore, shown
from .trace import Connection, Line

__all__ = ["Cue", "Script"]

# what a cue does: `wait` is for an end by the client, `freeze` for a service that went silent
Act = Literal["send", "close", "cut", "freeze", "wait"]


@dataclass(eq=False)
class Cue:
    """One thing that the service does; `line` says what."""

    line: Line
    lane: Lane
    needs: list[tuple[Lane, Mark]]
    after: float
    """Clock of the trace from which its delay counts: the last thing that it depends on."""
    act: Act = "send"
    due: Optional[float] = None
    """Time at which to play it, once that is known."""

    @property
    def ready(self) -> bool:
        """Whether everything that it needs has come."""
        return self.act != "wait" and all(lane.reached(mark) for lane, mark in self.needs)

    @property
    def missing(self) -> Optional[Mismatch]:
        """What has not come yet; `None` if only the end of the connection has not."""
        found = (lane.missing(mark) for lane, mark in self.needs)
        return next((each for each in found if each is not None), None)


@dataclass(eq=False)
class _Phase:
    """Cues of streams, and the cue of the whole connection that follows them."""

    streams: dict[int, collections.deque[Cue]] = field(default_factory=dict)
    last: Optional[Cue] = None

    def heads(self) -> list[Cue]:
        """Return the cues that have no unplayed predecessor."""
        waiting = [cues[0] for cues in self.streams.values() if cues]
        return waiting or ([self.last] if self.last is not None else [])


class _Reader:
    """Sorts the lines of one connection into lanes and cues."""

    def __init__(self, connection: Connection) -> None:
        self.whole = Lane()
        self.lanes: list[Lane] = []
        self.phases: collections.deque[_Phase] = collections.deque([_Phase()])
        self._current: dict[str, Lane] = {}
        # lanes with messages of the client since the last thing of the whole connection
        self._changed: dict[int, Lane] = {}
        # clock of the last thing on each lane; of the connection's lane, on any
        self._clocks: dict[int, float] = {}
        self._clock = connection.clock
        last = connection.line
        for line in connection.lines:
            last = line.number
            if line.kind == "sent":
                self._expect(line)
            elif line.kind == "received":
                self._send(line)
            else:
                self._add(line, self.whole, _ending(line))
                return
        # the traced program was ended, or the trace was cut: what would have come is not known
        self._add(Line(last, self._clock, "end"), self.whole, "wait")

    def _expect(self, line: Line) -> None:
        said = classify(line.content)
        if said.kind == "nothing":
            return
        lane = self.whole if said.stream is None else self._lane(said.stream, said.configures)
        lane.expect(said, line.number)
        self._changed[id(lane)] = lane
        self._clock = self._clocks[id(lane)] = line.clock

    def _send(self, line: Line) -> None:
        stream = line.content.get("stream_id") if isinstance(line.content, dict) else None
        lane = self._lane(stream, False) if isinstance(stream, str) else self.whole
        self._add(line, lane, "send")

    def _lane(self, stream: str, begins: bool) -> Lane:
        """Return the lane of a stream; a config begins a new one, as ids may be used again."""
        lane = self._current.get(stream)
        if lane is None or (begins and lane.config):
            lane = self._current[stream] = Lane(stream)
            self.lanes.append(lane)
        return lane

    def _add(self, line: Line, lane: Lane, act: Act) -> None:
        if lane is self.whole:
            # of the others, all that is expected has come before the cue that precedes this one
            self._changed.pop(id(lane), None)
            needs = [(each, each.mark) for each in (lane, *self._changed.values())]
            self._changed.clear()
            cue = Cue(line, lane, needs, self._clock, act)
            self.phases[-1].last = cue
            self.phases.append(_Phase())
            # nothing on any lane is earlier from now on
            self._clocks.clear()
        else:
            mark = lane.mark
            if lane.answered_after is None:
                lane.answered_after = mark.chars
            needs = [(lane, mark), (self.whole, self.whole.mark)]
            after = max(self._clocks.get(id(each), 0.0) for each in (lane, self.whole))
            cue = Cue(line, lane, needs, after or line.clock)
            self.phases[-1].streams.setdefault(id(lane), collections.deque()).append(cue)
        self._clock = self._clocks[id(lane)] = line.clock


def _ending(line: Line) -> Act:
    """Return what the service does at the end of a connection that it did, or did not, end."""
    if line.kind == "close received":
        return "close"
    error = str(line.content or "")
    if line.kind == "close sent" or not error.startswith("SonioxConnectionError"):
        return "wait"
    # a reset is replayed as a cut: it could overtake messages that the trace has as received
    return "freeze" if "timed out" in error else "cut"


class Script:
    """Cues of one connection, and what its client is expected to send.

    `siblings`: a list of the scripts of all connections to one path, to which this one is added.
    Which connection of a pool carries a stream is a matter of luck, so a stream that the trace has
    on another connection is found there and moves to this one, with its cues.
    """

    def __init__(self, connection: Connection, siblings: Optional[list[Script]] = None) -> None:
        read = _Reader(connection)
        # scripts of all connections to this path, in order; one lock guards them all
        self._siblings = siblings if siblings is not None else []
        self._siblings.append(self)
        self._whole, self._lanes, self._phases = read.whole, read.lanes, read.phases
        self._silences: dict[int, Silence] = {}
        # streams that the client has begun, by its ids
        self._live: dict[str, Lane] = {}
        # config and text of streams that may be any of several lanes, until their text decides
        self._undecided: dict[str, list[Said]] = {}
        self.clock: float = connection.clock
        """Clock of the trace up to which was played."""
        self.released: Callable[[], object] = bool
        """Called after a lane has moved to another script, so that other cues may be ready."""

    # -- the client

    def take(self, content: Content) -> bool:
        """Count a message of the client; return False if it is a keepalive.

        Raises
            Mismatch: the trace has something else.
        """
        said = classify(content)
        if said.kind == "nothing":
            return False
        if said.stream is None:
            self._whole.take(said)
        elif said.configures:
            self._begin(said.stream, said)
        else:
            self._continue(said.stream, said)
        return True

    def _begin(self, stream: str, said: Said) -> None:
        known = self._live.get(stream)
        if known is not None and not known.over:
            known.take(said)
            return
        self._live.pop(stream, None)
        fitting = self._fitting(said)
        if len(fitting) > 1 and all(lane.waits_for_more("") for lane in fitting):
            self._undecided[stream] = [said]
            return
        free = fitting or self.unbegun()
        if not free:
            raise Mismatch("message", None, None, shown(said.content))
        self._bind(free[0], stream, [said])

    def _continue(self, stream: str, said: Said) -> None:
        held = self._undecided.get(stream)
        if held is not None:
            held.append(said)
            self._decide(stream, held)
            return
        lane = self._live.get(stream)
        if lane is None:
            raise Mismatch("message", None, None, shown(said.content))
        lane.take(said)

    def _decide(self, stream: str, held: list[Said]) -> None:
        """Find the lane of a stream by its text, unless more of it is to come first.

        In the trace, two streams with one voice: "The sun.", "The sea.". Now a stream comes with
        "The s": either. With "The se": the second.
        """
        fitting = self._fitting(held[0])
        if not fitting:
            raise Mismatch("message", None, None, shown(held[0].content))
        text = "".join(said.text for said in held)
        alike = [lane for lane in fitting if lane.begins_with(text, ended=held[-1].ends)]
        over = held[-1].ends or held[-1].cancels
        if len(alike) > 1 and not over and all(lane.waits_for_more(text) for lane in alike):
            return
        del self._undecided[stream]
        self._bind((alike or fitting)[0], stream, held)

    def _fitting(self, config: Said) -> list[Lane]:
        """Return the lanes with this config that no stream has begun, own ones first."""
        others = [script for script in self._siblings if script is not self]
        free = [lane for script in (self, *others) for lane in script.unbegun()]
        return [lane for lane in free if compare(lane.config, config.content) is None]

    def unbegun(self) -> list[Lane]:
        """Return the lanes that no stream has begun."""
        return [lane for lane in self._lanes if lane.live is None]

    def _bind(self, lane: Lane, stream: str, come: list[Said]) -> None:
        if lane not in self._lanes:
            self._swap(lane, come[0])
        lane.live = stream
        self._live[stream] = lane
        for said in come:
            lane.take(said)

    def _swap(self, lane: Lane, config: Said) -> None:
        """Take a lane from another script, and give it one of ours in return.

        Its connection is then still expected to carry as many streams, and does not end too early.
        """
        owner = next(script for script in self._siblings if lane in script.unbegun())
        ours = (own for own in self.unbegun() if compare(own.config, config.content) is None)
        given = next(ours, None)
        taken = owner.release(lane)
        if given is not None:
            owner.accept(given, self.release(given))
        self.accept(lane, taken)
        owner.released()

    def release(self, lane: Lane) -> collections.deque[Cue]:
        """Return the cues of a lane that moves to another script, and forget it."""
        self._lanes.remove(lane)
        found: collections.deque[Cue] = collections.deque()
        for phase in self._phases:
            found.extend(phase.streams.pop(id(lane), ()))
            if phase.last is not None:
                phase.last.needs = [each for each in phase.last.needs if each[0] is not lane]
        for cue in found:
            cue.needs = [each for each in cue.needs if each[0] is lane]
        return found

    def accept(self, lane: Lane, cues: collections.deque[Cue]) -> None:
        """Add a lane of another script; what concerns the whole connection waits for it."""
        self._lanes.append(lane)
        phase = self._phases[0]
        phase.streams[id(lane)] = cues
        if phase.last is not None:
            phase.last.needs.append((lane, lane.mark))

    # -- the service

    def heads(self) -> list[Cue]:
        """Return the cues that have no unplayed predecessor; empty when all are played."""
        return self._phases[0].heads() if self._phases else []

    def played(self, cue: Cue) -> None:
        """Remove a cue from the heads."""
        phase = self._phases[0]
        if cue is phase.last:
            self._phases.popleft()
        else:
            cues = phase.streams[id(cue.lane)]
            cues.popleft()
            if not cues:  # or each of thousands would be looked at for every cue
                del phase.streams[id(cue.lane)]
        self.clock = max(self.clock, cue.line.clock)

    def message(self, cue: Cue) -> Content:
        """Return the message of a cue, with the client's id of its stream, and audio."""
        content, lane = cue.line.content, cue.lane
        silence = self._silences.get(id(lane))
        if silence is None:
            config = lane.config
            silence = Silence(config.get("audio_format"), config.get("sample_rate"))
            self._silences[id(lane)] = silence
        if isinstance(content, Audio):
            return silence.take(content)
        message = restore(content, silence)
        if lane is not self._whole:
            message["stream_id"] = lane.live if lane.live is not None else lane.stream
            lane.over = lane.over or bool(message.get("terminated"))
        return message
