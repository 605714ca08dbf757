"""The agent's side: what is said, in passages of one voice, for one answer or one `say()`."""

from __future__ import annotations

import itertools
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Optional

from .user import UserTurn

Voice = Mapping[str, Any]

_numbers = itertools.count(1)
# the end of a sentence, with what may close it and the space after it
_SENTENCE_END = re.compile(r"[.!?…]+[\"'”’»)\]]*\s+|[。！？।॥؟۔]+\s*")


@dataclass(eq=False)
class Passage:
    """Text that is spoken in one piece, by one voice, under one rule of interruption.

    `barge_in`: `None` follows the conversation. Positions are of the sink, in ms of audio played:
    `start_ms` of its first sample, `end_ms` of the last one that was written.
    """

    voice: Voice
    barge_in: Optional[bool] = None
    remember: bool = True
    is_farewell: bool = False
    text: str = ""
    number: int = field(default_factory=lambda: next(_numbers))
    is_open: bool = True  # more text may come
    is_voiced: bool = False  # all its audio was written, or none comes any more
    has_begun: bool = False  # the voice is at work on it
    has_sounded: bool = False
    is_over: bool = False
    start_ms: Optional[float] = None
    end_ms: float = 0.0

    def __repr__(self) -> str:
        return f"<Passage {self.number} {self.text[:40]!r}>"


@dataclass(eq=False)
class Utterance:
    """What the agent says at a time: the answer to a turn, or what one `say()` asked for.

    `job`: number of the call of `reply`, `None` for `say()`. Times with `_ms` are of the source's
    clock, the others of the process.
    """

    job: Optional[int] = None
    turn: Optional[UserTurn] = None
    passages: list[Passage] = field(default_factory=list)
    is_done: bool = False  # no more text comes
    asked_ms: float = 0.0  # `reply` was called
    given_ms: Optional[float] = None  # its first text
    sounded_ms: Optional[float] = None  # first audio of what is remembered, or of a `say()`
    begun_ms: Optional[float] = None  # first audio at all
    played_all_at: Optional[float] = None  # the sink has nothing, and more text may come
    is_in_gap: bool = False  # for so long that it is a pause

    @property
    def is_answer(self) -> bool:
        """Whether it answers a turn of the user."""
        return self.job is not None

    @property
    def current(self) -> Optional[Passage]:
        """First passage that is not over."""
        return next((each for each in self.passages if not each.is_over), None)

    @property
    def is_over(self) -> bool:
        """Whether nothing more of it will sound."""
        return self.is_done and self.current is None

    def add(self, text: str, voice: Voice) -> tuple[Passage, str]:
        """Add text of `reply`; return the passage that speaks it, and the text with its space."""
        last = self.passages[-1] if self.passages else None
        if last is None or not last.is_open or last.voice != voice:
            last = Passage(voice)
            self.passages.append(last)
        text = self._spaced(last, text)
        last.text += text
        return last, text

    def _spaced(self, passage: Passage, text: str) -> str:
        """Return text with a space where it would run into what is remembered before it."""
        before = "".join(e.text for e in self.passages if e is not passage and e.remember)
        if passage.text or not before or before[-1:].isspace() or text[:1].isspace():
            return text
        return " " + text

    def say(self, passage: Passage, text: str) -> str:
        """Append a passage with all its text; return the text."""
        self.passages.append(passage)
        passage.text = self._spaced(passage, text)
        passage.is_open = False
        return passage.text

    def close(self, keep: Optional[Passage] = None) -> list[Passage]:
        """End the text of all passages but one; return those whose text was open."""
        ended = [each for each in self.passages if each.is_open and each is not keep]
        for each in ended:
            each.is_open = False
        return ended

    @property
    def text(self) -> str:
        """All that is remembered."""
        return "".join(each.text for each in self.passages if each.remember).strip()

    def split(self, passage: Passage, heard: int) -> Optional[Passage]:
        """End a passage after the characters that were heard; return one with the rest."""
        rest = passage.text[heard:]
        passage.text = passage.text[:heard]
        passage.is_over = passage.is_voiced = True
        was_open, passage.is_open = passage.is_open, False
        if not rest.strip() and not was_open:
            passage.text += rest
            return None
        again = Passage(passage.voice, passage.barge_in, passage.remember, passage.is_farewell)
        again.text, again.is_open = rest, was_open
        self.passages.insert(self.passages.index(passage) + 1, again)
        return again


def sentence_cut(before: str, text: str) -> int:
    """Return how much of `text` belongs to the sentence that `before` has begun.

    All of it if it does not end there; 0 if `before` ends with a whole sentence.
    """
    tail = before[-200:]
    if not tail.strip() or _SENTENCE_END.fullmatch(_last_end(tail)):
        return 0
    found = _SENTENCE_END.search(tail[-3:] + text)
    if found is None:
        return len(text)
    return min(len(text), max(0, found.end() - len(tail[-3:])))


def _last_end(text: str) -> str:
    """Return the end of a sentence with which the text ends, its space included or not."""
    stripped = text.rstrip()
    marks = re.search(r"[.!?…。！？।॥؟۔]+[\"'”’»)\]]*$", stripped)
    return f"{marks.group()} " if marks else ""
