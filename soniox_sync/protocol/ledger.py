"""One transcript from many sessions: every final token exactly once, on one clock.

Each session counts time from its own first audio and may hear audio that an earlier one heard
already. `Ledger` shifts times to the recording's clock, drops what was delivered, and knows from
where audio must be heard again if the present session is lost. No I/O, no clock.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from typing import Any, Optional

from .echo import Echo
from .tokens import Result, Token

# A word in progress is not known to the server before it is spoken, so audio that is final by its
# counter but brought no token may hold the beginning of one; no word is longer than this.
_LONGEST_WORD_MS = 3000
# so many tokens without a leading space are no longer one word: this text has none at all
_ENOUGH_UNSPACED = 4
# A translation follows its original within this much audio, as far as anybody measured; there is
# no mapping between the two (PROTOCOL 2.5), so younger originals count as not yet translated.
_TRANSLATION_LAG_MS = 10_000
# An original whose translation did not come within this much audio will not get one.
_TRANSLATION_LOST_MS = 60_000


class _Seam:
    """Parts the words of two sessions: the first token of a session carries no leading space."""

    def __init__(self) -> None:
        self._last = ""
        self._spaced = False  # this text parts its words by leading spaces
        self._unspaced = 0  # tokens in a row that did not
        self._open = False

    def begin(self, *, mid_word: bool) -> None:
        """Note that another session goes on here, perhaps inside a word."""
        self._open = bool(self._last) and not mid_word

    def close(self) -> None:
        """Note that what comes is not the first of its session."""
        self._open = False

    def mend(self, text: str) -> str:
        """Give `text` as it follows what was delivered before the seam."""
        parted = self._spaced or self._unspaced < _ENOUGH_UNSPACED
        if not (self._open and parted and text):
            return text
        if self._last[-1].isspace() or text[0].isspace() or text[0] in _CLOSING:
            return text
        return text if _is_unspaced(text[0]) else " " + text

    def note(self, text: str) -> None:
        """Take a final token's text as delivered."""
        if text:
            self._spaced = self._spaced or text[0].isspace()
            self._unspaced += 1
            self._last = text
            self._open = False


class Ledger:
    """Merges results of successive sessions. `begin()` each, then `accept()` its results."""

    def __init__(self) -> None:
        self.session = -1
        self.final_ms = 0  # reported: never goes back
        self.total_ms = 0
        self._offset_ms = 0
        self._floor_ms = -1  # originals up to here were delivered by earlier sessions
        self._heard_final_ms = 0  # what the present session counts as final
        # the last final original token, and the word it belongs to
        self._last_end_ms: Optional[int] = None
        self._known_ms = 0  # how far any session made originals final, delivered or not
        self._last_text = ""
        self._word_start_ms = 0
        self._word_text = ""
        self._speech = _Seam()
        self._translation = _Seam()
        self._seam_open = False  # a session was lost inside a word that had begun to be final
        self._seam_text = ""  # the part of that word that was delivered
        # the present guess
        self._pending_start_ms: Optional[int] = None
        self._mid_word = False
        self._shows_guess = False
        # (start, end) of originals that may still get a translation, oldest first
        self._owed: deque[tuple[int, int]] = deque()
        self._translated_last = False
        self._echo = Echo()
        self.original_ms_since_translation = 0  # for the watchdog

    def begin(self, offset_ms: int) -> None:
        """Start the next session, whose first audio is that at `offset_ms`."""
        self.session += 1
        self._offset_ms = offset_ms
        self._heard_final_ms = offset_ms
        self._floor_ms = -1 if self._last_end_ms is None else self._last_end_ms
        # stays open over several sessions, until one of them brings the rest of the word
        self._seam_open = self._seam_open or self._mid_word
        self._seam_text = self._word_text if self._seam_open else ""
        self._speech.begin(mid_word=self._seam_open)
        self._translation.begin(mid_word=False)
        self._echo.begin(offset_ms)
        self._pending_start_ms = None
        self._mid_word = False
        self.original_ms_since_translation = 0

    # -- where to go on --------------------------------------------------------------------------

    @property
    def last_end_ms(self) -> int:
        """Give the end of the last word delivered as final."""
        return self._last_end_ms or 0

    @property
    def has_guess(self) -> bool:
        """Tell whether non-final tokens stand that a lost session must take back."""
        return self._shows_guess

    @property
    def is_between_words(self) -> bool:
        """Tell whether all that was heard is final: a good moment to change sessions."""
        return self._pending_start_ms is None and not (self._mid_word or self._seam_open)

    @property
    def silence_ms(self) -> int:
        """Give how much audio is final after the last word."""
        return self._heard_final_ms - self.last_end_ms

    @property
    def owes_translation(self) -> bool:
        """Tell whether an original delivered may still lack its translation."""
        self._settle()
        return bool(self._owed)

    def resume_ms(self, *, with_translations: bool = True) -> int:
        """Give the moment from which a new session must hear the audio.

        That is the last finalised millisecond, never in the middle of a word that the server had
        not finished, and before the first original whose translation is still owed.
        """
        moment = max(self.last_end_ms, self._heard_final_ms - _LONGEST_WORD_MS)
        if self._pending_start_ms is not None:
            moment = min(moment, max(self._pending_start_ms, self.last_end_ms))
        if self._mid_word or self._seam_open:
            start = max(self._word_start_ms, self.last_end_ms - _LONGEST_WORD_MS)
            moment = min(moment, start)
        if with_translations:
            self._settle()
            if self._owed:
                moment = min(moment, self._owed[0][0])
        return max(0, moment)

    # -- results ---------------------------------------------------------------------------------

    def accept(self, result: Result) -> Result:
        """Give the result on the recording's clock, without what was delivered before."""
        kept: list[Token] = []
        mended = {False: False, True: False}  # the first of the speech, of the translation
        self._pending_start_ms, self._mid_word = None, False
        self._heard_final_ms = max(
            self._heard_final_ms, result.final_audio_proc_ms + self._offset_ms
        )
        for token in result.tokens:
            for moved in self._new(token):
                translated = moved.is_translation
                if not mended[translated]:
                    mended[translated] = True
                    moved.text = self._seam_of(moved).mend(moved.text)
                kept.append(moved)
                self._note(moved)
        self._shows_guess = any(not token.is_final for token in kept)
        if any(t.is_final and t.start_ms is None and not t.is_translation for t in kept):
            # words without times: the counter is all that says how far they reach
            self._last_end_ms = max(self.last_end_ms, self._heard_final_ms)
        return self.counted(kept, result)

    def _new(self, token: Token) -> list[Token]:
        """Give what of a token no earlier session delivered, on the recording's clock."""
        moved = self._move(token)
        if moved is None:
            return []
        return self._told_once(moved) if moved.is_translation else [moved]

    def _told_once(self, moved: Token) -> list[Token]:
        """Give a translation, or those held back till now, unless it repeats an earlier session."""
        if not self._echo.listens:
            return [moved]
        if not moved.is_final:
            return []  # a guess at what may be known already
        self._note_translating()
        new = self._echo.sift(moved)
        if self._echo.repeated:
            self._translation.close()  # what follows a repetition has its own space
        return new

    def _seam_of(self, token: Token) -> _Seam:
        return self._translation if token.is_translation else self._speech

    def accept_late(self, result: Result) -> Result:
        """Take from a session that was replaced what only it can give: final translations."""
        kept: list[Token] = []
        for token in map(self._shift, result.tokens):
            if token.is_final and token.is_translation:
                kept += self._told_once(token)
            elif token.is_final and token.end_ms is not None:
                # its successor says this word, and later the translation that follows here, too
                self._known_ms = max(self._known_ms, token.end_ms)
        return self._late(kept, result.raw)

    def rest(self) -> Result:
        """Take what was held back of a session that says no more, and is not heard again."""
        return self._late(self._echo.rest(), {})

    def _late(self, kept: list[Token], raw: Mapping[str, Any]) -> Result:
        for token in kept:
            self._note(token)
        return Result(kept, self.final_ms, self.total_ms, False, raw)

    def counted(self, tokens: list[Token], result: Result) -> Result:
        """Build a result whose counters never go back."""
        self.final_ms = max(self.final_ms, result.final_audio_proc_ms + self._offset_ms)
        self.total_ms = max(self.total_ms, result.total_audio_proc_ms + self._offset_ms)
        return Result(tokens, self.final_ms, self.total_ms, False, result.raw)

    def withdrawal(self) -> Result:
        """Build the result that takes back the guess of a session that is gone."""
        self._shows_guess = False
        return Result([], self.final_ms, self.total_ms)

    def _shift(
        self, token: Token, text: Optional[str] = None, start_ms: Optional[int] = None
    ) -> Token:
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

    def _move(self, token: Token) -> Optional[Token]:
        """Shift a token, or give `None` if an earlier session delivered it."""
        if self._floor_ms < 0 or token.is_translation or token.start_ms is None:
            return self._shift(token)
        start = token.start_ms + self._offset_ms
        end = start if token.end_ms is None else token.end_ms + self._offset_ms
        if self._seam_text and start < self._floor_ms < end:
            # one token for a word whose beginning was delivered: only the rest of it is new
            bare = token.text.lstrip()
            if bare.startswith(self._seam_text) and bare != self._seam_text:
                return self._shift(token, bare[len(self._seam_text) :], self._floor_ms)
        if start + end <= 2 * self._floor_ms and start < self._floor_ms:
            return None
        return self._shift(token)

    def _note(self, token: Token) -> None:
        if token.is_final:
            self._seam_of(token).note(token.text)
        if token.is_translation:
            if token.is_final:
                self._note_translating()
                self._echo.told(token, self._known_ms)
            return
        if token.start_ms is None:
            return
        end = token.start_ms if token.end_ms is None else token.end_ms
        if not token.is_final:
            if self._pending_start_ms is None:
                self._pending_start_ms = token.start_ms
                self._mid_word = _joins(self._last_text, token.text)
            return
        if _joins(self._last_text, token.text):
            self._word_text += token.text
        else:
            self._word_start_ms = token.start_ms
            self._word_text = token.text.lstrip()
        self._seam_open = False
        self._last_text = token.text
        self._last_end_ms = max(self.last_end_ms, end)
        self._known_ms = max(self._known_ms, end)
        if token.translation_status == "original":
            self._owed.append((self._word_start_ms, end))
            self._translated_last = False
            self.original_ms_since_translation += max(0, end - token.start_ms)

    def _note_translating(self) -> None:
        self._translated_last = True
        self.original_ms_since_translation = 0

    def _settle(self) -> None:
        """Forget originals that are translated by now, or never will be."""
        now, owed = self._heard_final_ms, self._owed
        quiet = self._translated_last and now - self.last_end_ms > _TRANSLATION_LAG_MS
        while owed:
            age = now - owed[0][1]
            translated = self._translated_last and (age > _TRANSLATION_LAG_MS or quiet)
            if not translated and age <= _TRANSLATION_LOST_MS:
                break
            owed.popleft()
        self._echo.forget(owed[0][0] if owed else self.last_end_ms - _LONGEST_WORD_MS)


def _joins(before: str, after: str) -> bool:
    """Tell whether `after` goes on in the word that `before` ended with.

    Only for scripts that part words by spaces: elsewhere each token stands for itself.
    """
    if not before or not after:
        return False
    left, right = before[-1], after[0]
    return _in_spaced_word(left) and _in_spaced_word(right)


# scripts written without spaces between words: Thai, Lao, Myanmar, Khmer, kana, han
_UNSPACED = ((0x0E00, 0x0EFF), (0x1000, 0x109F), (0x1780, 0x17FF), (0x3040, 0x30FF))
_HAN = ((0x3400, 0x9FFF), (0xF900, 0xFAFF), (0x20000, 0x3FFFF))


# what stands close to the word before it
_CLOSING = frozenset(".,!?;:)]}%…’'\"»”")


def _in_spaced_word(char: str) -> bool:
    return (char.isalnum() or char in "'’-") and not _is_unspaced(char)


def _is_unspaced(char: str) -> bool:
    code = ord(char)
    return any(low <= code <= high for low, high in _UNSPACED + _HAN)
