"""Lay a transcript out as captions: short cues, timed for reading, one after the other."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any, Optional, Union

from ..errors import ConfigurationError
from ..protocol.tokens import Result, Token
from .text import LineFiller, chop, is_rtl, text_width, wrap
from .words import Word, WordSource, printable

__all__ = ["CaptionBuffer", "CaptionOptions", "Cue", "build_cues", "speaker_name"]

# a cue shorter than this cannot be seen; it delays its successor rather than vanish
_FLICKER_MS = 100
_SENTENCE_END = frozenset(".?!…。！？｡؟۔।॥።៖")
_AFTER_SENTENCE = "\"'”’»)]）」』】"


@dataclass(frozen=True)
class CaptionOptions:
    """Says how captions are laid out.

    `max_line_length` counts columns: wide characters take two, combining ones none.
    `max_lines` per cue. A cue ends with its last word, but not before it stood `min_duration_ms`
    and as long as reading takes: its columns at `chars_per_sec`. That lengthens it into the
    silence after it, up to `max_duration_ms` and to the start of its successor, which may come
    earlier. No cue stands longer than `max_duration_ms`. A silence of `max_gap_ms` ends a cue.
    `show` is `"original"` or `"translation"` (untranslated speech is shown as it was said).
    `speakers` is `True` for labels such as `Speaker 1`, a mapping of labels to names, or `False`.
    `prefix_speakers` writes `Name:` before the first words of each speaker's turn, for formats
    that have no notation for voices; a name too long for the cue is shortened.

    Raises:
        ConfigurationError: a number out of range, or an unknown `show`.
    """

    max_line_length: int = 42
    max_lines: int = 2
    min_duration_ms: int = 1000
    max_duration_ms: int = 7000
    chars_per_sec: float = 20.0
    max_gap_ms: int = 1500
    show: str = "original"
    speakers: Union[bool, Mapping[str, str]] = True
    prefix_speakers: bool = False

    def __post_init__(self) -> None:
        lowest = {
            "max_line_length": 2,
            "max_lines": 1,
            "max_duration_ms": _FLICKER_MS,
            "chars_per_sec": 0.1,
        }
        for name, least in lowest.items():
            if not getattr(self, name) >= least:
                raise ConfigurationError(f"{name} must be at least {least}")
        if not 0 <= self.min_duration_ms <= self.max_duration_ms:
            raise ConfigurationError("min_duration_ms must lie between 0 and max_duration_ms")
        if self.max_gap_ms < 0:
            raise ConfigurationError("max_gap_ms must not be negative")
        if self.show not in ("original", "translation"):
            raise ConfigurationError(f"show must be original or translation, got {self.show!r}")

    @classmethod
    def of(cls, options: Union[CaptionOptions, Mapping[str, Any], None]) -> CaptionOptions:
        """Take options as given, as a mapping of their names, or `None` for the defaults."""
        if isinstance(options, CaptionOptions):
            return options
        given = dict(options or {})
        unknown = sorted(set(given) - {each.name for each in fields(cls)})
        if unknown:
            raise ConfigurationError(f"unknown caption options: {', '.join(unknown)}")
        return cls(**given)


@dataclass(frozen=True)
class Cue:
    """Is one caption: `lines` of text shown from `start_ms` until `end_ms`.

    `speaker` is the name to show, `None` without speakers. `language` is that of the text; `rtl`
    tells that it runs from right to left.
    """

    start_ms: int
    end_ms: int
    lines: Sequence[str]
    speaker: Optional[str] = None
    language: Optional[str] = None
    rtl: bool = False

    @property
    def text(self) -> str:
        """Give the lines joined by line ends."""
        return "\n".join(self.lines)


def build_cues(
    tokens: Iterable[Token],
    options: Union[CaptionOptions, Mapping[str, Any], None] = None,
    *,
    ends: Iterable[int] = (),
) -> list[Cue]:
    """Lay tokens out as cues: monotonic, not overlapping, no word lost.

    `ends` are ascending counts of tokens after which an utterance ends, and with it a cue. Words
    without times are given those of their surroundings, at reading speed.
    """
    buffer = CaptionBuffer(options)
    ended = set(ends)
    cues: list[Cue] = []
    for count, token in enumerate(tokens, 1):
        cues += buffer.add_tokens([token])
        if count in ended:
            cues += buffer.mark_endpoint()
    return cues + buffer.flush()


def speaker_name(
    label: Optional[str], session: int, names: Union[bool, Mapping[str, str]]
) -> Optional[str]:
    """Give the name to show for a speaker's label, `None` for none.

    Labels of a recording's later sessions need not mean the same person, so they are told apart.
    """
    if label is None or names is False:
        return None
    if isinstance(names, Mapping) and label in names:
        return " ".join(printable(names[label]).split()) or None
    return f"Speaker {label}" if session == 0 else f"Speaker {label} (part {session + 1})"


class CaptionBuffer:
    """Makes cues from live results, each as soon as nothing can change it.

    Not thread-safe. Costs the same for each token at any length.
    """

    def __init__(self, options: Union[CaptionOptions, Mapping[str, Any], None] = None) -> None:
        self._options = CaptionOptions.of(options)
        self._source = WordSource(
            translated=self._options.show == "translation",
            max_width=self._options.max_line_length,
            chars_per_sec=self._options.chars_per_sec,
        )
        self._draft = _Draft(self._options)
        # a complete cue with the end it wants; the start of the next one may cut it
        self._waiting: Optional[Cue] = None
        self._free_from = 0

    def add(self, result: Result) -> list[Cue]:
        """Take a result; give the cues it completed. The guess of a result is left alone."""
        cues = self.add_tokens(result.final_tokens)
        return cues + self._pass_time(result.final_audio_proc_ms)

    def add_tokens(self, tokens: Iterable[Token]) -> list[Cue]:
        """Take final tokens; give the cues they completed."""
        cues: list[Cue] = []
        for token in tokens:
            cues += self._add_words(self._source.add(token))
        return cues

    def mark_endpoint(self) -> list[Cue]:
        """End the cue now growing, as at a pause of the speaker."""
        return self._add_words(self._source.settle()) + self._close_draft()

    def flush(self) -> list[Cue]:
        """Give everything held back; the transcription is over."""
        cues = self._add_words(self._source.flush()) + self._close_draft()
        return cues + self._release(None)

    def _add_words(self, words: Iterable[Word]) -> list[Cue]:
        cues: list[Cue] = []
        for word in words:
            if not self._draft.accepts(word):
                cues += self._close_draft()
            cues += self._release(word.start_ms) if self._draft.empty else []
            self._draft.add(word)
        return cues

    def _close_draft(self) -> list[Cue]:
        if self._draft.empty:
            return []
        cue = self._draft.close()
        cues = self._release(cue.start_ms)
        self._waiting = cue
        return cues

    def _release(self, next_start: Optional[int]) -> list[Cue]:
        """Give the waiting cue, now that the start of the next one is known."""
        cue, self._waiting = self._waiting, None
        if cue is None:
            return []
        start = max(cue.start_ms, self._free_from)
        end = max(cue.end_ms, start + _FLICKER_MS)
        if next_start is not None:
            end = min(end, max(next_start, start + _FLICKER_MS))
        self._free_from = end
        return [replace(cue, start_ms=start, end_ms=end)]

    def _pass_time(self, final_ms: int) -> list[Cue]:
        """Close what the silence up to `final_ms` has ended."""
        cues: list[Cue] = []
        if final_ms and self._source.clock <= final_ms - self._options.max_gap_ms:
            cues += self.mark_endpoint()
        if self._waiting and self._draft.empty:
            held_from = self._source.held_from
            known = final_ms if held_from is None else min(final_ms, held_from)
            if self._waiting.end_ms <= known:
                cues += self._release(None)
        return cues


class _Draft:
    """Is the cue now growing."""

    def __init__(self, options: CaptionOptions) -> None:
        self._options = options
        self._words: list[Word] = []
        self._texts: list[str] = []
        self._filler = LineFiller(options.max_line_length)
        self._last_speaker: Optional[str] = None

    @property
    def empty(self) -> bool:
        return not self._words

    def accepts(self, word: Word) -> bool:
        """Tell whether the word may stand in this cue."""
        if not self._words:
            return True
        first, last = self._words[0], self._words[-1]
        options = self._options
        return (
            last.same_voice(word)
            and word.start_ms - last.end_ms < options.max_gap_ms
            and word.end_ms - first.start_ms <= options.max_duration_ms
            and not (self._ends_sentence() and self._is_readable())
            and self._filler.lines_with(word.text) <= options.max_lines
        )

    def add(self, word: Word) -> None:
        text = word.text
        if not self._words:
            for part in self._prefix(word):
                self._add_text(part)
            text = f" {text.lstrip()}" if self._texts else text
        self._words.append(word)
        self._add_text(text)

    def close(self) -> Cue:
        """Give the cue with the end it wants, and be empty."""
        first = self._words[0]
        cue = Cue(
            start_ms=first.start_ms,
            end_ms=self._wanted_end(),
            lines=tuple(_balanced(self._texts, self._options.max_line_length)),
            speaker=self._name(first),
            language=first.language,
            rtl=is_rtl("".join([word.text for word in self._words])),
        )
        self._words, self._texts = [], []
        self._filler = LineFiller(self._options.max_line_length)
        return cue

    def _add_text(self, text: str) -> None:
        self._texts.append(text)
        self._filler.add(text)

    def _wanted_end(self) -> int:
        """Give the end of speech, or later where reading takes longer."""
        start, options = self._words[0].start_ms, self._options
        spoken = max(word.end_ms for word in self._words)
        columns = text_width("".join(self._texts).strip())
        reading = start + round(columns * 1000 / options.chars_per_sec)
        wanted = max(spoken, start + options.min_duration_ms, reading)
        return min(wanted, start + options.max_duration_ms)

    def _ends_sentence(self) -> bool:
        return self._texts[-1].rstrip(_AFTER_SENTENCE)[-1:] in _SENTENCE_END

    def _is_readable(self) -> bool:
        """Tell whether the cue is long enough to stand alone."""
        return self._words[-1].end_ms - self._words[0].start_ms >= self._options.min_duration_ms

    def _name(self, word: Word) -> Optional[str]:
        return speaker_name(word.speaker, word.session, self._options.speakers)

    def _prefix(self, word: Word) -> list[str]:
        """Name the speaker where the voice changed, in formats without voices."""
        name = self._name(word)
        changed, self._last_speaker = name != self._last_speaker, name
        if not (self._options.prefix_speakers and changed and name):
            return []
        width = self._options.max_line_length
        label = f"{name}:"
        parts = [label] if text_width(label) <= width else label.split()
        if len(wrap([*parts, f" {word.text.lstrip()}"], width)) > self._options.max_lines:
            parts = _shortened(name, width - text_width(word.text.strip()) - 1)
        return [f" {part}" for part in parts]


def _shortened(name: str, room: int) -> list[str]:
    """Cut a name so that it takes `room` columns with its colon; leave it out where it cannot."""
    kept = chop(name, room - 2)[0].strip() if room > 2 else ""
    return [f"{kept}…:"] if kept and text_width(kept) <= room - 2 else []


def _balanced(texts: Sequence[str], width: int) -> list[str]:
    """Wrap into as few lines as possible, and these as even as possible."""
    lines = wrap(texts, width)
    if len(lines) < 2:
        return lines
    widest = max(text_width(text.strip()) for text in texts)
    narrowest = max(widest, sum(map(text_width, texts)) // len(lines))
    for narrower in range(narrowest, width):
        even = wrap(texts, narrower)
        if len(even) <= len(lines):
            return even
    return lines
