"""Which text goes on which stream, and when a stream's text ends. No clock, no I/O.

Every stream on the server has timers that kill it (PROTOCOL 3.5) and limits of text and audio
(3.4). The planner cuts one endless text into *parts*, each short enough for a stream, and ends a
part before a timer runs out: because the writer is quiet, because nothing has sounded yet, or
because less sounds than time passes. The text goes on in a new part. Whoever owns the planner
tells it the time and what happened, and does what it says.
"""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass, field, replace
from typing import Optional

from ..errors import ConfigurationError
from .lengths import estimate_sec, is_speakable, utf8_size
from .segmenter import Piece, Segmenter

__all__ = ["Part", "Planner", "Progress", "Say", "SpeechLimits"]


@dataclass(frozen=True)
class SpeechLimits:
    """Says how far below the server's limits a speech stays. Times are seconds.

    The server's own numbers stand behind each; those of time shrink with `max_quiet_sec`.
    """

    max_quiet_sec: float = 3.0  # 5.2: a stream whose writer is silent is killed
    settle_sec: float = 0.2  # how long "Hello." waits for more before it is a sentence
    number_settle_sec: float = 0.6  # the same after "3." or "example.", which often go on
    start_hold_sec: float = 4.0  # 10: a stream that has not sounded yet is killed
    rate_from_sec: float = 4.0  # 11: from then on audio must keep up with time; a slow voice needs
    least_rate: float = 0.9  # the difference to catch up. 0.8 of time
    stall_sec: float = 20.0  # 12: no stream lives that long in silence after its text ended
    part_sec: float = 75.0  # 120: audio of one stream; the estimate is high by about a third
    part_max_sec: float = 100.0  # only to reach a sentence's end
    part_bytes: int = 1200  # 5000: text of one stream
    part_max_bytes: int = 1800
    single_sec: float = 150.0  # a format that takes no second stream dares more: estimated, too
    single_bytes: int = 4900
    lookahead: int = 2  # streams at once: the one that sounds and the next

    @classmethod
    def for_quiet(cls, max_quiet_sec: float) -> SpeechLimits:
        """Give the limits with this `max_quiet_sec`; a smaller one makes all timers smaller."""
        limits = cls()
        factor = min(1.0, max_quiet_sec / limits.max_quiet_sec)
        return replace(
            limits,
            max_quiet_sec=max_quiet_sec,
            settle_sec=limits.settle_sec * factor,
            number_settle_sec=limits.number_settle_sec * factor,
            start_hold_sec=limits.start_hold_sec * factor,
            rate_from_sec=limits.rate_from_sec * factor,
        )


class Progress:
    """Is what is known of the audio of one attempt at a part. Written by one thread, read by any.

    `audio_sec`: audio received, estimated for compressed formats. `at`: when the last came.
    """

    __slots__ = ("at", "audio_sec", "heard")

    def __init__(self) -> None:
        self.heard = False
        self.audio_sec = 0.0
        self.at = 0.0


@dataclass(eq=False)
class Part:
    """Is the text of one stream, or of several when the first ones failed."""

    number: int
    lead: str = ""  # what nobody says, between the part before and this one
    text: str = ""
    sec: float = 0.0
    size: int = 0
    strong: bool = True  # its text ends with a sentence
    ended: bool = False  # takes no more text
    over: bool = False  # spoken, or given up
    # the present attempt
    begin: int = 0  # of its text in the part's text
    sent: int = 0  # up to here in the part's text
    end_sent: bool = False
    opened_at: Optional[float] = None
    sent_at: float = 0.0
    not_before: float = 0.0
    progress: Progress = field(default_factory=Progress)


@dataclass(frozen=True)
class Say:
    """Asks to send `text` (may be empty when `end`) on the stream of `part`, opened if need be."""

    part: Part
    text: str
    end: bool


class Planner:
    """Turns text and time into `Say`s. Not thread-safe; owned by one thread."""

    def __init__(self, limits: SpeechLimits, *, speed: float = 1.0, joinable: bool = True) -> None:
        self._limits = limits
        self._speed = speed
        self._joinable = joinable
        self._segmenter = Segmenter()
        self._pending: deque[Piece] = deque()
        self._text_ended = False
        self._arrived_at = 0.0  # the last text
        self._oldest_at: Optional[float] = None  # the oldest that the segmenter holds
        self._parts = 0
        self._placed = 0  # characters in parts
        self._lead: list[str] = []  # of the next part
        self._current: Optional[Part] = None
        self._live: list[Part] = []  # opened, not over
        self._unconsumed = 0  # opened, not yet played out

    # -- what happened ---------------------------------------------------------------------------

    def add(self, text: str, now: float) -> None:
        """Take text of the writer."""
        if text:
            self._segmenter.add(text)
            self._arrived_at = now
            if self._oldest_at is None:
                self._oldest_at = now
            self._collect(self._segmenter.take(), now)

    def end(self) -> None:
        """Learn that the writer is done."""
        self._text_ended = True
        self._pending.extend(self._segmenter.rest(final=True))
        self._oldest_at = None

    def consumed(self) -> None:
        """Learn that the oldest part is played out."""
        self._unconsumed -= 1

    def over(self, part: Part) -> None:
        """Learn that a part is spoken, or will not be."""
        part.over = part.ended = True
        if part in self._live:
            self._live.remove(part)

    def restart(self, part: Part, begin: int, not_before: float) -> bool:
        """Plan another attempt at `part` from character `begin` of its text.

        Gives False when there is nothing left to say: then the part is over.
        """
        if not is_speakable(part.text[begin:]):
            self.over(part)
            return False
        part.begin = part.sent = begin
        part.end_sent = False
        part.opened_at = None
        part.not_before = not_before
        part.progress = Progress()
        return True

    def refused(self, say: Say) -> None:
        """Take back a `Say` whose stream would not have it; nothing follows until it has ended."""
        part = say.part
        part.sent -= len(say.text)
        part.end_sent = part.end_sent and not say.end
        part.not_before = math.inf

    def stop(self) -> None:
        """Take no more text and open no more parts."""
        self._text_ended = True
        self._pending.clear()
        self._segmenter = Segmenter()
        self._oldest_at = None

    # -- what to do ------------------------------------------------------------------------------

    def decide(self, now: float) -> list[Say]:
        """Give what is to be sent now, in order; it counts as sent.

        Raises `ConfigurationError` when a format that cannot be joined would need two streams.
        """
        self._release(now)
        self._fill(now)
        return [say for part in list(self._live) if (say := self._next_say(part, now)) is not None]

    def wake_at(self) -> Optional[float]:
        """Give the time at which `decide` must be asked again if nothing happens before."""
        times = [self._release_at(), *(self._due_at(part) for part in self._live)]
        return min((at for at in times if at is not None and at < math.inf), default=None)

    def stalled(self, now: float) -> list[Part]:
        """Give the parts whose stream owes audio and has been silent for too long."""
        return [
            part
            for part in self._live
            if part.end_sent and now >= self._last_sign(part) + self._limits.stall_sec
        ]

    @property
    def is_done(self) -> bool:
        """Tell whether all text was spoken."""
        return self._text_ended and not self._live and not self._pending

    @property
    def placed_chars(self) -> int:
        """Count the characters that became part of a stream, or never will."""
        return self._placed

    # -- from text to pieces ---------------------------------------------------------------------

    def _collect(self, pieces: list[Piece], now: float) -> None:
        self._pending.extend(pieces)
        if pieces:
            self._oldest_at = now if self._segmenter.waiting else None

    def _release(self, now: float) -> None:
        """Hand out what the segmenter still holds when its time has come."""
        while (at := self._release_at()) is not None and at <= now:
            before = self._segmenter.waiting
            self._collect(self._hold_less(now), now)
            if self._segmenter.waiting == before:
                self._oldest_at = None  # an unfinished character: more has to come

    def _hold_less(self, now: float) -> list[Piece]:
        quiet, limits = now - self._arrived_at, self._limits
        settles = self._segmenter.settles
        if settles is not None and quiet >= self._settle_sec(settles):
            return self._segmenter.settle()
        if quiet >= 2 * limits.max_quiet_sec:
            return self._segmenter.rest()
        return self._segmenter.words() or self._segmenter.rest()

    def _settle_sec(self, settles: bool) -> float:
        return self._limits.settle_sec if settles else self._limits.number_settle_sec

    def _release_at(self) -> Optional[float]:
        """Give when held text goes out: at a sentence's end soon, words after `max_quiet_sec`, the
        last word, which may go on, after twice that."""
        if self._oldest_at is None:
            return None
        limits = self._limits
        if self._segmenter.has_words:
            at = min(self._oldest_at + limits.max_quiet_sec, self._rescue_at())
        else:
            at = self._arrived_at + 2 * limits.max_quiet_sec
        settles = self._segmenter.settles
        if settles is not None:
            at = min(at, self._arrived_at + self._settle_sec(settles))
        return at

    def _rescue_at(self) -> float:
        """Give when words go out to keep a stream open: its writer writes, but a long sentence."""
        part, quiet = self._current, self._limits.max_quiet_sec
        if part is None or part.ended or part.opened_at is None:
            return math.inf
        at = part.sent_at + 0.8 * quiet
        return at if at - self._arrived_at < 0.4 * quiet else math.inf

    # -- from pieces to parts --------------------------------------------------------------------

    def _fill(self, now: float) -> None:
        while True:
            part = self._open_part()
            if part is None:
                return
            if part.opened_at is None or now < self._lags_at(part):
                self._pour(part)
            if self._pending:  # the next does not fit, or comes too late for this one
                self._end_text(part)
            else:
                if self._text_ended or self._is_due(part, now):
                    self._end_text(part)
                return

    def _open_part(self) -> Optional[Part]:
        """Give the part that takes text, a new one if there is text for it and room."""
        part = self._current
        if part is not None and not part.ended:
            return part
        self._skip_silence()
        if self._unconsumed >= self._limits.lookahead or not self._pending:
            return None
        if not self._joinable:
            if not self._text_ended:
                return None  # all of it must be known before anything is said
            self._check_single()
        part = self._current = Part(self._parts, lead="".join(self._lead))
        self._lead.clear()
        self._parts += 1
        self._live.append(part)
        self._unconsumed += 1
        return part

    def _skip_silence(self) -> None:
        """Pass over what cannot begin a stream: there is nothing to say in it."""
        while self._pending and not is_speakable(self._pending[0].text):
            text = self._pending.popleft().text
            self._lead.append(text)
            self._placed += len(text)

    def _pour(self, part: Part) -> None:
        while self._pending and self._fits(part, self._pending[0]):
            piece = self._pending.popleft()
            part.text += piece.text
            part.sec += piece.sec
            part.size += utf8_size(piece.text)
            part.strong = piece.strong
            self._placed += len(piece.text)

    def _fits(self, part: Part, piece: Piece) -> bool:
        if not part.text or not self._joinable:
            return True
        limits = self._limits
        sec = (part.sec + piece.sec) / self._speed
        size = part.size + utf8_size(piece.text)
        if sec <= limits.part_sec and size <= limits.part_bytes:
            return True
        # better a little longer than to end inside a sentence
        return not part.strong and sec <= limits.part_max_sec and size <= limits.part_max_bytes

    def _check_single(self) -> None:
        text = "".join(piece.text for piece in self._pending)
        sec = estimate_sec(text, self._speed)
        if (
            self._parts
            or sec > self._limits.single_sec
            or utf8_size(text) > (self._limits.single_bytes)
        ):
            raise ConfigurationError(
                f"audio_format: this text (about {sec:.0f} s) needs several streams, and audio of "
                "this format cannot be joined: choose wav, pcm_s16le, mp3, aac or opus"
            )

    def _end_text(self, part: Part) -> None:
        part.ended = True
        if part is self._current:
            self._current = None

    # -- from parts to what is sent --------------------------------------------------------------

    def _next_say(self, part: Part, now: float) -> Optional[Say]:
        if now < part.not_before:
            return None
        text, end = part.text[part.sent :], part.ended and not part.end_sent
        if not text and not end:
            return None
        if part.opened_at is None:
            part.opened_at = now
        part.sent, part.sent_at, part.end_sent = len(part.text), now, part.end_sent or end
        return Say(part, text, end)

    def _is_due(self, part: Part, now: float) -> bool:
        """Tell whether the server would soon kill the stream if its text did not end."""
        if part.opened_at is None:
            return False
        if part.sent == len(part.text) and self._quiet_at(part) <= now:
            return True
        return self._lags_at(part) <= now

    def _quiet_at(self, part: Part) -> float:
        return part.sent_at + self._limits.max_quiet_sec

    def _lags_at(self, part: Part) -> float:
        """Give when too little has sounded for the time that passed, if nothing more is heard."""
        limits, progress = self._limits, part.progress
        assert part.opened_at is not None  # asked before
        if not progress.heard:
            return part.opened_at + limits.start_hold_sec
        return part.opened_at + max(limits.rate_from_sec, progress.audio_sec / limits.least_rate)

    def _due_at(self, part: Part) -> Optional[float]:
        if part.sent < len(part.text) or (part.ended and not part.end_sent):
            return part.not_before
        if part.end_sent:
            return self._last_sign(part) + self._limits.stall_sec
        return (
            min(self._quiet_at(part), self._lags_at(part)) if part.opened_at is not None else None
        )

    def _last_sign(self, part: Part) -> float:
        return max(part.sent_at, part.progress.at)
