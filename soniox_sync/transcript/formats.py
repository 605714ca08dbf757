"""Write transcripts down: SubRip, WebVTT, JSON, JSON lines, plain text."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import IO, Any, Optional, Union

from ..errors import ConfigurationError, StateError
from ..protocol.tokens import Result, SttEvent, Token
from .captions import CaptionBuffer, CaptionOptions, Cue, build_cues, speaker_name
from .segments import Segment
from .text import leads_rtl

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

_RLM = "\u200f"
Options = Union[CaptionOptions, Mapping[str, Any], None]


def tokens_to_srt(
    tokens: Iterable[Token], options: Options = None, *, ends: Iterable[int] = ()
) -> str:
    """Lay tokens out as SubRip captions; each speaker's turn begins with `Name:`.

    `ends` as in `build_cues`.
    """
    return cues_to_srt(build_cues(tokens, _srt_options(options), ends=ends))


def tokens_to_vtt(
    tokens: Iterable[Token], options: Options = None, *, ends: Iterable[int] = ()
) -> str:
    """Lay tokens out as WebVTT captions, speakers as voices (`<v Name>`).

    `ends` as in `build_cues`.
    """
    return cues_to_vtt(build_cues(tokens, options, ends=ends))


def cues_to_srt(cues: Iterable[Cue]) -> str:
    """Write cues as SubRip; the empty string for none.

    SubRip has no escapes: an arrow `-->` in the text is written as `->`.
    """
    return "".join(_srt_block(number, cue) for number, cue in enumerate(cues, 1))


def cues_to_vtt(cues: Iterable[Cue]) -> str:
    """Write cues as WebVTT, with text and names escaped."""
    return _VTT_HEADER + "".join(_vtt_block(number, cue) for number, cue in enumerate(cues, 1))


_VTT_HEADER = "WEBVTT\n\n"
_VTT_ESCAPES = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;"})


def _srt_options(options: Options) -> CaptionOptions:
    return replace(CaptionOptions.of(options), prefix_speakers=True)


def _srt_block(number: int, cue: Cue) -> str:
    # a parser could take it for the line of times
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
    """Mark a line of right-to-left text that begins otherwise, say with a speaker's name.

    Players take the direction from the first strong letter.
    """
    return _RLM + line if cue.rtl and not leads_rtl(line) else line


class CaptionWriter:
    """Appends cues to a file as they become final, for programs that watch it grow.

    Args:
        file: open for writing text; flushed after each cue; not closed.
        format: `"srt"` or `"vtt"`.
        options: as `CaptionOptions`.

    Raises:
        ConfigurationError: unknown format or options.
    """

    def __init__(self, file: IO[str], *, format: str = "srt", options: Options = None) -> None:
        if format not in ("srt", "vtt"):
            raise ConfigurationError(f"format must be srt or vtt, got {format!r}")
        self._file = file
        self._block = _srt_block if format == "srt" else _vtt_block
        self._buffer = CaptionBuffer(_srt_options(options) if format == "srt" else options)
        self._count = 0
        self._closed = False
        if format == "vtt":
            self._file.write(_VTT_HEADER)
            self._file.flush()

    def add(self, result: Result) -> int:
        """Take a result, write what became final; give the number of new cues."""
        self._check_open()
        return self._write(self._buffer.add(result))

    def mark_endpoint(self) -> int:
        """End the cue now growing; give the number of new cues."""
        self._check_open()
        return self._write(self._buffer.mark_endpoint())

    def close(self) -> int:
        """Write the rest; give the number of new cues. Idempotent; the file stays open."""
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
    """Give the known fields of a token as the service spells them, unknown ones left out."""
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
    """Give a segment without its tokens; what is not known is left out."""
    facts = {
        "text": segment.text,
        "start_ms": segment.start_ms,
        "end_ms": segment.end_ms,
        "speaker": segment.speaker,
        "language": segment.language,
        "translation": segment.is_translation or None,
    }
    return {name: value for name, value in facts.items() if value is not None}


def event_to_json(event: SttEvent) -> str:
    """Write an event as one line of JSON without its line end, for pipes.

    Keys: `type` (the event's kind), `text`, `tokens`, `final_audio_proc_ms`,
    `total_audio_proc_ms`; events other than `"result"` carry no tokens.
    """
    result = event.result
    line: dict[str, Any] = {"type": str(getattr(event.kind, "value", event.kind))}
    if line["type"] == "result":
        line["text"] = result.text
        line["tokens"] = [token_to_dict(token) for token in result.tokens]
    line["final_audio_proc_ms"] = result.final_audio_proc_ms
    line["total_audio_proc_ms"] = result.total_audio_proc_ms
    return _NOT_IN_LINES.sub(
        lambda found: f"\\u{ord(found[0]):04x}", json.dumps(line, ensure_ascii=False)
    )


# what some readers take for the end of a line, and what UTF-8 cannot encode
_NOT_IN_LINES = re.compile("[\x85\u2028\u2029\ud800-\udfff]")


def segments_to_text(
    segments: Iterable[Segment],
    *,
    speakers: Union[bool, Mapping[str, str]] = True,
    languages: bool = True,
) -> str:
    """Write one line per segment: `Speaker 1 [en]: text`; translations begin with `-> [es]`.

    What is not known is not written. Segments of white space alone are left out.
    """
    return "".join(
        f"{_label(segment, speakers, languages)}{' '.join(segment.text.split())}\n"
        for segment in segments
        if segment.text.strip()
    )


def _label(segment: Segment, speakers: Union[bool, Mapping[str, str]], languages: bool) -> str:
    name = speaker_name(segment.speaker, segment.tokens[0].session, speakers)
    name = " ".join(name.split()) if name else None
    language = f"[{segment.language}]" if languages and segment.language else None
    if segment.is_translation:
        return " ".join(part for part in ("  ->", language) if part) + " "
    parts = " ".join(part for part in (name, language) if part)
    return f"{parts}: " if name else f"{parts} " if parts else ""


def render_tokens(final_tokens: Sequence[Token], non_final_tokens: Sequence[Token] = ()) -> str:
    """Write tokens with a tag wherever the speaker or the language changes.

    A new speaker begins a paragraph with `Speaker N:`; a new language, and the first one after a
    new speaker, begins a line with `[lang]`, before it `[Translation]` for translated text.
    Source: Soniox docs stt/rt/real-time-transcription, the example's transcript.
    """
    parts: list[str] = []
    speaker: Optional[str] = None
    language: Optional[str] = None
    for token in (*final_tokens, *non_final_tokens):
        text = token.text
        if token.speaker is not None and token.speaker != speaker:
            parts.append(f"{'' if speaker is None else _PARAGRAPH}Speaker {token.speaker}:")
            speaker, language = token.speaker, None
        if token.language is not None and token.language != language:
            language = token.language
            parts.append(f"\n{'[Translation] ' if token.is_translation else ''}[{language}] ")
            text = text.lstrip()
        parts.append(text)
    return "".join(parts)


_PARAGRAPH = "\n\n"
