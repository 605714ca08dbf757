"""Original that a stream may be a copy of, and how far it agrees."""

from __future__ import annotations

import math

from ..speech_index import Clip
from .alignment import BLOCK, Aligned, Verdict
from .original import Original

__all__ = ["Candidate"]

# A match is believed after this many blocks that are loud and agree, 0.3 s, or most of the clip.
_BELIEVED, _MOST = 15, 0.6
# so many blocks, 0.1 s, even of the shortest word
_LEAST = 5
# Blocks in a row that end a match: one pauses while the other speaks, or they are not alike; a
# codec may spoil a whole consonant.
_CONTRADICTIONS, _DIFFERENCES = 3, 10


class Candidate:
    """Original that the stream may be a copy of."""

    def __init__(self, original: Original, aligned: Aligned, clip: Clip, shift: int) -> None:
        self.original = original
        self.aligned = aligned
        self.clip = clip
        self.shift = shift
        # numbers of blocks: of the first that agrees, of the next to compare, and behind the last
        # that agrees
        self.first: int = 0
        self.next: int = 0
        self.behind: int = 0
        # behind the last that agrees and is loud
        self._sound_behind = 0
        # blocks in a row that do not agree, and those of them that contradict
        self.bad: int = 0
        self._contradictions = 0
        self._loud = 0
        self._distance = 0.0

    @property
    def is_believed(self) -> bool:
        """Whether it is too long for a coincidence."""
        needed = min(_BELIEVED, max(_LEAST, math.ceil(_MOST * self.aligned.loud)))
        return self._loud >= needed

    @property
    def is_over(self) -> bool:
        """Whether the stream has gone another way."""
        return self._contradictions >= _CONTRADICTIONS or self.bad >= _DIFFERENCES

    @property
    def is_whole(self) -> bool:
        """Whether the stream has reached the end of the original."""
        return self.next >= self.aligned.count

    @property
    def start(self) -> int:
        """Position of the first sample that agrees."""
        return self.aligned.origin + self.first * BLOCK

    @property
    def end(self) -> int:
        """Position after the last sample that agrees."""
        blocks = self.next if self.is_whole and not self.is_over else self.behind
        return self.aligned.origin + min(blocks * BLOCK, len(self.original.pcm))

    @property
    def sound_end(self) -> int:
        """Position after the last sound that agrees; behind it both pause."""
        return self.aligned.origin + self._sound_behind * BLOCK

    @property
    def rank(self) -> tuple[object, ...]:
        """Sort key: the best candidate has the lowest."""
        distance = self._distance / max(self._loud, 1)
        return (
            self.bad > 0,
            round(distance, 1),
            self.start + self.aligned.lead if self.first == 0 else self.start,
            self.first > 0,
            -self.original.serial,
        )

    def note(self, verdict: Verdict, distance: float) -> None:
        """Add the verdict on the next block."""
        self.next += 1
        if verdict is Verdict.AGREES:
            self._loud += 1
            self._distance += distance
            self._sound_behind = self.next
        if verdict in (Verdict.AGREES, Verdict.QUIET):
            if verdict is Verdict.AGREES or not self.bad:
                self.bad = 0
                self.behind = self.next
            self._contradictions = 0
            return
        self.bad += 1
        self._contradictions = self._contradictions + 1 if verdict is Verdict.CONTRADICTS else 0
