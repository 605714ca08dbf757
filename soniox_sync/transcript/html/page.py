"""The page itself. Every text goes through `_text`, every attribute through `_attribute`."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from html import escape
from typing import Optional

from ..._support.reprs import counted
from ..words import printable
from .rows import Row, TimedWord
from .script import SCRIPT
from .style import SPEAKER_COLOURS, STYLE

__all__ = ["page"]

# A silence this long is a gap in the timeline.
_GAP_MS = 1000
# Nothing but this page's own script runs, whatever a text contains; audio may come from anywhere.
_POLICY = (
    "default-src 'none'; style-src 'unsafe-inline'; script-src 'sha256-{hash}'; "
    "media-src * data: blob: file:; base-uri 'none'; form-action 'none'"
)


def page(title: str, rows: Sequence[Row], length_ms: int, audio: Optional[str]) -> str:
    """Return the page; `length_ms`: of the audio, as far as known; `audio`: its address."""
    digest = base64.b64encode(hashlib.sha256(SCRIPT.encode()).digest()).decode()
    return "".join(
        [
            "<!DOCTYPE html>\n<html lang=en>\n<head>\n<meta charset=utf-8>\n",
            '<meta name=viewport content="width=device-width, initial-scale=1">\n',
            "<meta http-equiv=Content-Security-Policy content=",
            f"{_attribute(_POLICY.format(hash=digest))}>\n",
            "<meta name=referrer content=no-referrer>\n",
            f"<title>{_text(title)}</title>\n<style>{STYLE}</style>\n</head>\n",
            f'<body data-length="{max(1, length_ms)}">\n',
            *_content(title, rows, length_ms, audio),
            f"<script>{SCRIPT}</script>\n" if audio is not None else "",
            "</body>\n</html>\n",
        ]
    )


def _content(
    title: str, rows: Sequence[Row], length_ms: int, audio: Optional[str]
) -> Iterator[str]:
    speakers = list(dict.fromkeys(row.speaker for row in rows if row.speaker is not None))
    colours = {name: number % len(SPEAKER_COLOURS) for number, name in enumerate(speakers)}
    yield f"<header>\n<h1 dir=auto>{_text(title)}</h1>\n"
    yield f"<p class=about>{_text(_about(rows, speakers, length_ms))}</p>\n</header>\n<main>\n"
    if audio is not None:
        yield _player(audio)
    yield from _timeline(rows, colours, length_ms)
    both = " class=both" if any(row.translation for row in rows) else ""
    yield f'<section aria-labelledby="said"{both}>\n<h2 id="said">Transcript</h2>\n'
    if not rows:
        yield "<p>Nothing was said.</p>\n"
    head = ""
    for row in rows:
        before, head = head, _head(row)
        shown = "" if head == before else head  # once for all rows that follow each other
        yield _row(row, shown, colours, clickable=audio is not None)
    yield "</section>\n</main>\n"


def _about(rows: Sequence[Row], speakers: Sequence[str], length_ms: int) -> str:
    words = sum(len(row.words) for row in rows)
    languages = dict.fromkeys(row.language for row in rows if row.language)
    targets = dict.fromkeys(row.target for row in rows if row.target)
    translated = f"translated into {_listed(targets)}" if targets else ""
    parts = (
        _clock(length_ms) if length_ms else "",
        counted(words, "word"),
        counted(len(speakers), "speaker") if speakers else "",
        ", ".join(filter(None, (_listed(languages), translated))),
    )
    return " · ".join(filter(None, parts))


def _listed(names: Iterable[str]) -> str:
    return ", ".join(_one_line(name) for name in names)


def _player(audio: str) -> str:
    return (
        "<div class=player>\n"
        f"<audio controls aria-label=Audio preload=metadata src={_attribute(audio)}></audio>\n"
        '<label><input type=checkbox id="follow" checked> Follow the words</label>\n'
        '<p class=trouble id="trouble" role=status hidden>The audio cannot be played. It may have '
        "been moved, or this browser does not know its format.</p>\n</div>\n"
    )


def _timeline(rows: Sequence[Row], colours: Mapping[str, int], length_ms: int) -> Iterator[str]:
    """Yield a lane for each speaker, with bars where they spoke."""
    words: dict[Optional[str], list[TimedWord]] = {name: [] for name in colours}
    for row in rows:
        words.setdefault(row.speaker, []).extend(row.words)
    bars = {name: _stretches(said) for name, said in words.items()}
    if not length_ms or not any(bars.values()):
        return
    yield '<section aria-labelledby="when">\n<h2 id="when">Who spoke when</h2>\n'
    for name, stretches in bars.items():
        if stretches:
            yield _lane(name, stretches, colours, length_ms)
    ends = f"<span>0:00</span><span>{_clock(length_ms)}</span>"
    yield f"<div class=scale aria-hidden=true>{ends}</div>\n</section>\n"


def _lane(
    name: Optional[str],
    stretches: Sequence[tuple[int, int]],
    colours: Mapping[str, int],
    length_ms: int,
) -> str:
    spoken_ms = sum(end - start for start, end in stretches)
    share = round(100 * spoken_ms / length_ms)
    shown = "Speech" if name is None else name
    bars = "".join(
        f'<i style="left:{_percent(start, length_ms)};width:{_percent(end - start, length_ms)}">'
        "</i>"
        for start, end in stretches
    )
    return (
        f"<div class=lane{_colour(name, colours)}><span><b><bdi>{_text(shown)}</bdi></b> "
        f"<small>{_clock(spoken_ms)}, {share}%</small></span>"
        f"<div class=track aria-hidden=true>{bars}<i class=head></i></div></div>\n"
    )


def _percent(ms: int, length_ms: int) -> str:
    return f"{min(100.0, 100 * max(0, ms) / length_ms):.3f}%"


def _stretches(words: Iterable[TimedWord]) -> list[tuple[int, int]]:
    """Return beginnings and ends of speech without a long silence inside."""
    found: list[tuple[int, int]] = []
    for word in words:
        if word.start_ms is None or word.end_ms is None:
            continue
        if found and word.start_ms - found[-1][1] < _GAP_MS:
            found[-1] = (found[-1][0], max(found[-1][1], word.end_ms))
        else:
            found.append((word.start_ms, word.end_ms))
    return found


def _head(row: Row) -> str:
    who = "" if row.speaker is None else f"<b><bdi>{_text(row.speaker)}</bdi></b>"
    language = f"<small>{_text(_one_line(row.language))}</small>" if row.language else ""
    return f"<p class=who>{who}{language}</p>" if who or language else ""


def _row(row: Row, head: str, colours: Mapping[str, int], *, clickable: bool) -> str:
    said = f"<p dir=auto{_lang(row.language)}>{_words(row.words)}</p>"
    translated = (
        f"<p dir=auto class=translation{_lang(row.target)}>{_words(row.translation)}</p>"
        if row.translation
        else ""
    )
    return (
        f"<article class=row{_colour(row.speaker, colours)}>{head}"
        f"{_time(row.start_ms, clickable=clickable)}{said}{translated}</article>\n"
    )


def _time(start: Optional[int], *, clickable: bool) -> str:
    if start is None:
        return "<span></span>"
    clock = _clock(start)
    if clickable:
        return f'<button class=time data-s={start} aria-label="Play from {clock}">{clock}</button>'
    return f"<span class=time>{clock}</span>"


def _words(words: Iterable[TimedWord]) -> str:
    """Return words, those with times in elements of their own; blanks stay outside."""
    parts = []
    for word in words:
        bare = word.text.lstrip()
        blank = " " if len(bare) < len(word.text) else ""
        if word.start_ms is None or word.end_ms is None or not bare:
            parts.append(blank + _text(bare))
        else:
            times = f"data-s={word.start_ms} data-e={word.end_ms}"
            parts.append(f"{blank}<span {times}>{_text(bare)}</span>")
    return "".join(parts).strip()


def _colour(name: Optional[str], colours: Mapping[str, int]) -> str:
    return "" if name is None else f' style="--c:var(--s{colours[name]})"'


def _lang(language: Optional[str]) -> str:
    # empty: unknown, and not English as what the page itself says
    return f" lang={_attribute(_one_line(language or ''))}"


def _text(text: str) -> str:
    return escape(printable(text))


def _attribute(text: str) -> str:
    return f'"{escape(printable(text))}"'


def _one_line(label: str) -> str:
    return " ".join(printable(label).split())


def _clock(ms: int) -> str:
    minutes, seconds = divmod(max(0, ms) // 1000, 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{seconds:02}" if hours else f"{minutes}:{seconds:02}"
