"""Transcripts written as SubRip, WebVTT, JSON, JSON lines and plain text."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import IO, Any, Literal, Optional, Union

from .._support.checks import one_of, wrong_type
from .._support.reprs import counted, file_name, summary
from ..errors import StateError
from ..protocol.tokens import Result, SttEvent, Token
from .captions import CaptionBuffer, CaptionOptions, Cue, build_cues, speaker_name
from .segments import Segment
from .text import leads_rtl
from .words import printable

__all__ = [
    "CaptionWriter",
    "cues_to_srt",
    "cues_to_vtt",
    "event_to_json",
    "render_tokens",
    "segments_to_text",
    "segment_to_dict",
    "token_to_dict",
    "tokens_to_srt",
    "tokens_to_vtt",
]

# the mark that makes a line right-to-left
_RLM = "\u200f"
Options = Union[CaptionOptions, Mapping[str, Any], None]
AnyToken = Union[Token, Mapping[str, Any]]


def tokens_to_srt(
    tokens: Iterable[Token], options: Options = None, *, ends: Iterable[int] = ()
) -> str:
    """Return tokens as SubRip captions; each speaker's turn begins with `Name:`.

    `options` and `ends` as in `build_cues`, and so are the errors.

    Raises
        StateError: there are words, and not one time, so those of captions would be made up.
    """
    return cues_to_srt(_timed_cues(tokens, _srt_options(options), ends))


def tokens_to_vtt(
    tokens: Iterable[Token], options: Options = None, *, ends: Iterable[int] = ()
) -> str:
    """Return tokens as WebVTT captions, with speakers as voices (`<v Name>`).

    `options` and `ends` as in `build_cues`, and so are the errors.

    Raises
        StateError: there are words, and not one time, so those of captions would be made up.
    """
    return cues_to_vtt(_timed_cues(tokens, options, ends))


def cues_to_srt(cues: Iterable[Cue]) -> str:
    """Return cues as SubRip, the empty string for none.

    SubRip has no escapes: an arrow `-->` in the text becomes `->`.
    """
    return "".join(_srt_block(number, cue) for number, cue in enumerate(cues, 1))


def cues_to_vtt(cues: Iterable[Cue]) -> str:
    """Return cues as WebVTT, with text and names escaped."""
    return _VTT_HEADER + "".join(_vtt_block(number, cue) for number, cue in enumerate(cues, 1))


def _timed_cues(tokens: Iterable[Token], options: Options, ends: Iterable[int]) -> list[Cue]:
    times = _TimeCheck()
    cues = build_cues(times.watch(tokens), options, ends=ends)
    times.check()
    return cues


class _TimeCheck:
    """Check that words have times, at least some: without any, those of cues would be made up."""

    def __init__(self) -> None:
        self._has_words = self._has_times = False

    def add(self, token: Token) -> None:
        """Take note of a token."""
        if not self._has_times:
            self._has_times = token.start_ms is not None or token.end_ms is not None
            # a translation never has times; it has those of its speech
            self._has_words |= not token.is_translation and bool(token.text.strip())

    def watch(self, tokens: Iterable[Token]) -> Iterator[Token]:
        """Take note of tokens as they are handed on."""
        for token in tokens:
            self.add(token)
            yield token

    def check(self) -> None:
        """Refuse words of which none has a time.

        Raises
            StateError: there are words, and not one time.
        """
        if self._has_words and not self._has_times:
            raise StateError(
                "cannot make captions: the transcript has no times, because the service sent none; "
                "through the SLNG gateway use model='rt-v4', which does send them"
            )


_VTT_HEADER = "WEBVTT\n\n"
_VTT_ESCAPES = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;"})


def _srt_options(options: Options) -> CaptionOptions:
    return replace(CaptionOptions.of(options), prefix_speakers=True)


def _srt_block(number: int, cue: Cue) -> str:
    # a parser could take an arrow in the text for the line of times
    text = "\n".join(_directed(line, cue) for line in cue.lines).replace("-->", "->")
    return f"{number}\n{_clock(cue.start_ms, ',')} --> {_clock(cue.end_ms, ',')}\n{text}\n\n"


def _vtt_block(_number: int, cue: Cue) -> str:
    text = "\n".join(_directed(line, cue).translate(_VTT_ESCAPES) for line in cue.lines)
    name = " ".join((cue.speaker or "").split()).translate(_VTT_ESCAPES)
    if name:
        text = f"<v {name}>{text}</v>"
    return f"{_clock(cue.start_ms, '.')} --> {_clock(cue.end_ms, '.')}\n{text}\n\n"


def _clock(ms: int, point: str) -> str:
    seconds, millis = divmod(max(0, ms), 1000)
    minutes, seconds = divmod(seconds, 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours:02}:{minutes:02}:{seconds:02}{point}{millis:03}"


def _directed(line: str, cue: Cue) -> str:
    """Mark a line of right-to-left text that begins in another direction, as with a name.

    Players take the direction of a line from its first strong letter.
    """
    return _RLM + line if cue.rtl and not leads_rtl(line) else line


class CaptionWriter:
    """Writer that appends cues to a file as they become final, for programs that watch it grow.

    Args:
        file: open for writing text; flushed after each cue; not closed.
        format: `"srt"` or `"vtt"`.
        options: as `CaptionOptions`.

    Raises
        ConfigurationError: an unknown format or option, or a value that is refused.
        InputTypeError: a value of the wrong type.
    """

    def __init__(
        self, file: IO[str], *, format: Literal["srt", "vtt"] = "srt", options: Options = None
    ) -> None:
        one_of(("srt", "vtt"))("format", format)
        self._file = file
        self._format = format
        self._block = _srt_block if format == "srt" else _vtt_block
        self._buffer = CaptionBuffer(_srt_options(options) if format == "srt" else options)
        self._times = _TimeCheck()
        self._count = 0
        self._closed = False
        if format == "vtt":
            self._file.write(_VTT_HEADER)
            self._file.flush()

    def __repr__(self) -> str:
        closed = "closed" if self._closed else ""
        return summary(
            self, self._format, file_name(self._file), counted(self._count, "cue"), closed
        )

    def add(self, result: Result) -> int:
        """Add a result and write the cues that became final; return their number.

        Raises
            StateError: after `close()`, or the first words that are final have no times.
        """
        self._check_open()
        for token in result.final_tokens:
            self._times.add(token)
        self._times.check()
        return self._write(self._buffer.add(result))

    def mark_endpoint(self) -> int:
        """End the growing cue, as at a pause of the speaker; return the number of new cues.

        Raises
            StateError: after `close()`.
        """
        self._check_open()
        return self._write(self._buffer.mark_endpoint())

    def close(self) -> int:
        """Write the remaining cues; return their number. Idempotent; the file stays open."""
        if self._closed:
            return 0
        self._closed = True
        return self._write(self._buffer.flush())

    def __enter__(self) -> CaptionWriter:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()

    def _check_open(self) -> None:
        if self._closed:
            raise StateError("cannot add captions: the writer is closed")

    def _write(self, cues: Sequence[Cue]) -> int:
        for cue in cues:
            self._count += 1
            self._file.write(self._block(self._count, cue))
        if cues:
            self._file.flush()
        return len(cues)


def token_to_dict(token: Token) -> dict[str, Any]:
    """Return the fields of a token that are set, under the service's names."""
    return {
        name: value for name in _TOKEN_FIELDS if (value := getattr(token, name, None)) is not None
    } | ({"session": token.session} if token.session else {})


_TOKEN_FIELDS = (
    "text",
    "start_ms",
    "end_ms",
    "confidence",
    "is_final",
    "speaker",
    "language",
    "source_language",
    "translation_status",
)


def segment_to_dict(segment: Segment) -> dict[str, Any]:
    """Return the fields of a segment that are set, without its tokens; `text` is always there."""
    known = {
        "text": segment.text,
        "translated_text": segment.translated_text or None,
        "start_ms": segment.start_ms,
        "end_ms": segment.end_ms,
        "speaker": segment.speaker,
        "language": segment.language,
        "translation": segment.is_translation or None,
    }
    return {name: value for name, value in known.items() if value is not None}


def event_to_json(event: SttEvent) -> str:
    """Return an event as one line of JSON without its line end, for pipes.

    Keys: `type` (the event's kind), `text`, `translated_text` (where there is any), `tokens`,
    `final_audio_proc_ms`, `total_audio_proc_ms`; only a `"result"` has texts and tokens.
    """
    result = event.result
    line: dict[str, Any] = {"type": str(getattr(event.kind, "value", event.kind))}
    if line["type"] == "result":
        line["text"] = result.text
        if translated := result.translated_text:
            line["translated_text"] = translated
        line["tokens"] = [token_to_dict(token) for token in result.tokens]
    line["final_audio_proc_ms"] = result.final_audio_proc_ms
    line["total_audio_proc_ms"] = result.total_audio_proc_ms
    return json_text(line)


def json_text(document: Mapping[str, Any], indent: Optional[int] = None) -> str:
    """Return JSON that can be written as UTF-8, and without `indent` is one line for any reader."""
    text = json.dumps(document, ensure_ascii=False, indent=indent)
    return _NOT_IN_LINES.sub(lambda found: f"\\u{ord(found[0]):04x}", text)


# what some readers take for a line end, and lone surrogates, which UTF-8 cannot encode
_NOT_IN_LINES = re.compile("[\x85\u2028\u2029\ud800-\udfff]")


def segments_to_text(
    segments: Iterable[Segment],
    *,
    speakers: Union[bool, Mapping[str, str]] = True,
    languages: bool = True,
) -> str:
    """Return one line per segment: `Speaker 1 [en]: text`; translations begin with `-> [es]`.

    Unknown speakers and languages are left out, and so are segments of white space.
    """
    shown = [(segment, (segment.text or segment.translated_text).split()) for segment in segments]
    return "".join(
        f"{_label(segment, speakers, languages)}{' '.join(words)}\n"
        for segment, words in shown
        if words
    )


def _label(segment: Segment, speakers: Union[bool, Mapping[str, str]], languages: bool) -> str:
    name = speaker_name(segment.speaker, segment.tokens[0].session, speakers)
    language = f"[{_one_line(segment.language)}]" if languages and segment.language else None
    if segment.is_translation:
        return " ".join(part for part in ("  ->", language) if part) + " "
    parts = " ".join(part for part in (name, language) if part)
    return f"{parts}: " if name else f"{parts} " if parts else ""


def render_tokens(
    final_tokens: Sequence[AnyToken], non_final_tokens: Sequence[AnyToken] = ()
) -> str:
    """Return the text of tokens with a tag wherever the speaker or the language changes.

    Tokens may also be mappings, as the service sends them. A new speaker begins a paragraph with
    `Speaker N:`. A new language, and the first one of a new speaker, begins a line with `[lang]`;
    translated text has `[Translation]` before it.
    Source: Soniox docs stt/rt/real-time-transcription, the example's transcript.

    Raises
        InputTypeError: neither a token nor a mapping with a text.
    """
    parts: list[str] = []
    speaker: Optional[str] = None
    language: Optional[str] = None
    for token in map(_as_token, (*final_tokens, *non_final_tokens)):
        text = token.text
        if token.speaker is not None and token.speaker != speaker:
            parts.append(
                f"{'' if speaker is None else _PARAGRAPH}Speaker {_one_line(token.speaker)}:"
            )
            speaker, language = token.speaker, None
        if token.language is not None and token.language != language:
            language = token.language
            translation = "[Translation] " if token.is_translation else ""
            parts.append(f"\n{translation}[{_one_line(language)}] ")
            text = text.lstrip()
        parts.append(text)
    return "".join(parts)


_PARAGRAPH = "\n\n"


def _one_line(label: str) -> str:
    """Return a label of the service as it can be shown between others."""
    return " ".join(printable(label).split())


def _as_token(token: AnyToken) -> Token:
    if isinstance(token, Token):
        return token
    text = token.get("text") if isinstance(token, Mapping) else None
    if not isinstance(text, str):
        raise wrong_type("tokens", "tokens, or mappings with a 'text'", token)
    return Token.from_wire(token, text)
