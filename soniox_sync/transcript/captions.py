"""Captions: short cues, timed for reading, one after the other."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any, Literal, Optional, Union

from .._support.checks import boolean, integer, number, one_of, refuse_unknown, wrong_type
from .._support.reprs import counted, summary
from ..protocol.tokens import Result, Token
from .text import LineFiller, chop, ends_sentence, is_rtl, text_width, wrap
from .words import WORD_GAP_MS, Word, WordSource, printable

__all__ = ["CaptionBuffer", "CaptionOptions", "Cue", "build_cues", "speaker_name"]

# A shorter cue is seen as a flicker. It is shown this long and delays its successor.
_FLICKER_MS = 100


@dataclass(frozen=True)
class CaptionOptions:
    """Layout of captions.

    `max_line_length` counts columns: wide characters take two, combining ones none.
    `max_lines` per cue. A cue ends with its last word, but not before it was shown for
    `min_duration_ms` and as long as reading takes: its columns at `chars_per_sec`. This lengthens
    it into the silence after it, up to `max_duration_ms` and to the start of the next cue, which
    may come earlier. No cue is shown longer than `max_duration_ms`. A silence of `max_gap_ms` ends
    a cue. `show` is `"original"` or `"translation"` (untranslated speech is shown as spoken).
    `speakers` is `True` for labels such as `Speaker 1`, a mapping of labels to names, or `False`.
    `prefix_speakers` writes `Name:` before the first words of each speaker's turn, for formats
    that have no notation for voices; a name too long for the cue is shortened.

    Raises
        ConfigurationError: a number out of range, or an unknown `show`.
        InputTypeError: a value of the wrong type.
    """

    max_line_length: int = 42
    max_lines: int = 2
    min_duration_ms: int = 1000
    max_duration_ms: int = 7000
    chars_per_sec: float = 20.0
    max_gap_ms: int = 1500
    show: Literal["original", "translation"] = "original"
    speakers: Union[bool, Mapping[str, str]] = True
    prefix_speakers: bool = False

    def __post_init__(self) -> None:
        # 2 columns: a wide character must fit into a line
        integer(2)("max_line_length", self.max_line_length)
        integer(1)("max_lines", self.max_lines)
        integer(_FLICKER_MS)("max_duration_ms", self.max_duration_ms)
        integer(0, self.max_duration_ms)("min_duration_ms", self.min_duration_ms)
        number(0.1)("chars_per_sec", self.chars_per_sec)
        integer(0)("max_gap_ms", self.max_gap_ms)
        one_of(("original", "translation"))("show", self.show)
        if not isinstance(self.speakers, (bool, Mapping)):
            raise wrong_type("speakers", "True, False or a mapping of labels", self.speakers)
        boolean("prefix_speakers", self.prefix_speakers)

    @classmethod
    def of(cls, options: Union[CaptionOptions, Mapping[str, Any], None]) -> CaptionOptions:
        """Return options given as such, as a mapping of their names, or `None` for the defaults.

        Raises
            ConfigurationError: an unknown name, or a value that is refused.
            InputTypeError: neither options nor a mapping.
        """
        if isinstance(options, CaptionOptions):
            return options
        if options is None:
            return cls()
        if not isinstance(options, Mapping):
            raise wrong_type("options", "CaptionOptions or a mapping", options)
        refuse_unknown(options, [each.name for each in fields(cls)], "CaptionOptions")
        return cls(**options)


@dataclass(frozen=True)
class Cue:
    """One caption: `lines` of text shown from `start_ms` until `end_ms`.

    `speaker` is the name to show, `None` without speakers. `language` is that of the text; `rtl`
    is whether it runs from right to left.
    """

    start_ms: int
    end_ms: int
    lines: Sequence[str]
    speaker: Optional[str] = None
    language: Optional[str] = None
    rtl: bool = False

    @property
    def text(self) -> str:
        """Lines joined by line ends."""
        return "\n".join(self.lines)


def build_cues(
    tokens: Iterable[Token],
    options: Union[CaptionOptions, Mapping[str, Any], None] = None,
    *,
    ends: Iterable[int] = (),
) -> list[Cue]:
    """Lay tokens out as cues: in order, not overlapping, no word lost.

    `ends` are ascending counts of tokens after which an utterance ends, and with it a cue. Words
    without times follow those around them, at reading speed; without any, all begin at 0.

    Raises
        ConfigurationError: an unknown option, or a value that is refused.
        InputTypeError: an option of the wrong type.
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
    """Return the name to show for a speaker's label, `None` for none.

    The same label in a later session of a recording may be another person, so it is numbered.
    """
    if label is None or names is False:
        return None
    given = names[label] if isinstance(names, Mapping) and label in names else None
    # a line end would end the cue early
    shown = " ".join(printable(label if given is None else given).split())
    if given is not None or not shown:
        return shown or None
    return f"Speaker {shown}" if session == 0 else f"Speaker {shown} (part {session + 1})"


class CaptionBuffer:
    """Buffer that turns live results into cues, each as soon as nothing can change it.

    With `show="translation"` speech waits for its translation, and that until it has all the
    sentences of the speech, other speech follows, or an endpoint: the cues are those of the whole
    transcript, whenever the translation comes. Not thread-safe. Costs the same for each token at
    any length.

    Raises
        ConfigurationError: an unknown option, or a value that is refused.
        InputTypeError: an option of the wrong type.
    """

    # A token passes three stages, and a cue leaves when the next one's start is known:
    #
    #     _source    tokens -> words: "He", "llo" -> "Hello"
    #     _draft     words -> the cue that grows, until a word does not fit (see `_Draft`)
    #     _waiting   the complete cue, with the end it wants
    #
    # How `_release` cuts that end (ms; min_duration_ms 1000):
    #
    #     speech        next cue   shown
    #     5000-5100     none       5000-6000   as long as it wants
    #     5000-5100     5400       5000-5400   cut by its successor
    #     5000-5100     5050       5000-5100   two voices at once: never below _FLICKER_MS,
    #                                          so the successor begins at 5100

    def __init__(self, options: Union[CaptionOptions, Mapping[str, Any], None] = None) -> None:
        self._options = CaptionOptions.of(options)
        self._source = WordSource(
            translated=self._options.show == "translation",
            max_width=self._options.max_line_length,
            chars_per_sec=self._options.chars_per_sec,
        )
        self._draft = _Draft(self._options)
        self._waiting: Optional[Cue] = None
        # end of the last cue that left: the next one does not begin before
        self._free_from = 0

    def __repr__(self) -> str:
        columns, lines = self._options.max_line_length, self._options.max_lines
        kept = f"{counted(self._draft.num_words, 'word')} in the next cue"
        return summary(self, self._options.show, f"{columns}x{lines},", kept)

    def add(self, result: Result) -> list[Cue]:
        """Add a result; return the cues it completed. Its partial tokens are ignored."""
        cues = self.add_tokens(result.final_tokens)
        return cues + self._pass_time(result.final_audio_proc_ms)

    def add_tokens(self, tokens: Iterable[Token]) -> list[Cue]:
        """Add final tokens; return the cues they completed."""
        cues: list[Cue] = []
        for token in tokens:
            cues += self._add_words(self._source.add(token))
        return cues

    def mark_endpoint(self) -> list[Cue]:
        """End the growing cue, as at a pause of the speaker; return the cues this completed.

        Where speech waits for its translation, the cue ends behind that.
        """
        cues = self._add_words(self._source.end_utterance())
        return cues if self._source.is_holding else cues + self._close_draft()

    def flush(self) -> list[Cue]:
        """Return all cues held back, at the end of the transcription."""
        cues = self._add_words(self._source.flush()) + self._close_draft()
        return cues + self._release(None)

    def _add_words(self, words: Iterable[Word]) -> list[Cue]:
        cues: list[Cue] = []
        for word in words:
            if not self._draft.accepts(word):
                cues += self._close_draft()
            if self._draft.empty:
                # a late word cuts nothing: live, the cue before may have been shown to its end
                cues += self._release(None if word.is_late else word.start_ms)
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
        """Return the waiting cue, now that the start of the next one is known."""
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
        """Close what the silence up to `final_ms` has ended.

        Only what any later word would end as well, so that live cues are those of the whole.
        """
        if not final_ms:
            return []
        source = self._source
        pause_ms = max(self._options.max_gap_ms, WORD_GAP_MS)
        cues: list[Cue] = []
        if source.clock + pause_ms <= source.begins_at(final_ms):
            cues += self._add_words(source.complete_word()) + self._close_draft()
        if self._waiting and self._draft.empty:
            known = source.begins_at(final_ms)
            if source.growing_from is not None:
                known = min(known, source.growing_from)
            if self._waiting.end_ms <= known:
                cues += self._release(None)
        return cues


class _Draft:
    """Cue that is still growing."""

    # Words are added until one does not belong: another voice, a silence, too long a time, a
    # sentence that has ended, or no room. With 2 lines of 12 columns:
    #
    #     one two three four     "one two" / "three four", first-fit
    #     five                   would need a third line: close(), and a new draft
    #     five six seven eight   "five six" / "seven eight"
    #     nine ten               again; flush() closes "nine ten"

    def __init__(self, options: CaptionOptions) -> None:
        self._options = options
        self._words: list[Word] = []
        # the texts of the words, after the parts of the speaker's name if it is shown
        self._texts: list[str] = []
        self._filler = LineFiller(options.max_line_length)
        self._last_speaker: Optional[str] = None

    @property
    def empty(self) -> bool:
        return not self._words

    @property
    def num_words(self) -> int:
        return len(self._words)

    def accepts(self, word: Word) -> bool:
        """Return whether the word belongs to this cue."""
        if not self._words:
            return True
        first, last = self._words[0], self._words[-1]
        options = self._options
        # a sentence ends the cue only if it can stand alone: not "Yes." but "Yes. I think so."
        readable = last.end_ms - first.start_ms >= options.min_duration_ms
        return (
            last.same_voice(word)
            and not word.begins_cue
            and word.start_ms - last.end_ms < options.max_gap_ms
            and word.end_ms - first.start_ms <= options.max_duration_ms
            and not (readable and ends_sentence(self._texts[-1]))
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
        """Return the cue with the end it wants, and start over."""
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
        """Return the end of speech, or later where reading takes longer."""
        start, options = self._words[0].start_ms, self._options
        spoken = max(word.end_ms for word in self._words)
        columns = text_width("".join(self._texts).strip())
        reading = start + round(columns * 1000 / options.chars_per_sec)
        wanted = max(spoken, start + options.min_duration_ms, reading)
        return min(wanted, start + options.max_duration_ms)

    def _name(self, word: Word) -> Optional[str]:
        return speaker_name(word.speaker, word.session, self._options.speakers)

    def _prefix(self, word: Word) -> list[str]:
        """Return the speaker's name in parts if the voice changed, for formats without voices."""
        # It must leave room for the first word. "Hello" of "Speaker 1", by columns and lines:
        #
        #     40, 1   Speaker 1: Hello
        #     12, 2   Speaker 1: / Hello
        #     12, 1   Spea…: Hello
        #      8, 1   Hello
        name = self._name(word)
        changed, self._last_speaker = name != self._last_speaker, name
        if not (self._options.prefix_speakers and changed and name):
            return []
        width = self._options.max_line_length
        label = f"{name}:"
        parts = [label] if text_width(label) <= width else label.split()
        spaced = [f" {part}" for part in parts]
        if len(wrap([*spaced, f" {word.text.lstrip()}"], width)) <= self._options.max_lines:
            return spaced
        short = _shortened(name, width - text_width(word.text.strip()) - 1)
        return [f" {short}"] if short else []


def _shortened(name: str, room: int) -> str:
    """Cut a name so that it takes `room` columns with its colon; `""` if it cannot."""
    kept = chop(name, room - 2)[0].strip() if room > 2 else ""
    return f"{kept}…:" if kept and text_width(kept) <= room - 2 else ""


def _balanced(texts: Sequence[str], width: int) -> list[str]:
    """Wrap into as few lines as possible, and make these as even as possible."""
    # The narrowest width that needs no more lines is taken. With 20 columns:
    #
    #     20    a quick brown fox / jumps
    #     11    a quick / brown fox / jumps    too many lines, at 12 as well
    #     13    a quick brown / fox jumps      taken
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
