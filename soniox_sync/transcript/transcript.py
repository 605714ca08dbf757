"""Keep the transcript of a live transcription, at constant cost per token."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, Optional, Union

from ..protocol.tokens import END_TOKEN, FIN_TOKEN, Result, SttEvent, Token
from .formats import (
    Options,
    segment_to_dict,
    segments_to_text,
    token_to_dict,
    tokens_to_srt,
    tokens_to_vtt,
)
from .segments import Segment, segment_tokens
from .translation import TranslationPair, translation_pairs
from .utterances import Utterance, build_utterance

__all__ = ["Transcript"]


class Transcript:
    """Collects results: final tokens add up, the guess of each result replaces the one before.

    `add` costs the same at the first and at the hundred-thousandth token. `final_text` is always
    the concatenation of all final tokens. Everything else is computed when asked for.
    Not thread-safe: read it from the thread that adds, as in `for event in session: ...`.
    """

    def __init__(self) -> None:
        self.clear()

    def clear(self) -> None:
        """Forget everything; the clock may begin anew."""
        self._finals: list[Token] = []
        self._guess: list[Token] = []
        # indices into _finals where an utterance ended
        self._ends: list[int] = []
        # the text of the first _texted final tokens
        self._text = ""
        self._texted = 0
        self.final_audio_proc_ms = 0
        self.total_audio_proc_ms = 0

    def add(self, result: Result) -> None:
        """Take one result of a session."""
        before = len(self._finals)
        self._guess = []
        for token in result.tokens:
            (self._finals if token.is_final else self._guess).append(token)
        self._mark_from_raw(result, before)
        self.final_audio_proc_ms = max(self.final_audio_proc_ms, result.final_audio_proc_ms)
        self.total_audio_proc_ms = max(self.total_audio_proc_ms, result.total_audio_proc_ms)

    def add_event(self, event: SttEvent) -> None:
        """Take one event of a session, whatever its kind."""
        if event.kind == "result":
            self.add(event.result)
        elif event.kind == "endpoint":
            self.mark_endpoint()
        elif event.kind == "finished":
            # what was not made final by then never will be
            self._guess = []

    def mark_endpoint(self) -> None:
        """End an utterance here; does nothing where one has just ended."""
        self._mark(len(self._finals))

    def _mark(self, index: int) -> None:
        if index > (self._ends[-1] if self._ends else 0):
            self._ends.append(index)

    def _mark_from_raw(self, result: Result, before: int) -> None:
        """End utterances where the response itself says so: tokens may follow an endpoint."""
        items = result.raw.get("tokens")
        if not isinstance(items, list) or len(items) == len(result.tokens):
            return
        taken = 0
        ended = False
        for item in items:
            if isinstance(item, dict) and item.get("text") in (END_TOKEN, FIN_TOKEN):
                ended = ended or item["text"] == END_TOKEN
                continue
            # what belongs to another result of the same response says nothing about this one
            ours = taken < len(result.tokens) and result.tokens[taken].raw is item
            if ended and (ours or taken):
                self._mark(min(before + taken, len(self._finals)))
            ended = False
            taken += ours
        if ended and taken:
            self._mark(min(before + taken, len(self._finals)))

    @property
    def final_text(self) -> str:
        """Give the text of all final tokens."""
        if self._texted < len(self._finals):
            self._text += "".join([token.text for token in self._finals[self._texted :]])
            self._texted = len(self._finals)
        return self._text

    @property
    def text(self) -> str:
        """Give the text of all final tokens and of the present guess."""
        return self.final_text + "".join([token.text for token in self._guess])

    @property
    def final_tokens(self) -> list[Token]:
        """Give a copy of the final tokens."""
        return list(self._finals)

    @property
    def non_final_tokens(self) -> list[Token]:
        """Give a copy of the present guess."""
        return list(self._guess)

    @property
    def tokens(self) -> list[Token]:
        """Give all final tokens, then the present guess."""
        return self._finals + self._guess

    def __len__(self) -> int:
        """Give the number of final tokens."""
        return len(self._finals)

    def __repr__(self) -> str:
        return f"<Transcript {len(self._finals)} final tokens, {len(self._guess)} not>"

    def segments(self, *, group_by: Sequence[str] = ("speaker", "language")) -> list[Segment]:
        """Group the final tokens; see `segment_tokens`."""
        return segment_tokens(self._finals, group_by=group_by)

    def utterances(self, *, group_by: Sequence[str] = ("speaker", "language")) -> list[Utterance]:
        """Give what was said between endpoints; the last one may still be going on.

        Endpoints come from the results (with endpoint detection on) and `mark_endpoint`. Without
        any, all is one utterance.
        """
        starts = [0, *self._ends]
        ends = [*self._ends, len(self._finals)]
        return [
            build_utterance(segment_tokens(self._finals[start:end], group_by=group_by))
            for start, end in zip(starts, ends)
            if start < end
        ]

    def translation_pairs(self) -> list[TranslationPair]:
        """Pair what was said with its translation; see `translation_pairs`."""
        return translation_pairs(self._finals)

    def to_text(
        self, *, speakers: Union[bool, Mapping[str, str]] = True, languages: bool = True
    ) -> str:
        """Write the final text, a line for each segment of each utterance."""
        segments = [segment for each in self.utterances() for segment in each.segments]
        return segments_to_text(segments, speakers=speakers, languages=languages)

    def to_srt(self, options: Options = None, **fields: Any) -> str:
        """Write the final text as SubRip captions; options as in `CaptionOptions`."""
        return tokens_to_srt(self._finals, _merged(options, fields), ends=self._ends)

    def to_vtt(self, options: Options = None, **fields: Any) -> str:
        """Write the final text as WebVTT captions; options as in `CaptionOptions`."""
        return tokens_to_vtt(self._finals, _merged(options, fields), ends=self._ends)

    def to_json(self, *, indent: Optional[int] = None) -> str:
        """Write the final text as JSON: `text`, `segments`, `tokens`, and the two positions."""
        return json.dumps(
            {
                "text": self.final_text,
                "final_audio_proc_ms": self.final_audio_proc_ms,
                "total_audio_proc_ms": self.total_audio_proc_ms,
                "segments": [segment_to_dict(segment) for segment in self.segments()],
                "tokens": [token_to_dict(token) for token in self._finals],
            },
            ensure_ascii=False,
            indent=indent,
        )


def _merged(options: Options, fields: Mapping[str, Any]) -> Options:
    """Let options be given by name, or as one object, but not both."""
    if not fields:
        return options
    if options is not None:
        raise TypeError("give caption options as one object or by name, not both")
    return fields
