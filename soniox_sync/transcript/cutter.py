"""Utterances of a live transcription, each handed out once: `utterances()` of all its objects."""

from __future__ import annotations

from collections import deque
from typing import Optional

from ..protocol.tokens import SttEvent, Token
from .segments import greatest, segment_tokens
from .text import count_sentences, ends_sentence
from .translation import is_whole_translation
from .utterances import Utterance, build_utterance

__all__ = ["PAUSE_MS", "TRANSLATION_WAIT_SEC", "UtteranceCutter"]

# So much silence ends an utterance where the service reports no endpoints: longer than pauses
# within a sentence, and as long as a gap between two captions.
PAUSE_MS = 1500
# An utterance waits so long for its translation, which is sent about a second after the speech.
# A listener would take a longer wait for a failure.
TRANSLATION_WAIT_SEC = 2.0
# languages written without marks at the ends of sentences
_UNMARKED = frozenset(("th", "lo"))

_Voice = tuple[int, Optional[str]]


class UtteranceCutter:
    """Divides a live transcription into utterances. Not thread-safe; has no clock of its own.

    `add()` takes the events and the time, `take()` gives what is complete, `due` is when to ask
    again although nothing came. With `by_endpoint` an utterance ends at an endpoint, otherwise also
    at a pause, at a change of speaker, or with the answer to a finalize.
    """

    # An utterance passes three stages (times in s):
    #
    #     0.0   Good morning.    original      open: [Good morning.]
    #     0.2   <end>                          waiting until 2.2: its translation is owed
    #     0.9   How              original      open: [How]; the one before waits on
    #     1.1   Buenos           translation   belongs to the oldest that is owed one
    #     1.1    días.           translation   all its sentences are there: take() gives it
    #     3.0   ¿Cómo            translation   open: [How ¿Cómo]
    #
    # Without "Buenos días." it would be given at 2.2, and what comes later be in the next one.

    def __init__(self, *, by_endpoint: bool) -> None:
        self._by_endpoint = by_endpoint
        self._open = _Piece()
        self._waiting: deque[_Piece] = deque()
        # the piece of the last token, if that was a translation
        self._translating: Optional[_Piece] = None
        self._is_over = False

    @property
    def due(self) -> Optional[float]:
        """Time at which an utterance is complete without further events, `None`: none is."""
        return self._waiting[0].due if self._waiting else None

    def add(self, event: SttEvent, now: float) -> None:
        """Add an event that arrived at `now`."""
        if event.kind == "result":
            for token in event.result.final_tokens:
                self._add_token(token, now)
            if not self._by_endpoint and self._open.paused_before(event.result.final_audio_proc_ms):
                self._end_utterance(now)
        elif event.kind == "finished":
            self.end()
        elif event.kind == "endpoint" or not self._by_endpoint:
            self._end_utterance(now)

    def end(self) -> None:
        """End the last utterance: nothing more comes."""
        self._is_over = True
        if self._open.tokens:
            self._waiting.append(self._open)
            self._open = _Piece()

    def fail(self) -> None:
        """Stop waiting for translations, as nothing more comes; the open utterance never ends."""
        self._is_over = True

    def take(self, now: Optional[float] = None) -> Optional[Utterance]:
        """Return the next utterance that is complete, oldest first; `None`: none is.

        `now`: the time, if nothing that came before is still to be added; `None`: it is not known.
        """
        if not self._waiting:
            return None
        piece = self._waiting[0]
        is_due = now is not None and piece.due <= now
        if not (self._is_over or is_due or piece.is_translated):
            return None
        self._waiting.popleft()
        if self._translating is piece:
            self._translating = None
        return build_utterance(segment_tokens(piece.tokens))

    def _add_token(self, token: Token, now: float) -> None:
        if token.is_translation:
            self._translating = self._piece_of(token)
            self._translating.add(token)
            return
        self._translating = None
        ends = self._open.lost_its_end_before if self._by_endpoint else self._open.ends_before
        if ends(token):
            self._end_utterance(now)
        self._open.add(token)

    def _piece_of(self, token: Token) -> _Piece:
        """Return where a translation belongs: it goes on, or begins with the oldest that is owed.

        Translations come in the order of the speech, and name its speaker at most.
        """
        last = self._translating
        if last is not None and not last.is_certainly_translated:
            return last
        pieces = (*self._waiting, self._open)
        return next((piece for piece in pieces if piece.owes(token)), last or self._open)

    def _end_utterance(self, now: float) -> None:
        if self._open.has_speech:
            self._open.due = now + TRANSLATION_WAIT_SEC
            self._waiting.append(self._open)
            self._open = _Piece()


class _Piece:
    """Utterance that grows, or waits for its translation."""

    def __init__(self) -> None:
        self.tokens: list[Token] = []
        self.has_speech = False
        self.due = 0.0  # until when it waits for its translation, once it has ended
        self._said_until: Optional[int] = None
        self._session = 0  # of the latest speech
        self._voice: Optional[_Voice] = None  # the latest that is known
        self._debts: dict[_Voice, _Debt] = {}

    def add(self, token: Token) -> None:
        """Add a token to the utterance."""
        self.tokens.append(token)
        voice = (token.session, token.speaker)
        if token.is_translation:
            debt = self._debt_for(voice)
            if debt is not None:
                debt.pay(token)
            return
        self.has_speech = True
        self._session = token.session
        self._said_until = greatest(self._said_until, greatest(token.start_ms, token.end_ms))
        if token.speaker is not None:
            self._voice = voice
        if token.translation_status == "original":
            self._debts.setdefault(voice, _Debt()).owe(token)

    def ends_before(self, token: Token) -> bool:
        """Return whether spoken `token` begins another utterance: after a pause, by another."""
        changed = token.speaker is not None and self._voice not in (
            None,
            (token.session, token.speaker),
        )
        return changed or self.paused_before(token.start_ms)

    def lost_its_end_before(self, token: Token) -> bool:
        """Return whether the endpoint before spoken `token` was lost with a connection.

        The next session of a recording gets no words before the pause, and reports no end of them.
        """
        return token.session != self._session and self.paused_before(token.start_ms)

    def paused_before(self, ms: Optional[int]) -> bool:
        """Return whether nothing was said for `PAUSE_MS` before `ms`."""
        if ms is None or self._said_until is None:
            return False
        return ms - self._said_until >= PAUSE_MS

    @property
    def is_translated(self) -> bool:
        """Whether all that is to be translated is, as far as can be seen."""
        return all(debt.is_paid for debt in self._debts.values())

    @property
    def is_certainly_translated(self) -> bool:
        """Whether no more of a translation can come."""
        return all(debt.is_whole for debt in self._debts.values())

    def owes(self, token: Token) -> bool:
        """Return whether a translation as `token` is waited for."""
        debt = self._debt_for((token.session, token.speaker))
        return debt is not None and not debt.is_paid

    def _debt_for(self, voice: _Voice) -> Optional[_Debt]:
        """Return the debt to a voice; where one side names no speaker, the first unpaid one."""
        if voice in self._debts or not self._debts:
            return self._debts.get(voice)
        session, speaker = voice
        if speaker is None:
            return next((debt for debt in self._debts.values() if not debt.is_paid), None)
        return self._debts.get((session, None))


class _Debt:
    """Speech of one voice that is to be translated, and what has come of its translation."""

    __slots__ = ("_is_unmarked", "_said", "_translated")

    def __init__(self) -> None:
        self._said = ""
        self._translated = ""
        self._is_unmarked = False

    def owe(self, token: Token) -> None:
        """Add speech; what was translated before it no longer matters."""
        if self._translated:
            self._said = self._translated = ""
        self._said += token.text

    def pay(self, token: Token) -> None:
        """Add a token of the translation."""
        self._translated += token.text
        self._is_unmarked = token.language in _UNMARKED

    @property
    def is_whole(self) -> bool:
        """Whether the translation is certainly complete."""
        return is_whole_translation(self._said, self._translated)

    @property
    def is_paid(self) -> bool:
        """Whether the translation is complete, as far as marks of sentences tell."""
        if not self._translated or self._is_unmarked:
            return bool(self._translated)
        if ends_sentence(self._said) and not ends_sentence(self._translated):
            return False
        return count_sentences(self._translated) >= count_sentences(self._said)
