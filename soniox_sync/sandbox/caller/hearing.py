"""What a scripted caller hears of what is played to it."""

from __future__ import annotations

from typing import Optional

from ..engines.base import HeardWord, RecognitionResult, Recognizer
from ..stt.tokens import UNSPACED

__all__ = ["Hearing"]


class Hearing:
    """Recognises speech of the sandbox, from samples that were played. Not thread-safe.

    A word counts once its end was played, as in `agent_text_heard`: one that was cut off never.
    """

    def __init__(self, recognizer: Recognizer, sample_rate: int) -> None:
        self._listener = recognizer.listen(sample_rate=sample_rate)
        self._final: list[HeardWord] = []
        self._partial: tuple[HeardWord, ...] = ()
        self.text: str = ""
        """Text that was played so far."""

    def feed(self, pcm: bytes) -> None:
        """Take in what was played now, if anything was."""
        if pcm:
            self._take(self._listener.feed(pcm))

    def finish(self) -> None:
        """Decide about the last words, and release the recogniser."""
        self._take(self._listener.finalize())
        self._listener.close()

    def _take(self, result: Optional[RecognitionResult]) -> None:
        if result is None:
            return
        self._final += [word for word in result.final if not word.is_cut]
        self._partial = tuple(word for word in result.partial if not word.is_cut)
        self.text = _joined([*self._final, *self._partial])


def _joined(words: list[HeardWord]) -> str:
    text = ""
    for word in words:
        text += ("" if word.language in UNSPACED or not text else " ") + word.text
    return text
