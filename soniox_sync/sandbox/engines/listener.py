"""Put together what was recognised exactly and what the ear made out, on one clock."""

from __future__ import annotations

from typing import Dict, Iterator, List, NamedTuple, Optional, Sequence, Tuple, Union

import numpy as np

from .base import HeardWord, Hearing
from .matcher import Foreign, Match, Matcher
from .sphinx import Ear, EarWord
from .spoken_index import SpokenIndex

__all__ = ["SpeechListener", "SpeechRecognizer"]

# Audio is worked through in steps of this length, whatever it was cut into: so the result is the
# same for any cut, and it is cheap.
_STEP_MS = 20
# A word becomes final after so much later audio: long enough to tell sentences with the same
# beginning apart, about what the service takes (PROTOCOL 2.5).
_LAG_MS = 700
# In silence, how far behind the newest audio all is settled: the ear notices speech 300 ms late
# and reaches back as far.
_DOUBT_MS = 700
# An answer that says only how far we are comes this often.
_PROGRESS_MS = 1000
_EXACT_CONFIDENCE = 0.98
_EAR_LANGUAGE = "en"


class _Word(NamedTuple):
    """Is a word on the stream's clock; `start` and `until` are samples, `until` its true end."""

    word: HeardWord
    start: int
    until: int


class SpeechListener:
    """Hear one stream: speech of the sandbox exactly, other speech as well as pocketsphinx can.

    A word of remembered speech counts as heard when at least half of its samples were; with less,
    because a cut went through it, it is dropped. Each hearing tells of one endpoint at most: what
    follows an endpoint within one `feed` waits for the next call, so feed 500 ms or less at a time
    where endpoints matter. Not thread-safe.
    """

    def __init__(self, index: SpokenIndex, sample_rate: int, endpoint_delay_ms: int) -> None:
        self._rate = sample_rate
        self._delay_ms = endpoint_delay_ms
        self._step = max(1, sample_rate * _STEP_MS // 1000)
        self._matcher = Matcher(index, sample_rate)
        self._ear = Ear(sample_rate)
        self._waiting = bytearray()
        self._taken = 0
        # voices in order of appearance; the ear knows one voice, called ""
        self._speakers: Dict[str, str] = {}
        # words of what is over, not yet final
        self._pending: List[_Word] = []
        # the stream up to this sample belongs to words already reported or pending
        self._used = 0
        self._speech_end_ms = 0
        self._talked = False
        self._final_ms = 0
        self._shown: Tuple[HeardWord, ...] = ()
        self._shown_final_ms = 0

    def feed(self, pcm: bytes) -> Optional[Hearing]:
        """Take audio; return what changed, None when nothing did."""
        self._waiting += pcm
        final: List[HeardWord] = []
        endpoint = False
        size = self._step * 2
        while len(self._waiting) >= size:
            self._hear(self._take(size))
            if not endpoint:
                endpoint = self._is_endpoint()
                final += self._settle(None if endpoint else self._now_ms() - _LAG_MS)
        return self._changed(tuple(final), endpoint)

    def finalize(self) -> Hearing:
        """Make all audio so far final, a word that is half heard included; go on listening."""
        self._hear(self._take(len(self._waiting) // 2 * 2))
        for found in self._matcher.flush():
            self._sort(found)
        self._keep(self._ear.flush())
        endpoint = self._is_endpoint()
        final = tuple(self._settle(None))
        self._final_ms = max(self._final_ms, min(self._now_ms(), self._next_word_ms()))
        return self._hearing(final, endpoint)

    def close(self) -> None:
        """Give the decoder back."""
        self._ear.close()

    # --- audio in

    def _take(self, size: int) -> bytes:
        piece = bytes(self._waiting[:size])
        del self._waiting[:size]
        return piece

    def _hear(self, pcm: bytes) -> None:
        self._taken += len(pcm) // 2
        for found in self._matcher.push(np.frombuffer(pcm, "<i2").astype(np.int16)):
            self._sort(found)
        match = self._matcher.current
        if match is not None:
            # foreign audio before a match is over
            self._keep(self._ear.flush())
            self._note_speech(match)
        self._speech_end_ms = max(self._speech_end_ms, self._ear.speech_end_ms)

    def _sort(self, found: Union[Match, Foreign]) -> None:
        if isinstance(found, Match):
            self._keep(self._ear.flush())
            self._note_speech(found)
            words = list(self._words_of(found))
            self._pending += words
            used = words[-1].until if words else self._used
            # a word that was cut short uses no more than there was of it
            self._used = min(used, found.end)
        else:
            self._keep(self._ear.feed(found.start, found.samples))

    def _keep(self, words: Sequence[EarWord]) -> None:
        if words:
            self._speakers.setdefault("", self._speaker(""))
            self._pending += [self._from_ear(word) for word in words]
            self._talked = True

    # --- words

    def _from_ear(self, word: EarWord) -> _Word:
        start, end = (self._rate * ms // 1000 for ms in (word.start_ms, word.end_ms))
        heard = HeardWord(
            word.text,
            word.start_ms,
            min(word.end_ms, self._now_ms()),
            word.confidence,
            self._speaker(""),
            _EAR_LANGUAGE,
        )
        return _Word(heard, start, end)

    def _words_of(self, match: Match) -> Iterator[_Word]:
        """Yield the words of a match that were heard, except those already used."""
        begin = max(match.start, self._used)
        for text, first, behind in match.clip.words:
            start, until = first - match.shift, behind - match.shift
            heard = min(until, match.end) - max(start, begin)
            if heard > 0 and 2 * heard >= until - start:
                self._speakers.setdefault(match.clip.voice, self._speaker(match.clip.voice))
                yield _Word(self._exact(text, start, until, match), start, until)

    def _exact(self, text: str, start: int, until: int, match: Match) -> HeardWord:
        return HeardWord(
            text,
            self._ms(max(start, match.start)),
            self._ms(min(until, match.end)),
            _EXACT_CONFIDENCE,
            self._speaker(match.clip.voice),
            match.clip.language,
        )

    def _speaker(self, voice: str) -> str:
        """Return the voice's label; a new one is not given away yet, as a guess may vanish."""
        return self._speakers.get(voice, str(len(self._speakers) + 1))

    def _ms(self, sample: int) -> int:
        return sample * 1000 // self._rate

    def _now_ms(self) -> int:
        return self._ms(self._taken)

    def _open_words(self) -> List[_Word]:
        match = self._matcher.current
        return [] if match is None else list(self._words_of(match))

    # --- what is settled

    def _settle(self, until_ms: Optional[int]) -> List[HeardWord]:
        """Take out the words that ended by `until_ms`, all for None, and move `final_ms`."""
        final: List[HeardWord] = []
        while self._pending and _ended(self._pending[0], until_ms):
            final.append(self._pending.pop(0).word)
        if not self._pending:
            for word in self._open_words():
                if not _ended(word, until_ms):
                    break
                final.append(word.word)
                self._used = word.until
        settled = min(self._next_word_ms(), max(0, self._now_ms() - _DOUBT_MS))
        self._final_ms = max([self._final_ms, settled, *(word.end_ms for word in final)])
        return final

    def _next_word_ms(self) -> int:
        """Return where the first word begins that is not final, or may yet be one."""
        starts = [word.word.start_ms for word in self._pending]
        starts += [word.word.start_ms for word in self._guessed()]
        if self._ear.speech_start_ms is not None:
            starts.append(self._ear.speech_start_ms)
        match = self._matcher.current
        if match is not None:
            starts += [
                self._ms(first - match.shift)
                for _, first, behind in match.clip.words
                if behind - match.shift > max(self._used, match.start)
            ]
        return min(starts, default=self._now_ms())

    def _guessed(self) -> List[_Word]:
        return self._open_words() or [self._from_ear(word) for word in self._ear.guess]

    # --- pauses

    def _note_speech(self, match: Match) -> None:
        """Speech lasts to the end of the last word that was begun."""
        for _, first, behind in match.clip.words:
            start, until = first - match.shift, behind - match.shift
            if start < match.end and until > match.start:
                self._talked = True
                self._speech_end_ms = max(self._speech_end_ms, self._ms(min(until, match.end)))

    def _is_endpoint(self) -> bool:
        silent = self._ear.speech_start_ms is None
        pause = self._now_ms() - self._speech_end_ms
        if not (self._talked and silent and pause >= self._delay_ms):
            return False
        self._talked = False
        return True

    # --- answers

    def _changed(self, final: Tuple[HeardWord, ...], endpoint: bool) -> Optional[Hearing]:
        before, before_ms = self._shown, self._shown_final_ms
        hearing = self._hearing(final, endpoint)
        progress = hearing.final_ms - before_ms >= _PROGRESS_MS
        if final or endpoint or progress or hearing.partial != before:
            return hearing
        self._shown_final_ms = before_ms
        return None

    def _hearing(self, final: Tuple[HeardWord, ...], endpoint: bool) -> Hearing:
        words = [*self._pending, *self._guessed()]
        self._shown = tuple(word.word for word in words)
        self._shown_final_ms = self._final_ms
        return Hearing(final, self._shown, endpoint, self._final_ms, self._now_ms())


def _ended(word: _Word, until_ms: Optional[int]) -> bool:
    return until_ms is None or word.word.end_ms <= until_ms


class SpeechRecognizer:
    """Open listeners that know one index of spoken speech. Thread-safe."""

    def __init__(self, index: SpokenIndex) -> None:
        self._index = index

    def listen(
        self, *, sample_rate: int, languages: Sequence[str] = (), endpoint_delay_ms: int = 2000
    ) -> SpeechListener:
        """Return a listener for s16le mono at `sample_rate` Hz (4000 and more).

        The language hints change nothing: remembered speech brings its language along and the ear
        knows English alone.
        """
        if sample_rate < 4000:
            raise ValueError(f"unsupported sample rate {sample_rate}")
        return SpeechListener(self._index, sample_rate, endpoint_delay_ms)
