"""Which text goes to which stream, and when a stream's text ends. No clock, no I/O.

The server has timers that kill a stream (PROTOCOL 3.5), and limits of text and audio (3.4). The
planner splits one endless text into *parts*, each short enough for a stream, and ends a part before
a timer runs out: because the writer is quiet, because no audio has been received, or because audio
arrives more slowly than time passes. The text continues in a new part. The owner of the planner
passes in the time and what happened, and sends what the planner decides.

    time  in                               decide() returns
    0.0   add("Hello there. How ")         Send(part 0, "Hello there. "): "How " is no sentence
    0.4   0.8 s of audio of part 0         -
    1.0   add("are you? I")                Send(part 0, "How are you? ")
    4.0   -                                Send(part 0, "", end): no text for 3 s; keeps "I"
    6.0   add(" am fine. ")                Send(part 1, "I am fine. ")
    6.1   finish()                         Send(part 1, "", end)
    8.0   part_over() of both              -; is_done
"""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass, field, replace
from typing import Optional

from ...errors import ConfigurationError
from .lengths import estimate_sec, is_speakable, utf8_size
from .segmenter import Piece, Segmenter

__all__ = ["Part", "Planner", "Progress", "Send", "SpeechLimits"]

# in a long sentence the words so far are sent after this share of `max_quiet_sec`, to keep the
# stream open, provided that some text was added within the last `_RECENT` share of it
_KEEP_OPEN_AFTER, _RECENT = 0.8, 0.4


@dataclass(frozen=True)
class SpeechLimits:
    """Limits of a speech, stricter than those of the server. Times are in seconds.

    The timers shrink with `max_quiet_sec`.
    """

    # the server kills a stream 5.2 s after its last text
    max_quiet_sec: float = 3.0
    # how long "Hello." waits for more text before it counts as a sentence
    settle_sec: float = 0.2
    # the same after "3." or "example.", which often continue
    number_settle_sec: float = 0.6
    # the server kills a stream without any audio after 10 s
    start_hold_sec: float = 4.0
    # the server kills a stream that after 11 s has less audio than 0.8 of its age: from here on we
    # end its text when it has less than `least_rate`, so that a slow voice has time to catch up
    rate_from_sec: float = 4.0
    least_rate: float = 0.9
    # the server sends audio, or kills the stream, within 12 s after the end of its text
    stall_sec: float = 20.0
    # the server sends at most 120 s of audio per stream; estimates are high by about a third
    part_sec: float = 75.0
    # only to get to the end of a sentence
    part_max_sec: float = 100.0
    # the server accepts 5000 bytes of text per stream
    part_bytes: int = 1200
    part_max_bytes: int = 1800
    # for a format that allows only one stream: all that the server's limits allow
    single_sec: float = 150.0
    single_bytes: int = 4900
    # streams at a time: the one that is played and the next
    lookahead: int = 2

    @classmethod
    def for_quiet(cls, max_quiet_sec: float) -> SpeechLimits:
        """Return the limits for a `max_quiet_sec`; a smaller one shortens all timers."""
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
    """Audio received in one attempt at a part. Written by one thread, read by any.

    `audio_sec` is estimated for compressed formats. `last_audio_at`: when audio was last received.
    """

    __slots__ = ("audio_sec", "has_audio", "last_audio_at")

    def __init__(self) -> None:
        self.has_audio: bool = False
        self.audio_sec: float = 0.0
        self.last_audio_at: float = 0.0


@dataclass(eq=False)
class Part:
    """Text of one stream, or of several when the first ones failed."""

    number: int
    lead: str = ""  # text before this part that is not spoken: spaces, punctuation
    text: str = ""
    sec: float = 0.0
    size: int = 0
    ends_sentence: bool = True
    text_ended: bool = False  # accepts no more text
    is_over: bool = False  # spoken, or abandoned
    # Current attempt
    begin: int = 0  # where its text starts in the part's text
    sent: int = 0  # up to where the part's text was sent
    end_sent: bool = False
    opened_at: Optional[float] = None
    sent_at: float = 0.0
    not_before: float = 0.0
    progress: Progress = field(default_factory=Progress)


@dataclass(frozen=True)
class Send:
    """Order to send `text` on the stream of `part`, which is opened if necessary.

    `end`: this is the last text of the stream; `text` may then be empty.
    """

    part: Part
    text: str
    end: bool


class Planner:
    """Turns text and time into `Send`s. Not thread-safe; for one thread."""

    def __init__(self, limits: SpeechLimits, *, speed: float = 1.0, joinable: bool = True) -> None:
        self._limits = limits
        self._speed = speed
        self._joinable = joinable
        self._segmenter = Segmenter()
        self._pending: deque[Piece] = deque()  # not in a part yet
        self._text_ended = False
        self._last_text_at = 0.0
        self._held_since: Optional[float] = None  # when the segmenter's oldest text was added
        self._parts = 0
        self._assigned = 0  # characters in parts
        self._lead: list[str] = []  # of the next part
        self._current: Optional[Part] = None  # the last one; accepts text until that has ended
        self._live: list[Part] = []  # opened, not over
        self._unplayed = 0  # opened, not yet played to the end

    # -- what happened ---------------------------------------------------------------------------

    def add(self, text: str, now: float) -> None:
        """Add text of the writer."""
        if text:
            self._segmenter.add(text)
            self._last_text_at = now
            if self._held_since is None:
                self._held_since = now
            self._collect(self._segmenter.take(), now)

    def finish(self) -> None:
        """Record that there is no more text."""
        self._text_ended = True
        self._pending.extend(self._segmenter.take_rest(final=True))
        self._held_since = None

    def stop(self) -> None:
        """Accept no more text, drop what is not in a part yet, and open no more parts."""
        self._text_ended = True
        self._pending.clear()
        self._segmenter = Segmenter()
        self._held_since = None

    def part_played(self) -> None:
        """Record that the oldest part was played to its end."""
        self._unplayed -= 1

    def part_over(self, part: Part) -> None:
        """Record that a part was spoken, or will not be."""
        part.is_over = part.text_ended = True
        if part in self._live:
            self._live.remove(part)

    def restart(self, part: Part, begin: int, not_before: float) -> bool:
        """Plan another attempt at `part` from character `begin` of its text.

        Returns False if nothing is left to speak: then the part is over.
        """
        if not is_speakable(part.text[begin:]):
            self.part_over(part)
            return False
        part.begin = part.sent = begin
        part.end_sent = False
        part.opened_at = None
        part.not_before = not_before
        part.progress = Progress()
        return True

    def hasten(self, part: Part, now: float) -> None:
        """Send what waits for another attempt at `part` now."""
        part.not_before = min(part.not_before, now)

    def not_sent(self, send: Send) -> None:
        """Undo a `Send` that failed; nothing is sent until the part is restarted or over."""
        part = send.part
        part.sent -= len(send.text)
        part.end_sent = part.end_sent and not send.end
        part.not_before = math.inf

    # -- what to do ------------------------------------------------------------------------------

    def decide(self, now: float) -> list[Send]:
        """Return what to send now, in order, and count it as sent.

        Raises
            ConfigurationError: a format that cannot be joined would need a second stream.
        """
        self._release_held(now)
        self._assign(now)
        sends = [self._next_send(part, now) for part in list(self._live)]
        return [send for send in sends if send is not None]

    def wake_at(self) -> Optional[float]:
        """Return when `decide` must be called again if nothing happens before then."""
        times = [self._release_at(), *(self._due_at(part) for part in self._live)]
        return min((at for at in times if at is not None and at < math.inf), default=None)

    def stalled(self, now: float) -> list[Part]:
        """Return the parts whose text has ended and that have had no audio for too long."""
        return [
            part
            for part in self._live
            if part.end_sent and now >= self._last_activity(part) + self._limits.stall_sec
        ]

    @property
    def is_done(self) -> bool:
        """Whether all text was spoken."""
        return self._text_ended and not self._live and not self._pending

    @property
    def assigned_chars(self) -> int:
        """Number of characters that were assigned to a part, or skipped."""
        return self._assigned

    # -- from text to pieces ---------------------------------------------------------------------

    def _collect(self, pieces: list[Piece], now: float) -> None:
        self._pending.extend(pieces)
        if pieces:
            self._held_since = now if self._segmenter.held else None

    def _release_held(self, now: float) -> None:
        """Take text that the segmenter has held for long enough."""
        while (at := self._release_at()) is not None and at <= now:
            before = self._segmenter.held
            self._collect(self._take_more(now), now)
            if self._segmenter.held == before:
                self._held_since = None  # an incomplete character: wait for the rest of it

    def _take_more(self, now: float) -> list[Piece]:
        quiet, limits = now - self._last_text_at, self._limits
        complete = self._segmenter.looks_complete
        if complete is not None and quiet >= self._settle_sec(complete):
            return self._segmenter.take_as_sentence()
        if quiet >= 2 * limits.max_quiet_sec:
            return self._segmenter.take_rest()
        return self._segmenter.take_words() or self._segmenter.take_rest()

    def _settle_sec(self, complete: bool) -> float:
        return self._limits.settle_sec if complete else self._limits.number_settle_sec

    def _release_at(self) -> Optional[float]:
        """Return when to take text that the segmenter holds.

        What looks like the end of a sentence soon, words after `max_quiet_sec`, and the last word,
        which may be incomplete, after twice that.
        """
        if self._held_since is None:
            return None
        limits = self._limits
        if self._segmenter.has_words:
            at = min(self._held_since + limits.max_quiet_sec, self._keep_open_at())
        else:
            at = self._last_text_at + 2 * limits.max_quiet_sec
        complete = self._segmenter.looks_complete
        if complete is not None:
            at = min(at, self._last_text_at + self._settle_sec(complete))
        return at

    def _keep_open_at(self) -> float:
        """Return when to send the words of an unfinished sentence, only to keep the stream open.

        With `max_quiet_sec` 3: text sent at 0, words added since then, the last at 2.3. The text of
        the stream would end at 3.0, inside a sentence; instead the words are sent at 2.4.
        """
        part, quiet = self._current, self._limits.max_quiet_sec
        if part is None or part.text_ended or part.opened_at is None:
            return math.inf
        at = part.sent_at + _KEEP_OPEN_AFTER * quiet
        return at if at - self._last_text_at < _RECENT * quiet else math.inf

    # -- from pieces to parts --------------------------------------------------------------------

    def _assign(self, now: float) -> None:
        """Put pending pieces into parts, as far as parts may be opened; end parts that are due."""
        while True:
            part = self._part_for_text()
            if part is None:
                return
            if part.opened_at is None or now < self._lags_at(part):
                self._fill(part)
            if self._pending:  # the next piece does not fit, or is too late for this part
                part.text_ended = True
            else:
                if self._text_ended or self._is_due(part, now):
                    part.text_ended = True
                return

    def _part_for_text(self) -> Optional[Part]:
        """Return the part for the next text, a new one if there is text and room for it."""
        part = self._current
        if part is not None and not part.text_ended:
            return part
        # a stream must start with something to speak: skip punctuation and spaces before it
        while self._pending and not is_speakable(self._pending[0].text):
            text = self._pending.popleft().text
            self._lead.append(text)
            self._assigned += len(text)
        if self._unplayed >= self._limits.lookahead or not self._pending:
            return None
        if not self._joinable:
            if not self._text_ended:
                return None  # the whole text must be known before anything is sent
            self._check_single()
        part = self._current = Part(self._parts, lead="".join(self._lead))
        self._lead.clear()
        self._parts += 1
        self._live.append(part)
        self._unplayed += 1
        return part

    def _fill(self, part: Part) -> None:
        while self._pending and self._fits(part, self._pending[0]):
            piece = self._pending.popleft()
            part.text += piece.text
            part.sec += piece.sec
            part.size += utf8_size(piece.text)
            part.ends_sentence = piece.ends_sentence
            self._assigned += len(piece.text)

    def _fits(self, part: Part, piece: Piece) -> bool:
        if not part.text or not self._joinable:
            return True
        limits = self._limits
        sec = (part.sec + piece.sec) / self._speed
        size = part.size + utf8_size(piece.text)
        if sec <= limits.part_sec and size <= limits.part_bytes:
            return True
        # a slightly longer part is better than one that ends inside a sentence
        within_max = sec <= limits.part_max_sec and size <= limits.part_max_bytes
        return not part.ends_sentence and within_max

    def _check_single(self) -> None:
        text = "".join(piece.text for piece in self._pending)
        sec, limits = estimate_sec(text, self._speed), self._limits
        if sec > limits.single_sec or utf8_size(text) > limits.single_bytes:
            raise ConfigurationError(
                f"audio_format: this text (about {sec:.0f} s) needs several streams, and audio of "
                "this format cannot be joined: choose wav, pcm_s16le, mp3, aac or opus"
            )

    # -- from parts to what is sent --------------------------------------------------------------

    def _next_send(self, part: Part, now: float) -> Optional[Send]:
        if now < part.not_before:
            return None
        text, end = part.text[part.sent :], part.text_ended and not part.end_sent
        if not text and not end:
            return None
        if part.opened_at is None:
            part.opened_at = now
        part.sent, part.sent_at, part.end_sent = len(part.text), now, part.end_sent or end
        return Send(part, text, end)

    def _is_due(self, part: Part, now: float) -> bool:
        """Return whether the server would soon kill the stream if its text did not end."""
        if part.opened_at is None:
            return False
        if part.sent == len(part.text) and self._quiet_at(part) <= now:
            return True
        return self._lags_at(part) <= now

    def _quiet_at(self, part: Part) -> float:
        return part.sent_at + self._limits.max_quiet_sec

    def _lags_at(self, part: Part) -> float:
        """Return when there will be too little audio for the age of the stream, if no more comes.

        With the default limits: without any audio, 4 s after the stream was opened; with 9 s of
        audio, 10 s after it was opened.
        """
        limits, progress = self._limits, part.progress
        assert part.opened_at is not None  # checked by the callers
        if not progress.has_audio:
            return part.opened_at + limits.start_hold_sec
        return part.opened_at + max(limits.rate_from_sec, progress.audio_sec / limits.least_rate)

    def _due_at(self, part: Part) -> Optional[float]:
        if part.sent < len(part.text) or (part.text_ended and not part.end_sent):
            return part.not_before
        if part.end_sent:
            return self._last_activity(part) + self._limits.stall_sec
        if part.opened_at is None:
            return None
        return min(self._quiet_at(part), self._lags_at(part))

    def _last_activity(self, part: Part) -> float:
        return max(part.sent_at, part.progress.last_audio_at)
