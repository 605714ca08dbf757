"""Finding and following copies of indexed speech in a stream: resampled, quieter, or encoded."""

from __future__ import annotations

import collections
import math
from collections.abc import Sequence
from typing import Optional, Union

import numpy as np

from ..matcher import Match, Unmatched
from ..resample import Resampler, Samples
from ..speech_index import Clip
from .alignment import BLOCK, Aligned, find_offset, sharpen
from .candidate import Candidate
from .fingerprints import FRAME, RATE, fingerprint, probes
from .index import CopyIndex, Hit
from .original import Original

__all__ = ["CopyMatcher"]

# Audio is searched in steps of this length.
_STEP_SEC = 0.1
# samples between the codes of a stream: every second place of an indexed code
_HOP = 128
# Audio with sound in it counts as unmatched when it is this old. The codes of 0.2 s are complete
# after 0.3 s, and every second or third is found: a copy is missed once in a thousand times.
_DECISION_SEC = 0.9
# the same, where a copy has been found that is too short to be sure
_PATIENCE_SEC = 1.5
# in a pause
_QUIET_SEC = 0.2
# A pause of this length ends a stretch: what costs nothing does not need to be searched.
_IDLE_SEC = 1.0
# As for the times of words: -54 dB
_SILENT = 64
# Energy of a sample, in a frame that is searched: silence is in all speech.
_LEAST_ENERGY = 30.0
# Correlation over the 192 ms of a frame: copies have 0.95 and more, 0.7 after resampling without a
# filter; other speech has 0.3 at most in 999 of 1000 places, and 0.58 once in 18,000.
_ALIKE = 0.7
# While the match is younger, others are searched that may be better.
_YOUNG_SEC = 1.5
# hits that are examined per step, and candidates that are followed, the best first
_EXAMINED, _FOLLOWED = 24, 16


class CopyMatcher:
    """Separates copies of indexed speech from other audio. Not thread-safe.

    It gets the audio that is not equal to indexed speech, in stretches without a gap, and works
    only where there is sound. What it reports is like the reports of `Matcher`.
    """

    def __init__(self, index: CopyIndex, sample_rate: int) -> None:
        self._index = index
        self._rate = sample_rate
        self._end = 0
        # start of the pause that precedes the next samples
        self._quiet_from = 0
        self._stretch: Optional[_Stretch] = None

    @property
    def current(self) -> Optional[Match]:
        """Match that is not over, once it is too long for a coincidence."""
        return None if self._stretch is None else self._stretch.current

    @property
    def undecided(self) -> Optional[int]:
        """Position of the first sound that may still become a match, `None` if there is none."""
        return None if self._stretch is None else self._stretch.undecided

    def push(self, start: int, samples: Samples) -> Sequence[Union[Match, Unmatched]]:
        """Add samples from position `start` of the stream; return what was decided, in order."""
        results: list[Union[Match, Unmatched]] = []
        if start != self._end:
            results += self.end()
            self._quiet_from = start
        self._end = start + len(samples)
        if self._stretch is None:
            if not _has_sound(samples):
                return [*results, Unmatched(start, samples)]
            if not self._index:
                self._quiet_from = self._end
                return [*results, Unmatched(start, samples)]
            self._stretch = _Stretch(self._index, self._rate, start, self._quiet_from)
        results += self._stretch.push(samples)
        if self._stretch.is_idle:
            quiet_from = self._stretch.sound_end
            results += self.end()
            self._quiet_from = quiet_from
        return results

    def flush(self) -> Sequence[Union[Match, Unmatched]]:
        """Decide now: whatever is not a match yet is unmatched. More may follow."""
        return () if self._stretch is None else self._stretch.flush()

    def end(self) -> Sequence[Union[Match, Unmatched]]:
        """Decide, and end the match: what follows is something else."""
        if self._stretch is None:
            return ()
        results = self._stretch.end()
        self._stretch = None
        self._quiet_from = self._end
        return results


def _has_sound(samples: Samples) -> bool:
    return bool(len(samples)) and int(np.abs(samples.astype(np.int32)).max()) > _SILENT


class _Stretch:
    """Audio without a gap. Positions are those at 8 kHz from its start, unless told otherwise."""

    def __init__(self, index: CopyIndex, rate: int, start: int, quiet_from: int) -> None:
        self._index = index
        self._rate = rate
        self._step = int(rate * _STEP_SEC)
        self._waiting: Samples = np.zeros(0, np.int16)
        # --- in samples of the stream, at its own rate
        self._offset = start
        # everything before it is matched or unmatched; _held starts there
        self._decided = start
        self._held: Samples = np.zeros(0, np.int16)
        # a match may reach back as far, over the pause before the stretch
        self._earliest = quiet_from
        self.sound_end = start
        # --- at 8 kHz, sharpened and not; some of the pause is before the first sample
        self._resampler = Resampler(rate, RATE)
        self._base = -2 * BLOCK if quiet_from < start else 0
        self._audio = np.zeros(-self._base)
        self._sharp = np.zeros(-self._base)
        self._scanned = 0
        self._candidates: list[Candidate] = []
        self._results: list[Union[Match, Unmatched]] = []

    @property
    def current(self) -> Optional[Match]:
        best = self._candidates[0] if self._candidates else None
        return self._match(best) if best is not None and best.is_believed else None

    @property
    def undecided(self) -> Optional[int]:
        waits = self.current is None and self._decided < self.sound_end
        return self._decided if waits else None

    @property
    def is_idle(self) -> bool:
        quiet = self._stream_end - self.sound_end > _IDLE_SEC * self._rate
        return quiet and not self._candidates

    def push(self, samples: Samples) -> Sequence[Union[Match, Unmatched]]:
        self._waiting = np.concatenate((self._waiting, samples))
        while len(self._waiting) >= self._step:
            self._advance(self._step)
        return self._take_results()

    def flush(self) -> Sequence[Union[Match, Unmatched]]:
        self._advance(len(self._waiting))
        if self.current is None:
            self._add_unmatched(self._stream_end)
        return self._take_results()

    def end(self) -> Sequence[Union[Match, Unmatched]]:
        self._advance(len(self._waiting))
        if self._candidates and self._candidates[0].is_believed:
            self._finish(self._candidates[0])
        self._candidates = []
        self._add_unmatched(self._stream_end)
        return self._take_results()

    def _take_results(self) -> Sequence[Union[Match, Unmatched]]:
        results, self._results = self._results, []
        return results

    # --- positions

    @property
    def _stream_end(self) -> int:
        return self._decided + len(self._held)

    @property
    def _end(self) -> int:
        return self._base + len(self._audio)

    def _in_stream(self, place: float) -> int:
        return self._offset + round(place * self._rate / RATE)

    def _in_audio(self, sample: int) -> int:
        return math.ceil((sample - self._offset) * RATE / self._rate)

    def _match(self, found: Candidate) -> Match:
        start = max(self._in_stream(found.start), self._earliest)
        end = min(self._in_stream(found.end), self._stream_end)
        return Match(found.clip, found.shift, start, max(end, start))

    # --- one step

    def _advance(self, count: int) -> None:
        piece, self._waiting = self._waiting[:count], self._waiting[count:]
        self._held = np.concatenate((self._held, piece))
        if _has_sound(piece):
            self.sound_end = self._stream_end
        narrow = self._resampler.feed(piece).astype(np.float64)
        before = float(self._audio[-1]) if len(self._audio) else 0.0
        if len(narrow):
            self._sharp = np.concatenate((self._sharp, sharpen(narrow, before)))
            self._audio = np.concatenate((self._audio, narrow))
        self._look()
        self._decide()
        self._trim()

    def _look(self) -> None:
        """Search and follow, until there is nothing new."""
        while True:
            if self._is_searching():
                self._search()
            else:
                self._scanned = max(self._scanned, (self._end - FRAME) // _HOP * _HOP)
            if not self._follow():
                return

    def _decide(self) -> None:
        """Report what is too old for a match that has not begun."""
        match = self.current
        if match is not None:
            self._add_unmatched(match.start)
            self._forget(match.end)
            return
        recent = self._stream_end - self.sound_end <= _DECISION_SEC * self._rate
        patience = _PATIENCE_SEC if self._candidates else _DECISION_SEC if recent else _QUIET_SEC
        self._add_unmatched(self._stream_end - int(patience * self._rate))

    def _add_unmatched(self, until: int) -> None:
        until = min(until, self._stream_end)
        if until > self._decided:
            piece = self._held[: until - self._decided]
            self._results.append(Unmatched(self._decided, piece))
            if self.sound_end > self._decided:
                self._earliest = until
            self._forget(until)

    def _forget(self, until: int) -> None:
        if until > self._decided:
            self._held = self._held[until - self._decided :]
            self._decided = until

    def _trim(self) -> None:
        decided = self._in_audio(self._decided)
        needed = [max(self._in_audio(self._earliest), decided - RATE // 2), decided, self._scanned]
        needed += [each.aligned.origin + each.behind * BLOCK for each in self._candidates]
        drop = min(needed) - self._base
        if drop > 0:
            self._audio, self._sharp = self._audio[drop:], self._sharp[drop:]
            self._base += drop

    # --- candidates

    def _is_searching(self) -> bool:
        """Whether a copy may begin, or there may be a better one than those that are followed."""
        if not self._candidates:
            return True
        best = self._candidates[0]
        return best.bad > 0 or self._end - best.start < _YOUNG_SEC * RATE

    def _search(self) -> None:
        """Look for codes of the stream in the index, and examine what is found."""
        codes = fingerprint(self._audio[self._scanned - self._base :], _HOP)
        if not len(codes.values):
            return
        rows = probes(codes)
        rows[codes.energies < _LEAST_ENERGY] = 0
        first, self._scanned = self._scanned, self._scanned + _HOP * len(rows)
        for query, original, place in _ranked(self._index.search(rows)):
            at = first + query * _HOP
            if not self._is_followed(original, place - at):
                self._examine(original, place, at)
        self._candidates = sorted(self._candidates, key=lambda each: each.rank)[:_FOLLOWED]

    def _is_followed(self, original: Original, shift: int) -> bool:
        return any(
            each.original is original and abs(shift + each.aligned.origin) < FRAME // 8
            for each in self._candidates
        )

    def _examine(self, original: Original, place: int, at: int) -> None:
        """Follow an original if it is like the frame of the stream at `at`."""
        frame = self._sharp[at - self._base : at - self._base + FRAME]
        pcm = original.sharpened
        found = find_offset(frame, pcm, place)
        if found is None or abs(found[1]) < _ALIKE:
            return
        aligned = Aligned(pcm if found[1] > 0 else -pcm, found[0], at)
        candidate = self._candidate(original, aligned, at - found[0])
        self._extend_back(candidate, at, frame)
        ready = self._candidates[0] if self._candidates else None
        if ready is None or not ready.is_believed or candidate.start <= ready.start + BLOCK:
            self._candidates.append(candidate)

    def _candidate(self, original: Original, aligned: Aligned, origin: float) -> Candidate:
        """Return a candidate whose clip and shift are in samples of the stream."""
        scale = self._rate / original.sample_rate
        words = tuple(
            (text, round(start * scale), round(behind * scale))
            for text, start, behind in original.words
        )
        clip = Clip(_NOTHING, words, original.voice, original.language, original.serial)
        return Candidate(original, aligned, clip, -self._in_stream(origin))

    def _extend_back(self, candidate: Candidate, at: int, frame: Samples) -> None:
        """Find the first block that agrees, before the frame at `at`, and begin there."""
        aligned = candidate.aligned
        aligned.learn_gain(at, frame)
        earliest = self._in_audio(self._earliest)
        lowest = max(0, -(-(max(self._base, earliest) - aligned.origin) // BLOCK))
        middle = max(lowest, min((at - aligned.origin) // BLOCK, aligned.count))
        verdicts, _ = aligned.compare(lowest, self._blocks(aligned, lowest, middle))
        probe = Candidate(candidate.original, aligned, candidate.clip, candidate.shift)
        for verdict in reversed(verdicts):
            probe.note(verdict, 0.0)
            if probe.is_over:
                break
        first = middle - probe.behind
        if first == lowest:
            # the pause before the stretch was not kept
            while (
                first > 0
                and aligned.is_quiet(first - 1)
                and (aligned.origin + (first - 1) * BLOCK >= earliest)
            ):
                first -= 1
        candidate.first = candidate.behind = first
        candidate.next = max(first, lowest)

    def _blocks(self, aligned: Aligned, first: int, behind: int) -> Samples:
        start = aligned.origin - self._base
        return self._sharp[start + first * BLOCK : start + behind * BLOCK]

    def _follow(self) -> bool:
        """Compare new blocks; return whether a match has ended."""
        for candidate in self._candidates:
            self._compare(candidate)
        self._candidates.sort(key=lambda each: each.rank)
        best = self._candidates[0] if self._candidates else None
        left = [each for each in self._candidates if not (each.is_over or each.is_whole)]
        if best is not None and best.is_believed and best not in left:
            others = any(each.is_believed and not each.bad for each in left)
            if best.is_whole or not others:
                self._finish(best)
                return True
        self._candidates = left
        return False

    def _compare(self, candidate: Candidate) -> None:
        aligned = candidate.aligned
        behind = min((self._end - aligned.origin) // BLOCK, aligned.count)
        if behind <= candidate.next:
            return
        heard = self._blocks(aligned, candidate.next, behind)
        for verdict, distance in zip(*aligned.compare(candidate.next, heard)):
            candidate.note(verdict, distance)
            if candidate.is_over:
                return

    def _finish(self, candidate: Candidate) -> None:
        match = self._match(candidate)
        self._add_unmatched(match.start)
        self._results.append(match)
        self._forget(match.end)
        # the next match may begin in the pause that ends this one: it may be that of either
        sound_end = min(self._in_stream(candidate.sound_end), match.end)
        self._earliest = max(self._earliest, sound_end)
        self._candidates = []
        self._scanned = -(-max(candidate.end, self._base) // _HOP) * _HOP


_NOTHING: Samples = np.zeros(0, np.int16)


def _ranked(hits: Sequence[Hit]) -> Sequence[Hit]:
    """Return one hit per original and offset, those first that most codes have in common."""
    groups: dict[tuple[int, int], list[Hit]] = collections.defaultdict(list)
    for hit in hits:
        groups[id(hit.original), (hit.place - hit.query * _HOP) // FRAME].append(hit)
    ranked = sorted(groups.values(), key=lambda each: (-len(each), -each[0].original.serial))
    return [group[len(group) // 2] for group in ranked[:_EXAMINED]]
