"""Follow remembered speech through a stream of samples."""

from __future__ import annotations

from dataclasses import dataclass
from typing import List, Optional, Sequence, Union

import numpy as np

from .resample import Samples
from .spoken_index import Clip, SpokenIndex, anchors, window_size

__all__ = ["Foreign", "Match", "Matcher"]

# Unmatched audio is called foreign only when this old. Speech shows an anchor every 8 ms on
# average, so that a match is noticed long before.
_DOUBT_SEC = 0.2
# A match this short may be chance: a burst of noise that two voices have in common.
_CHANCE_SEC = 0.025
# How far back a new match may reach: over the pause before it, or over what sounded the same in
# the speech that was followed before.
_REACH_SEC = 1.0
# As for the times of words: -54 dB
_SILENT = 64


@dataclass(frozen=True)
class Match:
    """Say that the stream's samples from `start` to `end` are those of a clip."""

    clip: Clip
    shift: int
    """Place in the clip minus place in the stream."""
    start: int
    end: int


@dataclass(frozen=True)
class Foreign:
    """Hand on samples that are not remembered speech, with their place in the stream."""

    start: int
    samples: Samples


@dataclass(frozen=True)
class _Candidate:
    clip: Clip
    shift: int
    start: int


class Matcher:
    """Sort a stream into remembered speech and foreign audio. Not thread-safe.

    All clips that agree with the stream are followed side by side until they differ, so that
    sentences with the same beginning, and words that sound alike, are told apart as soon as the
    samples do. What cannot be told apart counts as the speech that reaches back farthest, then as
    the one that begins there, then as the one spoken last.
    """

    def __init__(self, index: SpokenIndex, sample_rate: int) -> None:
        self._index = index
        self._rate = sample_rate
        self._window = window_size(sample_rate)
        # stream positions: of _held[0], of the next anchor to look for, up to where foreign audio
        # was handed on, up to where the candidates were compared
        self._held: Samples = np.zeros(0, np.int16)
        self._base = 0
        self._scan = 0
        self._told = 0
        self._compared = 0
        self._candidates: List[_Candidate] = []
        self._done: List[Union[Match, Foreign]] = []

    @property
    def end(self) -> int:
        """Position behind the last sample."""
        return self._base + len(self._held)

    @property
    def current(self) -> Optional[Match]:
        """The match that still goes on, once it is no chance."""
        if not self._candidates:
            return None
        return self._confirmed(self._candidates[0], self._compared)

    def push(self, samples: Samples) -> Sequence[Union[Match, Foreign]]:
        """Take samples; return what was decided, in order: matches that ended, foreign audio."""
        self._held = np.concatenate((self._held, samples))
        while self._follow() if self._candidates else self._lock_on():
            pass
        if self.current is not None:
            self._tell_foreign(self._candidates[0].start)
            self._told = max(self._told, self._compared)
        elif not self._candidates:
            self._tell_foreign(self.end - self._seconds(_DOUBT_SEC))
        return self._decided()

    def flush(self) -> Sequence[Union[Match, Foreign]]:
        """Stop doubting: what is no match by now is foreign. The stream goes on."""
        if self.current is None:
            self._tell_foreign(self.end)
        return self._decided()

    def _decided(self) -> Sequence[Union[Match, Foreign]]:
        done, self._done = self._done, []
        keep = min(self._told, self._scan, self.end - self._seconds(_REACH_SEC))
        if keep > self._base:
            self._held = self._held[keep - self._base :]
            self._base = keep
        return done

    def _seconds(self, seconds: float) -> int:
        return int(seconds * self._rate)

    def _confirmed(self, candidate: _Candidate, end: int) -> Optional[Match]:
        if end - candidate.start < self._seconds(_CHANCE_SEC):
            return None
        return Match(candidate.clip, candidate.shift, candidate.start, end)

    def _tell_foreign(self, until: int) -> None:
        if until > self._told:
            self._done.append(Foreign(self._told, self._piece(self._told, until)))
            self._told = until

    def _piece(self, start: int, end: int) -> Samples:
        return self._held[start - self._base : end - self._base]

    # --- not following anything

    def _lock_on(self) -> bool:
        """Look for a first anchor; True if one was found."""
        for place, value in anchors(self._held[self._scan - self._base :], self._rate):
            at = self._scan + place
            candidates = self._candidates_at(at, value)
            if candidates:
                self._candidates = candidates
                self._scan, self._compared = at, at + self._window
                return True
        self._scan = max(self._scan, self.end - self._window + 1)
        return False

    def _candidates_at(self, at: int, value: int) -> List[_Candidate]:
        window = self._piece(at, at + self._window)
        ranked = []
        for clip, place in self._index.find(self._rate, value):
            if np.array_equal(clip.pcm[place : place + self._window], window):
                start = at - self._agreement_before(clip, place, at)
                ranked.append((self._first_sound(start), _Candidate(clip, place - at, start)))
        ranked.sort(
            key=lambda found: (
                found[0],
                found[1].start + found[1].shift > 0,
                -found[1].clip.serial,
            )
        )
        return [candidate for _, candidate in ranked]

    def _agreement_before(self, clip: Clip, place: int, at: int) -> int:
        """Count the samples in front of an anchor in which clip and stream agree."""
        count = min(place, at - self._base)
        theirs = clip.pcm[place - count : place]
        differing = np.flatnonzero(theirs != self._piece(at - count, at))
        return count - 1 - int(differing[-1]) if len(differing) else count

    def _first_sound(self, start: int) -> int:
        sounds = np.abs(self._piece(start, self.end).astype(np.int32)) > _SILENT
        return start + int(sounds.argmax())

    # --- following

    def _follow(self) -> bool:
        """Compare what is new; False when all of it is compared and somebody still agrees."""
        new = self._piece(self._compared, self.end)
        agreed = [_agreement(candidate, self._compared, new) for candidate in self._candidates]
        alive = [
            candidate
            for candidate, count in zip(self._candidates, agreed)
            if count == len(new) and self.end + candidate.shift < len(candidate.clip.pcm)
        ]
        if alive:
            self._candidates = alive
            self._compared = self.end
            # a window that lies in the match as a whole is the match's own
            self._scan = self._compared - self._window
            return False
        longest = max(agreed)
        self._finish(self._candidates[agreed.index(longest)], self._compared + longest)
        return True

    def _finish(self, candidate: _Candidate, end: int) -> None:
        match = self._confirmed(candidate, end)
        if match is not None:
            self._tell_foreign(match.start)
            self._done.append(match)
            self._told = max(self._told, match.end)
        self._candidates = []
        self._scan = max(self._scan, end - self._window) + 1


def _agreement(candidate: _Candidate, start: int, new: Samples) -> int:
    """Count the new samples up to the first in which clip and stream differ."""
    place = start + candidate.shift
    theirs = candidate.clip.pcm[place : place + len(new)]
    differing = np.flatnonzero(theirs != new[: len(theirs)])
    return int(differing[0]) if len(differing) else len(theirs)
