"""Turning text into frames of audio: sentences, synthesis, equal frames, character times."""

from __future__ import annotations

import re
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Optional

from ..engines.base import SpokenChunk, Synthesizer
from ..problems import bad_request
from .config import TtsConfig

__all__ = ["Frame", "Narrator", "SentenceBuffer"]

# a sentence ends only once something follows it: "3." may become "3.14"
_SENTENCE = re.compile(r"[.!?…]+[\"'”’)\]]*(?=\s)|[。！？]|\S(?=\n)")
# a title or an initial does not end a sentence
_ABBREVIATION = re.compile(r"(?:^|\W)(?:Mr|Mrs|Ms|Dr|Prof|St|No|vs|e\.g|i\.e|[A-Z])\.$")
# without punctuation, text of this length is spoken up to its last space
_LONG = 220


class SentenceBuffer:
    """Text that waits for the end of its sentence."""

    def __init__(self) -> None:
        self._text = ""

    def add(self, text: str) -> list[str]:
        """Add text; return the sentences it completed."""
        self._text += text
        ready = []
        while end := self._sentence_end():
            ready.append(self._text[:end])
            self._text = self._text[end:]
        return ready

    def end(self) -> list[str]:
        """Return what is left."""
        rest, self._text = self._text, ""
        return [rest] if rest else []

    def _sentence_end(self) -> int:
        for found in _SENTENCE.finditer(self._text):
            if not _ABBREVIATION.search(self._text, 0, found.end()):
                return found.end()
        # a long text without any space is one word: it waits
        return max(0, self._text.rfind(" ")) if len(self._text) > _LONG else 0


@dataclass(frozen=True)
class Frame:
    """Piece of a stream's audio (s16le) with the characters that start in it."""

    pcm: bytes
    characters: tuple[str, ...]
    starts: tuple[float, ...]
    ends: tuple[float, ...]
    sec: float


class Narrator:
    """Speaks the segments of one stream as frames of `frame_ms`; times are those of the stream.

    `limit_sec` limits the audio of the whole stream: the frame that reaches it is cut exactly there
    and is the last, and `full` becomes True. Not thread-safe.
    """

    def __init__(
        self,
        synthesizer: Synthesizer,
        config: TtsConfig,
        *,
        frame_ms: int,
        limit_sec: Optional[float],
    ) -> None:
        self._synthesizer = synthesizer
        self._config = config
        self._voice = _engine_voice(synthesizer, config.voice)
        self._frame_bytes = max(1, config.sample_rate * frame_ms // 1000) * 2
        self._limit_bytes = None if limit_sec is None else int(limit_sec * config.sample_rate) * 2
        self._sent = 0
        self._begun = False
        self.full: bool = False

    @property
    def audio_sec(self) -> float:
        """Seconds of audio in the frames so far."""
        return self._sent / 2 / self._config.sample_rate

    def say(self, segment: str) -> Iterator[Frame]:
        """Yield the frames of one segment.

        Raises
            Problem: 400 if the engine refuses the text.
        """
        body = " ".join(segment.split())
        if not body or self.full:
            return
        # white space between segments is a character of the spoken text, at the time of its end
        lead = " " if self._begun and segment[:1].isspace() else ""
        self._begun = True
        yield from self._frames(lead, self._speak(body))

    def _speak(self, text: str) -> Iterator[SpokenChunk]:
        config = self._config
        try:
            yield from self._synthesizer.speak(
                text,
                voice=self._voice,
                language=config.language,
                sample_rate=config.sample_rate,
                speed=config.speed,
            )
        except ValueError as error:
            raise bad_request(f"The sandbox's voice cannot speak this: {error}") from error

    def _frames(self, lead: str, chunks: Iterator[SpokenChunk]) -> Iterator[Frame]:
        base = self.audio_sec
        marks = [(lead, base, base)] if lead else []
        pcm = bytearray()
        for chunk in chunks:
            pcm += chunk.pcm
            marks += [
                (character, base + start, base + end)
                for character, start, end in zip(chunk.characters, chunk.starts, chunk.ends)
            ]
            # one frame is held back: all remaining characters belong to the last one
            while len(pcm) > self._frame_bytes and not self.full:
                piece = bytes(pcm[: self._frame_bytes])
                del pcm[: self._frame_bytes]
                yield self._cut(piece, marks, last=False)
            if self.full:
                return
        if pcm or marks:
            yield self._cut(bytes(pcm), marks, last=True)

    def _cut(self, pcm: bytes, marks: list[tuple[str, float, float]], *, last: bool) -> Frame:
        if self._limit_bytes is not None and self._sent + len(pcm) >= self._limit_bytes:
            pcm = pcm[: self._limit_bytes - self._sent]
            self.full = True
        self._sent += len(pcm)
        end = self.audio_sec
        # with a tolerance: a rounding error must not move a character into the next frame
        ours = [mark for mark in marks if (last and not self.full) or mark[1] < end - 1e-9]
        del marks[: len(ours)]
        return Frame(
            pcm,
            tuple(mark[0] for mark in ours),
            tuple(round(mark[1], 4) for mark in ours),
            tuple(round(min(mark[2], end) if self.full else mark[2], 4) for mark in ours),
            len(pcm) / 2 / self._config.sample_rate,
        )


def _engine_voice(synthesizer: Synthesizer, voice: str) -> str:
    """Return a voice of the engine; another name, such as a clone's, has a constant mapping."""
    known = list(synthesizer.voices())
    if voice in known or not known:
        return voice
    return known[zlib.crc32(voice.encode("utf-8")) % len(known)]
