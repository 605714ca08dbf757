"""The transcript of a live transcription, at constant cost per token."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple, Optional, Union

from .._support.checks import integer, suggests_keywords, text
from .._support.reprs import counted, summary
from ..errors import InputTypeError
from ..protocol.tokens import (
    END_TOKEN,
    FIN_TOKEN,
    Result,
    SttEvent,
    Token,
    join_said,
    join_translated,
)
from .captions import CaptionOptions
from .formats import (
    Options,
    json_text,
    segment_to_dict,
    segments_to_text,
    token_to_dict,
    tokens_to_srt,
    tokens_to_vtt,
)
from .segments import GROUP_KEYS, GroupBy, Segment, segment_tokens
from .translation import TranslationPair, translation_pairs
from .utterances import Utterance, build_utterance

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from .keywords import CaptionKeywords

__all__ = ["Transcript"]


class _View(NamedTuple):
    """State of a transcript at one moment: the first `length` of `finals`, and the partial tokens.

    The lists only grow at their ends, except `partial`, which is replaced.
    """

    finals: list[Token]
    ends: list[int]  # numbers of final tokens after which an utterance ended
    length: int
    partial: list[Token]


_check_indent = integer(0)
_check_title = text(empty=True)


class Transcript:
    """Transcript of a session: final tokens add up, the partial ones of each result replace those
    before.

    `add` costs the same at the first and at the hundred-thousandth token. `final_text` is always
    what was said in all final tokens, `final_translated_text` their translation. Everything else is
    computed on demand. One thread adds; reading is thread-safe, and sees whole results.
    """

    def __init__(self) -> None:
        self.clear()

    def clear(self) -> None:
        """Drop everything; the clock may start over."""
        # replaced at once with each result, so that another thread never sees half of one
        self._view = _View([], [], 0, [])
        # what was said in the first tokens and its translation, joined on demand, each token once:
        # the list they are in, their number, the texts
        self._joined: tuple[list[Token], int, str, str] = ([], 0, "", "")
        self.final_audio_proc_ms: int = 0
        self.total_audio_proc_ms: int = 0

    def add(self, result: Result) -> None:
        """Add one result of a session."""
        finals, ends, before, _ = self._view
        partial: list[Token] = []
        for token in result.tokens:
            (finals if token.is_final else partial).append(token)
        self._view = _View(finals, ends, len(finals), partial)
        self._mark_from_raw(result, before)
        self.final_audio_proc_ms = max(self.final_audio_proc_ms, result.final_audio_proc_ms)
        self.total_audio_proc_ms = max(self.total_audio_proc_ms, result.total_audio_proc_ms)

    def add_event(self, event: SttEvent) -> None:
        """Add one event of a session, of any kind."""
        if event.kind == "result":
            self.add(event.result)
        elif event.kind == "endpoint":
            self.mark_endpoint()
        elif event.kind == "finished":
            # what is not final by now never will be
            finals, ends, length, _ = self._view
            self._view = _View(finals, ends, length, [])

    def mark_endpoint(self) -> None:
        """End an utterance here; does nothing if one has just ended."""
        self._mark(self._view.length)

    def _mark(self, index: int) -> None:
        ends = self._view.ends
        if index > (ends[-1] if ends else 0):
            ends.append(index)

    def _mark_from_raw(self, result: Result, before: int) -> None:
        """End utterances where the response itself has an endpoint, with tokens after it."""
        # For users who add results alone. The response "One." <end> " Two" <fin> "!" comes as three
        # results with the same `raw`. Each looks in there for its own tokens, and for an <end>
        # next to them:
        #
        #     "One."    <end> behind its last token: marked after "One."
        #     " Two"    <end> before its first token: marked there, which changes nothing
        #     "!"       <fin> is not an endpoint, and <end> is not next to it
        items = result.raw.get("tokens")
        if not isinstance(items, list) or len(items) == len(result.tokens):
            return
        taken = 0
        ended = False
        for item in items:
            if isinstance(item, dict) and item.get("text") in (END_TOKEN, FIN_TOKEN):
                ended = ended or item["text"] == END_TOKEN
                continue
            ours = taken < len(result.tokens) and result.tokens[taken].raw is item
            if ended and (ours or taken):
                self._mark(min(before + taken, self._view.length))
            ended = False
            taken += ours
        if ended and taken:
            self._mark(min(before + taken, self._view.length))

    @property
    def final_text(self) -> str:
        """What was said in all final tokens, without translations."""
        return self._final_texts(self._view)[0]

    @property
    def text(self) -> str:
        """What was said in all final and in the current partial tokens, without translations."""
        view = self._view
        return self._final_texts(view)[0] + join_said(view.partial)

    @property
    def final_translated_text(self) -> str:
        """Translation in all final tokens; empty without translation."""
        return self._final_texts(self._view)[1]

    @property
    def translated_text(self) -> str:
        """Translation in all final and in the current partial tokens; empty without translation."""
        view = self._view
        return self._final_texts(view)[1] + join_translated(view.partial)

    def _final_texts(self, view: _View) -> tuple[str, str]:
        """Return what was said in the final tokens of `view`, and its translation."""
        tokens, count, said, translated = self._joined
        if tokens is not view.finals or count > view.length:  # cleared, or read by two threads
            count, said, translated = 0, "", ""
        if count < view.length:
            new = view.finals[count : view.length]
            said += join_said(new)
            translated += join_translated(new)
            self._joined = (view.finals, view.length, said, translated)
        return said, translated

    @property
    def final_tokens(self) -> list[Token]:
        """Final tokens, speech and translations as they came; a copy."""
        return _finals_of(self._view)

    @property
    def non_final_tokens(self) -> list[Token]:
        """Current partial tokens, as a copy."""
        return list(self._view.partial)

    @property
    def tokens(self) -> list[Token]:
        """All final tokens, then the current partial ones; speech and translations."""
        view = self._view
        return _finals_of(view) + view.partial

    def __len__(self) -> int:
        """Return the number of final tokens."""
        return self._view.length

    def __repr__(self) -> str:
        view = self._view
        finals = f"{counted(view.length, 'final token')}, {len(view.partial)} partial"
        return summary(self, finals)

    def segments(self, *, group_by: GroupBy = GROUP_KEYS) -> list[Segment]:
        """Group the final tokens; see `segment_tokens`."""
        return segment_tokens(self.final_tokens, group_by=group_by)

    def utterances(self, *, group_by: GroupBy = GROUP_KEYS) -> list[Utterance]:
        """Group the final tokens by endpoints; the last utterance may still be growing.

        Endpoints come from the results (with endpoint detection on) and `mark_endpoint`. Without
        any, everything is one utterance.
        """
        finals, ends = self._finals_and_ends()
        return [
            build_utterance(segment_tokens(finals[start:end], group_by=group_by))
            for start, end in zip([0, *ends], [*ends, len(finals)])
            if start < end
        ]

    def _finals_and_ends(self) -> tuple[list[Token], list[int]]:
        view = self._view
        return _finals_of(view), [end for end in list(view.ends) if end <= view.length]

    def translation_pairs(self) -> list[TranslationPair]:
        """Pair speech with its translation; see `translation_pairs`."""
        return translation_pairs(self.final_tokens)

    def to_text(
        self, *, speakers: Union[bool, Mapping[str, str]] = True, languages: bool = True
    ) -> str:
        """Return the final text, with a line for each segment of each utterance."""
        segments = [segment for each in self.utterances() for segment in each.segments]
        return segments_to_text(segments, speakers=speakers, languages=languages)

    def to_srt(self, options: Options = None, **fields: Unpack[CaptionKeywords]) -> str:
        """Return the final text as SubRip captions; options as in `CaptionOptions`.

        Raises
            ConfigurationError: an unknown option, or a value that is refused.
            InputTypeError: options both as an object and by name, or a value of the wrong type.
            StateError: there are words, and not one time (as with some models of the gateway).
        """
        finals, ends = self._finals_and_ends()
        return tokens_to_srt(finals, _merged(options, fields), ends=ends)

    def to_vtt(self, options: Options = None, **fields: Unpack[CaptionKeywords]) -> str:
        """Return the final text as WebVTT captions; options as in `CaptionOptions`.

        Raises
            ConfigurationError: an unknown option, or a value that is refused.
            InputTypeError: options both as an object and by name, or a value of the wrong type.
            StateError: there are words, and not one time (as with some models of the gateway).
        """
        finals, ends = self._finals_and_ends()
        return tokens_to_vtt(finals, _merged(options, fields), ends=ends)

    @suggests_keywords()
    def to_html(
        self,
        *,
        audio: Union[bytes, str, None] = None,
        title: str = "Transcript",
        speakers: Union[bool, Mapping[str, str]] = True,
    ) -> str:
        """Return the final text as one page to look at, and with `audio` to listen to.

        The page needs no other file and no network. Words are lit while they sound and play when
        clicked; speakers have colours, and lanes that show who spoke when; a translation stands
        beside what was said. It follows the reader's choice of dark or light. Every text is
        escaped, and nothing but the page's own script can run.

        `audio`: the bytes of an audio file, which the page then contains, or a `str` with its URL,
        absolute or relative to the page, which it links to; `None`: no player. `title`: heading of
        the page. `speakers`: `True`, `False` for none, or names by label.

        Raises
            ConfigurationError: `audio` is empty or has no header, an unknown keyword.
            InputTypeError: a value of the wrong type.
        """
        from .html.audio import source_of  # few transcripts become pages
        from .html.page import page
        from .html.rows import rows_of

        CaptionOptions(speakers=speakers)  # checked as there
        _check_title("title", title)
        source = None if audio is None else source_of(audio)
        rows = rows_of(self.utterances(), speakers)
        ends = [word.end_ms or 0 for row in rows for word in row.words]
        return page(title, rows, max([self.total_audio_proc_ms, *ends]), source)

    def to_json(self, *, indent: Optional[int] = None) -> str:
        """Return the final tokens as JSON: `text`, the two positions, `segments`, `tokens`.

        Where there is a translation there is `translated_text`, too.

        Raises
            ConfigurationError: `indent` is not a number of spaces.
        """
        if indent is not None:
            _check_indent("indent", indent)
        finals = self.final_tokens
        translated = join_translated(finals)
        document = {
            "text": join_said(finals),
            **({"translated_text": translated} if translated else {}),
            "final_audio_proc_ms": self.final_audio_proc_ms,
            "total_audio_proc_ms": self.total_audio_proc_ms,
            "segments": [segment_to_dict(segment) for segment in segment_tokens(finals)],
            "tokens": [token_to_dict(token) for token in finals],
        }
        return json_text(document, indent)


def _finals_of(view: _View) -> list[Token]:
    return view.finals[: view.length]


def _merged(options: Options, fields: Mapping[str, Any]) -> Options:
    """Return caption options that were given by name or as one object."""
    if not fields:
        return options
    if options is not None:
        raise InputTypeError("options: expected one object or single options by name, not both")
    return fields
