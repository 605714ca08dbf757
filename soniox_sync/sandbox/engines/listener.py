"""Merging the sandbox's own speech and words from pocketsphinx into one stream of words."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Callable, NamedTuple, Optional, Protocol, Union

import numpy as np

from .base import HeardWord, RecognitionResult
from .copies.matcher import CopyMatcher
from .matcher import Match, Matcher, Unmatched
from .resample import Samples
from .speech_index import SpeechIndex
from .sphinx import SphinxTranscriber, SphinxWord

__all__ = ["SpeechListener", "SpeechRecognizer"]

# Audio is processed in steps of this length, however it was cut: so the result does not depend on
# the cuts, and processing is cheap.
_STEP_MS = 20
# A word becomes final after this much later audio: long enough to distinguish sentences with the
# same start, and about what the service takes (PROTOCOL 2.5).
_FINAL_LAG_MS = 700
# In silence `final_ms` stays this far behind the latest audio: pocketsphinx detects speech 300 ms
# late, and then goes back by as much.
_SILENCE_LAG_MS = 700
# A result that only changes `final_ms` is reported if it changes by this much.
_PROGRESS_MS = 1000
# As much of a word may be missing that it still counts as whole: times are rounded to milliseconds.
_CUT_MS = 2
_EXACT_CONFIDENCE = 0.98
_SPHINX_LANGUAGE = "en"
# pocketsphinx does not distinguish voices
_SPHINX_VOICE = ""


class Transcriber(Protocol):
    """Recognises the speech that is no copy of the sandbox's; see `SphinxTranscriber`."""

    @property
    def partial(self) -> Sequence[SphinxWord]:
        """Words of the current utterance so far; they may change."""

    @property
    def speech_start_ms(self) -> Optional[int]:
        """Where the current utterance started, `None` between utterances."""

    @property
    def speech_end_ms(self) -> int:
        """Where the last speech ended."""

    def feed(self, start: int, samples: Samples) -> list[SphinxWord]:
        """Add samples from position `start` of the stream; return words that became final."""

    def flush(self) -> list[SphinxWord]:
        """End the stretch and return its last words."""

    def close(self) -> None:
        """Release the decoder; words not yet final are lost."""


# opens the transcriber of a stream's unmatched audio, given the rate in Hz
OpenTranscriber = Callable[[int], Transcriber]


class _PlacedWord(NamedTuple):
    """Word with its samples in the stream; `until` is its true end, even if it was cut."""

    word: HeardWord
    start: int
    until: int


class SpeechListener:
    """Recognises one stream: speech of the sandbox exactly, other speech with pocketsphinx.

    A word of indexed speech is recognised if at least half of its samples were received; if it was
    cut to less, it is dropped. Each result reports at most one endpoint: what follows an endpoint
    within one `feed` waits for the next call, so feed at most 500 ms at a time if endpoints matter.
    Not thread-safe.
    """

    def __init__(
        self,
        index: SpeechIndex,
        sample_rate: int,
        endpoint_delay_ms: int,
        open_transcriber: OpenTranscriber = SphinxTranscriber,
    ) -> None:
        self._rate = sample_rate
        self._endpoint_delay_ms = endpoint_delay_ms
        self._step = max(1, sample_rate * _STEP_MS // 1000)
        self._matcher = Matcher(index, sample_rate)
        # of what equals no indexed speech
        self._copies = CopyMatcher(index.copies, sample_rate)
        self._sphinx = open_transcriber(sample_rate)
        self._unprocessed = bytearray()
        self._processed = 0  # samples
        # voice -> label, in order of appearance
        self._speakers: dict[str, str] = {}
        # words that are decided but not yet final
        self._pending: list[_PlacedWord] = []
        # everything before this sample belongs to words that are final or pending
        self._used = 0
        self._speech_end_ms = 0
        self._in_utterance = False
        self._final_ms = 0
        self._reported: tuple[HeardWord, ...] = ()
        self._reported_final_ms = 0

    def feed(self, pcm: bytes) -> Optional[RecognitionResult]:
        """Add audio; return what changed, `None` if nothing did."""
        self._unprocessed += pcm
        final: list[HeardWord] = []
        endpoint = False
        size = self._step * 2
        while len(self._unprocessed) >= size:
            self._process(self._take(size))
            if not endpoint:
                endpoint = self._detect_endpoint()
                final += self._settle(None if endpoint else self._now_ms() - _FINAL_LAG_MS)
        return self._result_if_changed(tuple(final), endpoint)

    def finalize(self) -> RecognitionResult:
        """Make all audio so far final, even an incomplete word; more may follow."""
        self._process(self._take(len(self._unprocessed) // 2 * 2))
        for found in self._matcher.flush():
            self._handle(found)
        self._handle_copies(self._copies.flush())
        self._add_sphinx_words(self._sphinx.flush())
        endpoint = self._detect_endpoint()
        final = tuple(self._settle(None))
        self._final_ms = max(self._final_ms, min(self._now_ms(), self._next_word_ms()))
        return self._result(final, endpoint)

    def close(self) -> None:
        """Release the decoder."""
        self._sphinx.close()

    # --- audio in

    def _take(self, size: int) -> bytes:
        piece = bytes(self._unprocessed[:size])
        del self._unprocessed[:size]
        return piece

    def _process(self, pcm: bytes) -> None:
        self._processed += len(pcm) // 2
        for found in self._matcher.push(np.frombuffer(pcm, "<i2").astype(np.int16)):
            self._handle(found)
        if self._matcher.current is not None:
            # there is no more audio before the match
            self._handle_copies(self._copies.end())
        match = self._current
        if match is not None:
            self._add_sphinx_words(self._sphinx.flush())
            self._note_speech(match)
        self._speech_end_ms = max(self._speech_end_ms, self._sphinx.speech_end_ms)

    @property
    def _current(self) -> Optional[Match]:
        """Match that is not over."""
        return self._matcher.current or self._copies.current

    def _handle(self, found: Union[Match, Unmatched]) -> None:
        """Take what is decided about samples that equal indexed speech, and those that do not."""
        if isinstance(found, Match):
            self._handle_copies(self._copies.end())
            self._add_match(found)
        else:
            self._handle_copies(self._copies.push(found.start, found.samples))

    def _handle_copies(self, results: Sequence[Union[Match, Unmatched]]) -> None:
        for found in results:
            if isinstance(found, Match):
                self._add_match(found)
            else:
                self._add_sphinx_words(self._sphinx.feed(found.start, found.samples))

    def _add_match(self, match: Match) -> None:
        self._add_sphinx_words(self._sphinx.flush())
        self._note_speech(match)
        words = list(self._words_of(match))
        self._pending += words
        used = words[-1].until if words else self._used
        # a word that was cut short ends here
        self._used = min(used, match.end)

    def _add_sphinx_words(self, words: Sequence[SphinxWord]) -> None:
        if words:
            self._speakers.setdefault(_SPHINX_VOICE, self._speaker(_SPHINX_VOICE))
            self._pending += [self._from_sphinx(word) for word in words]
            self._in_utterance = True

    # --- words

    def _from_sphinx(self, word: SphinxWord) -> _PlacedWord:
        start, end = (self._rate * ms // 1000 for ms in (word.start_ms, word.end_ms))
        heard = HeardWord(
            word.text,
            word.start_ms,
            min(word.end_ms, self._now_ms()),
            word.confidence,
            self._speaker(_SPHINX_VOICE),
            _SPHINX_LANGUAGE,
        )
        return _PlacedWord(heard, start, end)

    def _words_of(self, match: Match) -> Iterator[_PlacedWord]:
        """Yield the words of a match that were received, except those already used."""
        begin = max(match.start, self._used)
        for text, first, behind in match.clip.words:
            start, until = first - match.shift, behind - match.shift
            heard = min(until, match.end) - max(start, begin)
            if heard > 0 and 2 * heard >= until - start:
                self._speakers.setdefault(match.clip.voice, self._speaker(match.clip.voice))
                yield _PlacedWord(self._exact(text, start, until, match), start, until)

    def _exact(self, text: str, start: int, until: int, match: Match) -> HeardWord:
        return HeardWord(
            text,
            self._ms(max(start, match.start)),
            self._ms(min(until, match.end)),
            _EXACT_CONFIDENCE,
            self._speaker(match.clip.voice),
            match.clip.language,
            is_cut=self._ms(until) - self._ms(match.end) > _CUT_MS,
        )

    def _speaker(self, voice: str) -> str:
        """Return the label of a voice; a new one is not recorded, as a partial may be dropped."""
        return self._speakers.get(voice, str(len(self._speakers) + 1))

    def _ms(self, sample: int) -> int:
        return sample * 1000 // self._rate

    def _now_ms(self) -> int:
        return self._ms(self._processed)

    def _open_words(self) -> list[_PlacedWord]:
        match = self._current
        return [] if match is None else list(self._words_of(match))

    def _partial_words(self) -> list[_PlacedWord]:
        return self._open_words() or [self._from_sphinx(word) for word in self._sphinx.partial]

    # --- what is final

    def _settle(self, until_ms: Optional[int]) -> list[HeardWord]:
        """Remove and return the words that ended by `until_ms` (`None`: all); update `final_ms`."""
        final: list[HeardWord] = []
        while self._pending and _ended(self._pending[0], until_ms):
            final.append(self._pending.pop(0).word)
        if not self._pending:
            for word in self._open_words():
                if not _ended(word, until_ms):
                    break
                final.append(word.word)
                self._used = word.until
        settled = min(self._next_word_ms(), max(0, self._now_ms() - _SILENCE_LAG_MS))
        self._final_ms = max([self._final_ms, settled, *(word.end_ms for word in final)])
        return final

    def _next_word_ms(self) -> int:
        """Return where the first word starts that is not final, or may still be recognised."""
        starts = [word.word.start_ms for word in self._pending]
        starts += [word.word.start_ms for word in self._partial_words()]
        if self._sphinx.speech_start_ms is not None:
            starts.append(self._sphinx.speech_start_ms)
        if self._copies.undecided is not None:
            starts.append(self._ms(self._copies.undecided))
        match = self._current
        if match is not None:
            starts += [
                self._ms(first - match.shift)
                for _, first, behind in match.clip.words
                if behind - match.shift > max(self._used, match.start)
            ]
        return min(starts, default=self._now_ms())

    # --- pauses

    def _note_speech(self, match: Match) -> None:
        """Extend the speech to the end of the last word that has started."""
        for _, first, behind in match.clip.words:
            start, until = first - match.shift, behind - match.shift
            if start < match.end and until > match.start:
                self._in_utterance = True
                self._speech_end_ms = max(self._speech_end_ms, self._ms(min(until, match.end)))

    def _detect_endpoint(self) -> bool:
        """Return whether the pause is long enough to end the utterance, and end it."""
        silent = self._sphinx.speech_start_ms is None and self._copies.undecided is None
        quiet_ms = self._now_ms() - self._speech_end_ms
        if self._in_utterance and silent and quiet_ms >= self._endpoint_delay_ms:
            self._in_utterance = False
            return True
        return False

    # --- results

    def _result_if_changed(
        self, final: tuple[HeardWord, ...], endpoint: bool
    ) -> Optional[RecognitionResult]:
        before, before_ms = self._reported, self._reported_final_ms
        result = self._result(final, endpoint)
        progress = result.final_ms - before_ms >= _PROGRESS_MS
        if final or endpoint or progress or result.partial != before:
            return result
        self._reported_final_ms = before_ms
        return None

    def _result(self, final: tuple[HeardWord, ...], endpoint: bool) -> RecognitionResult:
        words = [*self._pending, *self._partial_words()]
        self._reported = tuple(word.word for word in words)
        self._reported_final_ms = self._final_ms
        return RecognitionResult(final, self._reported, endpoint, self._final_ms, self._now_ms())


def _ended(word: _PlacedWord, until_ms: Optional[int]) -> bool:
    return until_ms is None or word.word.end_ms <= until_ms


class SpeechRecognizer:
    """Opens listeners that share one index of synthesised speech. Thread-safe."""

    def __init__(
        self, index: SpeechIndex, open_transcriber: OpenTranscriber = SphinxTranscriber
    ) -> None:
        self._index = index
        self._open_transcriber = open_transcriber

    def listen(
        self, *, sample_rate: int, languages: Sequence[str] = (), endpoint_delay_ms: int = 2000
    ) -> SpeechListener:
        """Return a listener for s16le mono at `sample_rate` Hz (4000 or more).

        The language hints have no effect: indexed speech has its language, and pocketsphinx
        supports only English.

        Raises
            ValueError: the rate is too low.
        """
        if sample_rate < 4000:
            raise ValueError(f"unsupported sample rate {sample_rate}")
        return SpeechListener(self._index, sample_rate, endpoint_delay_ms, self._open_transcriber)
