"""One transcript from many sessions: every final token exactly once, on one clock.

Each session counts time from its own first audio, and may receive audio that an earlier one has
received already. `Merger` shifts times to the recording's clock, drops what was delivered before,
and computes from where audio must be replayed if the current session is lost. No I/O, no clock.

A connection lost in the middle of a word (tokens as text start-end, `?` not final; times in ms)::

    session 0 from 0      " The" 0-90, " bl" 100-300, "ack?" 300-420
                          delivered as they are; final_audio_proc_ms 310
    the connection is lost
                          last_end_ms 300, the word starts at 100: resume_ms() == 100
    session 1 from 100    "black" 0-330, " cat" 350-600
                          on the recording's clock: "black" 100-430, " cat" 450-700
                          "black" starts before 300 and ends after it: " bl" was delivered, so
                          "ack" 300-430 is new; all of " cat" is new
    delivered in all      " The black cat"

A word of which `finalize()` made half final, and which a container repeats from before it::

    session 0 from 0      " The" 0-90, " hel" 100-180: finalized, lost
    session 1 from 0      "The" 0-90, " hello" 100-300
                          "hello" begins as " hel" does and goes on after it: "lo" 180-300 is new

Translations have no times, so their repetitions are found by their text: see `TranslationDedup`.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence
from typing import Any, Optional

from ..protocol.tokens import Result, Token
from .seam import Seam, continues_word
from .translation_dedup import TranslationDedup

# The service recognises a word only after it was spoken, so audio that is final by its counter, but
# without a token, may contain the start of a word; no word is longer than this.
_LONGEST_WORD_MS = 3000
# A translation follows its original within this much audio, in every measurement so far. No field
# links a translation to its original (PROTOCOL 2.5), so more recent originals count as not yet
# translated.
_TRANSLATION_LAG_MS = 10_000
# an original that was not translated within this much audio will not be
_TRANSLATION_LOST_MS = 60_000


class Merger:
    """Merges results of successive sessions: `begin()` each, then `accept()` its results."""

    def __init__(self) -> None:
        self.session: int = -1
        # counters as reported: they never go back
        self.final_ms: int = 0
        self.total_ms: int = 0
        # -- of the current session
        self._offset_ms = 0
        self._session_final_ms = 0  # its own counter: behind `final_ms` during a replay
        self._floor_ms = -1  # originals up to here were delivered by earlier sessions
        # its originals that are not final: where they start, and whether in the middle of a word
        self._partial_start_ms: Optional[int] = None
        self._mid_word = False
        self.has_partial: bool = False  # partials are shown, to be withdrawn if the session is lost
        self.has_words: bool = False  # the last result had final words
        # -- the last final original, and the word that it belongs to
        self._last_end_ms: Optional[int] = None
        self._last_text = ""
        self._word_start_ms = 0
        self._word_text = ""
        # The start of a word was delivered, and its session lost before the rest was received.
        self._word_is_open = False
        # The last word that an earlier session delivered. What begins before `_floor_word_ms` and
        # ends after the floor is that word: before its middle, or anywhere in it if it is open.
        self._floor_word = ""
        self._floor_word_ms = -1
        self._rest: Optional[Token] = None  # the last token of which only the rest was new
        # -- translation
        # up to here originals were final in some session, whether delivered or dropped
        self._originals_final_ms = 0
        # (start, end) of originals that may still get a translation, oldest first
        self._untranslated: deque[tuple[int, int]] = deque()
        self._translated_last = False  # the last token was a translation, not an original
        self._dedup = TranslationDedup()
        self.original_ms_since_translation: int = 0  # for the watchdog
        # -- text
        self._speech_seam = Seam()
        self._translation_seam = Seam()

    def begin(self, offset_ms: int) -> None:
        """Start the next session; its audio starts `offset_ms` into the recording."""
        self.session += 1
        self._offset_ms = offset_ms
        self._session_final_ms = offset_ms
        self._floor_ms = -1 if self._last_end_ms is None else self._last_end_ms
        # a word may stay open over several sessions, until one of them delivers the rest of it
        self._word_is_open = self._word_is_open or self._mid_word
        self._floor_word = self._word_text
        if self._word_is_open:
            self._floor_word_ms = self._floor_ms
        else:
            self._floor_word_ms = (self._word_start_ms + self._floor_ms) // 2
        self._speech_seam.begin(mid_word=self._word_is_open)
        self._translation_seam.begin(mid_word=False)
        self._dedup.begin(offset_ms)
        self._partial_start_ms = None
        self._mid_word = False
        self.original_ms_since_translation = 0

    def move_start(self, offset_ms: int) -> None:
        """Start the current session, which has received no audio yet, at another time."""
        self._offset_ms = self._session_final_ms = offset_ms
        self._dedup.begin(offset_ms)

    # -- where to resume -------------------------------------------------------------------------

    @property
    def last_end_ms(self) -> int:
        """End of the last word delivered as final."""
        return self._last_end_ms or 0

    @property
    def is_between_words(self) -> bool:
        """Whether everything recognised so far is final: a good time to change sessions."""
        return self._partial_start_ms is None and not (self._mid_word or self._word_is_open)

    @property
    def silence_ms(self) -> int:
        """Milliseconds of final audio after the last word."""
        return self._session_final_ms - self.last_end_ms

    @property
    def awaits_translation(self) -> bool:
        """Whether an original that was delivered may still be translated."""
        self._settle_translations()
        return bool(self._untranslated)

    def resume_ms(self, *, with_translations: bool = True) -> int:
        """Return the time, in ms, from which a new session must receive the audio.

        That is the last final millisecond, or earlier: the start of a word that is not complete, or
        of an original that still awaits its translation.
        """
        resume_ms = max(self.last_end_ms, self._session_final_ms - _LONGEST_WORD_MS)
        if self._partial_start_ms is not None:
            resume_ms = min(resume_ms, max(self._partial_start_ms, self.last_end_ms))
        if self._mid_word or self._word_is_open:
            word_start_ms = max(self._word_start_ms, self.last_end_ms - _LONGEST_WORD_MS)
            resume_ms = min(resume_ms, word_start_ms)
        if with_translations and self.awaits_translation:
            resume_ms = min(resume_ms, self._untranslated[0][0])
        return max(0, resume_ms)

    # -- results ---------------------------------------------------------------------------------

    def accept(self, result: Result) -> Result:
        """Return the result on the recording's clock, without what was delivered before.

        That is the result itself where nothing has to be changed.
        """
        self._partial_start_ms, self._mid_word = None, False
        final_ms = result.final_audio_proc_ms + self._offset_ms
        self._session_final_ms = max(self._session_final_ms, final_ms)
        tokens = result.tokens
        # what the first session sends is on this clock already, and nothing was delivered before
        is_unchanged = self.session == 0 and self._offset_ms == 0
        kept = self._unchanged(tokens) if is_unchanged else self._corrected(tokens)
        return self.make_result(kept, result)

    def _unchanged(self, tokens: Sequence[Token]) -> Sequence[Token]:
        """Record tokens that are delivered as they are."""
        has_partial = is_known = False
        words = []
        for token in tokens:
            if token.is_final:
                self._record(token)
                if not token.is_translation:
                    words.append(token)
            elif not is_known:  # only the first partial of what was said matters
                has_partial = True
                self._record(token)
                is_known = self._partial_start_ms is not None
        self.has_partial = has_partial
        self._record_words(words)
        return tokens

    def _corrected(self, tokens: Sequence[Token]) -> list[Token]:
        """Return and record the tokens that are new, with their times and spaces corrected."""
        kept: list[Token] = []
        # by is_translation: whether the next token is the first of its text
        first = {False: True, True: True}
        for token in tokens:
            undelivered = self._undelivered(token)
            if not (undelivered or token.is_translation):
                first[False] = False  # what follows is not the first of its session
                if token.is_final:
                    self._speech_seam.close()
            for moved in undelivered:
                is_translation = moved.is_translation
                if first[is_translation]:
                    first[is_translation] = False
                    if moved is not self._rest:
                        moved.text = self._seam_of(moved).join(moved.text)
                kept.append(moved)
                self._record(moved)
        self.has_partial = any(not token.is_final for token in kept)
        self._record_words([t for t in kept if t.is_final and not t.is_translation])
        return kept

    def _record_words(self, words: list[Token]) -> None:
        """Record the final words of a result."""
        self.has_words = bool(words)
        for word in words:
            if word.start_ms is None:
                # words without times: only the counter shows how far they reach
                self._last_end_ms = max(self.last_end_ms, self._session_final_ms)

    def _undelivered(self, token: Token) -> list[Token]:
        """Return the part of a token that was not delivered before, on the recording's clock."""
        moved = self._move(token)
        if moved is None:
            return []
        return self._new_translations(moved) if moved.is_translation else [moved]

    def _new_translations(self, moved: Token) -> list[Token]:
        """Return a translation, and those held back before it, unless it is a repetition."""
        if not self._dedup.is_active:
            return [moved]
        if not moved.is_final:
            return []  # a partial, and its text may have been delivered already
        self._translation_arrived()
        new = self._dedup.accept(moved)
        if self._dedup.has_repeated:
            self._translation_seam.close()  # what follows a repetition has its own space
        return new

    def _seam_of(self, token: Token) -> Seam:
        return self._translation_seam if token.is_translation else self._speech_seam

    def accept_late(self, result: Result) -> Result:
        """Return what only a session that was replaced can deliver: its final translations."""
        kept: list[Token] = []
        for token in map(self._shift, result.tokens):
            if token.is_final and token.is_translation:
                kept += self._new_translations(token)
            elif token.is_final and token.end_ms is not None:
                # the next session delivers this word; the translation that follows here may be
                # repeated there
                self._originals_final_ms = max(self._originals_final_ms, token.end_ms)
        return self._late_result(kept, result.raw)

    def flush(self) -> Result:
        """Return what was held back of a session that sends nothing more and is not replayed."""
        return self._late_result(self._dedup.flush(), {})

    def _late_result(self, kept: list[Token], raw: Mapping[str, Any]) -> Result:
        for token in kept:
            token.text = self._translation_seam.join(token.text)  # it may be the session's first
            self._record(token)
        return Result(kept, self.final_ms, self.total_ms, False, raw)

    def make_result(self, tokens: Sequence[Token], result: Result) -> Result:
        """Return a result with `tokens`, whose counters never go back."""
        offset = self._offset_ms
        final_ms, total_ms = result.final_audio_proc_ms, result.total_audio_proc_ms
        self.final_ms = max(self.final_ms, final_ms + offset)
        self.total_ms = max(self.total_ms, total_ms + offset)
        if tokens is result.tokens and final_ms == self.final_ms and total_ms == self.total_ms:
            return result
        return Result(tokens, self.final_ms, self.total_ms, False, result.raw)

    def withdrawal(self) -> Result:
        """Return the result that withdraws the partial of a session that has ended."""
        self.has_partial = False
        return Result([], self.final_ms, self.total_ms)

    # -- one token -------------------------------------------------------------------------------

    def _move(self, token: Token) -> Optional[Token]:
        """Shift a token, or return `None` if an earlier session delivered it."""
        if self._floor_ms < 0 or token.is_translation or token.start_ms is None:
            return self._shift(token)
        start = token.start_ms + self._offset_ms
        end = start if token.end_ms is None else token.end_ms + self._offset_ms
        if self._floor_word and start < self._floor_word_ms and self._floor_ms < end:
            # One token for a word whose start was delivered: only the rest of it is new. It was cut
            # by the loss of its session, or by a `finalize()` in the middle of it.
            bare = token.text.lstrip()
            if bare.startswith(self._floor_word):
                rest = bare[len(self._floor_word) :]
                self._rest = self._shift(token, rest, self._floor_ms) if rest else None
                return self._rest
        # Two sessions place a word a few milliseconds apart: compare its middle.
        if start + end <= 2 * self._floor_ms and start < self._floor_ms:
            return None
        return self._shift(token)

    def _shift(
        self, token: Token, text: Optional[str] = None, start_ms: Optional[int] = None
    ) -> Token:
        """Return a copy on the recording's clock, with another text or start if given."""
        offset, start, end = self._offset_ms, token.start_ms, token.end_ms
        if start_ms is None and start is not None:
            start_ms = start + offset
        return Token(
            token.text if text is None else text,
            start_ms,
            None if end is None else end + offset,
            token.confidence,
            token.is_final,
            token.speaker,
            token.language,
            token.translation_status,
            token.source_language,
            self.session,
            token.raw,
        )

    def _record(self, token: Token) -> None:
        """Update the positions of words, partials and translations for a delivered token."""
        is_final, text = token.is_final, token.text
        if token.is_translation:
            if is_final:
                self._translation_seam.delivered(text)
                self._translation_arrived()
                self._dedup.delivered(token, self._originals_final_ms)
            return
        if is_final:
            self._speech_seam.delivered(text)
        start = token.start_ms
        if start is None:
            return
        if not is_final:
            if self._partial_start_ms is None:
                self._partial_start_ms = start
                self._mid_word = continues_word(self._last_text, text)
            return
        end = token.end_ms
        if end is None:
            end = start
        if continues_word(self._last_text, text):
            self._word_text += text
        else:
            self._word_start_ms = start
            self._word_text = text.lstrip()
        self._word_is_open = False
        self._last_text = text
        self._last_end_ms = max(self.last_end_ms, end)
        self._originals_final_ms = max(self._originals_final_ms, end)
        if token.translation_status == "original":
            self._untranslated.append((self._word_start_ms, end))
            self._translated_last = False
            self.original_ms_since_translation += max(0, end - start)

    # -- translations ----------------------------------------------------------------------------

    def _translation_arrived(self) -> None:
        self._translated_last = True
        self.original_ms_since_translation = 0

    def _settle_translations(self) -> None:
        """Forget originals that have been translated by now, or never will be.

        An original counts as translated when the last token was a translation and, since then or
        since the original, more audio has passed than a translation takes (times in ms, audio final
        up to 25000, the last token a translation)::

            (2000, 14000)    11000 old: translated
            (16000, 18000)   7000 old: may still be translated, a new session must receive it again
        """
        now, untranslated = self._session_final_ms, self._untranslated
        is_silent = now - self.last_end_ms > _TRANSLATION_LAG_MS
        while untranslated:
            age = now - untranslated[0][1]
            is_translated = self._translated_last and (age > _TRANSLATION_LAG_MS or is_silent)
            if not is_translated and age <= _TRANSLATION_LOST_MS:
                break
            untranslated.popleft()
        oldest_ms = untranslated[0][0] if untranslated else self.last_end_ms - _LONGEST_WORD_MS
        self._dedup.forget(oldest_ms)
