"""Captions and pages written from any tokens: whatever was said, the files are well-formed."""

from __future__ import annotations

import json
import re

from soniox_sync.errors import StateError
from soniox_sync.protocol.tokens import Result, Token
from soniox_sync.transcript.captions import CaptionBuffer, CaptionOptions, Cue, build_cues
from soniox_sync.transcript.formats import cues_to_srt, cues_to_vtt
from soniox_sync.transcript.transcript import Transcript

TOKENS = (
    *(
        b"\x05Hello",
        b"\x02. ",
        b"\x03-->",
        b"\x01\n",
        b"\x02\n\n",
        b"\x03<b>",
        b"\x01&",
        b"\x06 world",
    ),
    *("\x02\u200f", "\x03\u05e9\u05dc\u05d5", "\x03\u4f60\u597d", "\x02\U0001f468\u200d\U0001f469"),
    *("\x02e\u0301", "\x01\u00ad", "\x01\u2028", "\x01\x85", "\x02\u0e2a\u0e27", "\x04NOTE"),
    *(b"\x00\xff\xff\xff", b"\x80\x00\x00\x00", b"\xed\xa0\x80", b"\x0bhttp://a.bc"),
)
TOKENS = tuple(each.encode() if isinstance(each, str) else each for each in TOKENS)

_LABELS = (None, None, None, "1", "2", "A & <B>", "-->", "x" * 90)
_LANGUAGES = (None, "en", "ar", "th")
_MOST = 60  # tokens of one input
_STATUS = (None, None, "original", "translation")
_TIME = r"\d{2,}:[0-5]\d:[0-5]\d"
_SRT = re.compile(rf"(?:\d+\n{_TIME},\d{{3}} --> {_TIME},\d{{3}}\n(?:[^\n\r]+\n)+\n)*")
_VTT = re.compile(rf"WEBVTT\n\n(?:{_TIME}\.\d{{3}} --> {_TIME}\.\d{{3}}\n(?:[^\n\r]+\n)+\n)*")


def check(data: bytes) -> None:
    """Lay tokens out as cues, at once and live; write and page them; nothing is malformed."""
    options, tokens, ends = _tokens(data)
    try:
        cues = build_cues(tokens, options, ends=ends)
    except StateError:
        return
    _check(cues, options)
    srt, vtt = cues_to_srt(cues), cues_to_vtt(cues)
    assert _SRT.fullmatch(srt), "malformed SRT"
    assert _VTT.fullmatch(vtt), "malformed VTT"
    srt.encode("utf-8")
    vtt.encode("utf-8")
    live = CaptionBuffer(options)
    found: list[Cue] = []
    for count, token in enumerate(tokens, 1):
        found += live.add_tokens([token])
        if count in ends:
            found += live.mark_endpoint()
    assert found + live.flush() == cues, "live captions differ"
    transcript = Transcript()
    transcript.add(Result(tokens))
    json.loads(transcript.to_json())
    transcript.to_text().encode("utf-8", "surrogatepass")
    if data and data[0] & 0xF0 == 0xF0:
        transcript.to_html()


def _check(cues: list[Cue], options: CaptionOptions) -> None:
    free_from = 0
    for cue in cues:
        assert free_from <= cue.start_ms < cue.end_ms, "cues overlap"
        assert 1 <= len(cue.lines) <= options.max_lines, "more lines than allowed"
        assert all(line.strip() for line in cue.lines), "an empty line"
        free_from = cue.end_ms


def _tokens(data: bytes) -> tuple[CaptionOptions, list[Token], list[int]]:
    """Read tokens from bytes of any kind: flags, times, then a text with its length."""
    flags = data[0] if data else 0
    options = CaptionOptions(
        max_line_length=(42, 2, 12, 20)[flags & 3],
        max_lines=1 + (flags >> 2 & 1),
        show="translation" if flags >> 3 & 1 else "original",
        prefix_speakers=bool(flags >> 4 & 1),
    )
    tokens: list[Token] = []
    ends: list[int] = []
    at, now = 1, 0
    while at + 4 <= len(data) and len(tokens) < _MOST:
        first, second, gap, size = data[at : at + 4]
        text = data[at + 4 : at + 4 + size % 24].decode("utf-8", "replace")
        text += "\ud800" if size > 250 else ""  # half of a surrogate pair, as JSON can have it
        at += 4 + size % 24
        status = _STATUS[second & 3]
        now += gap * gap - (2000 if first >> 5 == 7 else 0)
        timed = status != "translation" and first >> 5 != 6
        tokens.append(
            Token(
                text,
                now if timed else None,
                now + 40 * (second >> 4) if timed else None,
                is_final=True,
                speaker=_LABELS[first & 7],
                language=_LANGUAGES[first >> 3 & 3],
                translation_status=status,
                source_language="en" if status == "translation" else None,
                session=second >> 2 & 1,
            )
        )
        if second >> 3 & 1:
            ends.append(len(tokens))
    return options, tokens, ends
