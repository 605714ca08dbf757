"""Finding and following indexed speech in a stream of samples."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Optional, Union

import numpy as np

from .resample import Samples
from .speech_index import Clip, SpeechIndex, anchors, window_size

__all__ = ["Match", "Matcher", "Unmatched"]

# Audio counts as unmatched only when it is this old. Speech has an anchor every 8 ms on average, so
# that a match is found long before.
_DECISION_SEC = 0.2
# A shorter match may be a coincidence: a burst of noise that two voices have in common.
_MIN_MATCH_SEC = 0.025
# How far back a new match may reach: over the pause before it, or over identical sound in the
# previous match.
_LOOKBACK_SEC = 1.0
# As for the times of words: -54 dB
_SILENT = 64


@dataclass(frozen=True)
class Match:
    """The samples of the stream from `start` to `end` are those of a clip."""

    clip: Clip
    shift: int
    """Position in the clip minus position in the stream."""
    start: int
    end: int


@dataclass(frozen=True)
class Unmatched:
    """Samples that are not indexed speech, with their position in the stream."""

    start: int
    samples: Samples


@dataclass(frozen=True)
class _Candidate:
    clip: Clip
    shift: int
    start: int


class Matcher:
    """Separates indexed speech from other audio in a stream. Not thread-safe.

    All clips that equal the stream are followed in parallel until they differ, so that sentences
    with the same start, and words that sound alike, are distinguished as soon as the samples allow.
    Among clips that are equal to the end, the one that reaches back farthest wins, then one that
    starts there, then the latest. For example, with the clips `I like tea.` and `I like toast.`:

        samples of        candidates      results
        I like t          both            none; `current` is the latest clip
        oast              I like toast.   none; `current` is that clip
        the rest of it    none            Match(I like toast.)
        a cough           none            Unmatched(the cough), 0.2 s later
    """

    def __init__(self, index: SpeechIndex, sample_rate: int) -> None:
        self._index = index
        self._rate = sample_rate
        self._window = window_size(sample_rate)
        self._held: Samples = np.zeros(0, np.int16)
        # positions in the stream
        self._base = 0  # of _held[0]
        self._scanned = 0  # there is no anchor of a candidate before it
        self._decided = 0  # everything before it is matched or unmatched
        self._compared = 0  # the candidates equal the stream up to it
        self._candidates: list[_Candidate] = []
        self._results: list[Union[Match, Unmatched]] = []

    @property
    def end(self) -> int:
        """Position after the last sample."""
        return self._base + len(self._held)

    @property
    def current(self) -> Optional[Match]:
        """Match that is not over, once it is too long for a coincidence."""
        if not self._candidates:
            return None
        return self._match(self._candidates[0], self._compared)

    def push(self, samples: Samples) -> Sequence[Union[Match, Unmatched]]:
        """Add samples; return what was decided, in order: matches that ended, other audio."""
        self._held = np.concatenate((self._held, samples))
        while self._follow() if self._candidates else self._find_candidates():
            pass
        if self.current is not None:
            self._add_unmatched(self._candidates[0].start)
            self._decided = max(self._decided, self._compared)
        elif not self._candidates:
            self._add_unmatched(self.end - self._samples(_DECISION_SEC))
        return self._take_results()

    def flush(self) -> Sequence[Union[Match, Unmatched]]:
        """Decide now: whatever is not a match yet is unmatched. More may follow."""
        if self.current is None:
            self._add_unmatched(self.end)
        return self._take_results()

    def _take_results(self) -> Sequence[Union[Match, Unmatched]]:
        results, self._results = self._results, []
        keep = min(self._decided, self._scanned, self.end - self._samples(_LOOKBACK_SEC))
        if keep > self._base:
            self._held = self._held[keep - self._base :]
            self._base = keep
        return results

    def _samples(self, seconds: float) -> int:
        return int(seconds * self._rate)

    def _match(self, candidate: _Candidate, end: int) -> Optional[Match]:
        if end - candidate.start < self._samples(_MIN_MATCH_SEC):
            return None
        return Match(candidate.clip, candidate.shift, candidate.start, end)

    def _add_unmatched(self, until: int) -> None:
        if until > self._decided:
            self._results.append(Unmatched(self._decided, self._piece(self._decided, until)))
            self._decided = until

    def _piece(self, start: int, end: int) -> Samples:
        return self._held[start - self._base : end - self._base]

    # --- without candidates

    def _find_candidates(self) -> bool:
        """Look for an anchor that is in the index; return False if there is none."""
        for place, value in anchors(self._held[self._scanned - self._base :], self._rate):
            at = self._scanned + place
            candidates = self._candidates_at(at, value)
            if candidates:
                self._candidates = candidates
                self._scanned, self._compared = at, at + self._window
                return True
        self._scanned = max(self._scanned, self.end - self._window + 1)
        return False

    def _candidates_at(self, at: int, value: int) -> list[_Candidate]:
        """Return the clips that equal the stream at an anchor, the best first."""
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
        """Count the samples before an anchor in which clip and stream are equal."""
        count = min(place, at - self._base)
        theirs = clip.pcm[place - count : place]
        differing = np.flatnonzero(theirs != self._piece(at - count, at))
        return count - 1 - int(differing[-1]) if len(differing) else count

    def _first_sound(self, start: int) -> int:
        sounds = np.abs(self._piece(start, self.end).astype(np.int32)) > _SILENT
        return start + int(sounds.argmax())

    # --- with candidates

    def _follow(self) -> bool:
        """Compare new samples; return False if some candidate equals all of them."""
        new = self._piece(self._compared, self.end)
        agreed = [_agreement_after(each, self._compared, new) for each in self._candidates]
        left = [
            candidate
            for candidate, count in zip(self._candidates, agreed)
            if count == len(new) and self.end + candidate.shift < len(candidate.clip.pcm)
        ]
        if left:
            self._candidates = left
            self._compared = self.end
            # a window inside the match belongs to the match
            self._scanned = self._compared - self._window
            return False
        longest = max(agreed)
        self._finish(self._candidates[agreed.index(longest)], self._compared + longest)
        return True

    def _finish(self, candidate: _Candidate, end: int) -> None:
        match = self._match(candidate, end)
        if match is not None:
            self._add_unmatched(match.start)
            self._results.append(match)
            self._decided = max(self._decided, match.end)
        self._candidates = []
        self._scanned = max(self._scanned, end - self._window) + 1


def _agreement_after(candidate: _Candidate, start: int, new: Samples) -> int:
    """Count the new samples up to the first in which clip and stream differ."""
    place = start + candidate.shift
    theirs = candidate.clip.pcm[place : place + len(new)]
    differing = np.flatnonzero(theirs != new[: len(theirs)])
    return int(differing[0]) if len(differing) else len(theirs)
