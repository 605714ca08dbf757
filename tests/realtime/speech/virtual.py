"""Speech service in virtual time: hours of stalling writers in milliseconds.

`VirtualService` applies the timers and limits of PROTOCOL 3.4 and 3.5 to the streams that a
`Planner` requests; `perform` drives planner, writer, service and listener from one clock. No code
is shared with the library's streams.
"""

from __future__ import annotations

import random
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Optional

from soniox_sync.realtime.speech.planner import Part, Planner

TICK_SEC = 0.05
# four scripts: sentences without an end, digits, quotes, and text that must not be split
LATIN = "the of and a to in is you that it he was for on are as with his they at be this"
CYRILLIC = "и в не на я быть он с что а по это она этот к но они мы весь который"
HAN = "的一是在不了有和人这中大为上个国我以要他时来用们生到作地于出就分对成会可主发年动"
DEVANAGARI = "है में की के और से को का यह वह एक पर भी नहीं तो हम आप क्या कर था"


def words(rng: random.Random, words_of: str, end: str) -> str:
    """Make a sentence of random length."""
    known = words_of.split()
    chosen = [rng.choice(known) for _ in range(rng.randint(1, 30))]
    if rng.random() < 0.2:
        chosen.insert(rng.randrange(len(chosen)), rng.choice(("3.14", "Dr.", "a.b/c", "$5", "1.")))
    return " ".join(chosen) + rng.choice((end, end, "!", "?", "...", '."', "")) + " "


def sentence(rng: random.Random, script: int) -> str:
    """Make a sentence in one of four scripts."""
    if script == 0:
        return words(rng, LATIN, ".")
    if script == 1:
        return words(rng, CYRILLIC, ".")
    if script == 2:
        return "".join(rng.choice(HAN) for _ in range(rng.randint(1, 40))) + rng.choice("。！？，")
    return words(rng, DEVANAGARI, "।")


def mixed_text(rng: random.Random, length: int) -> str:
    """Make a text of at least `length` characters in all four scripts."""
    pieces: list[str] = []
    size = 0
    while size < length:
        script = rng.randrange(4)
        for _ in range(rng.randint(1, 8)):
            pieces.append(sentence(rng, script))
            size += len(pieces[-1])
        if rng.random() < 0.3:
            pieces.append(rng.choice(("\n", "\n\n", "  ", "\n- ")))
    return "".join(pieces) + "End"


@dataclass
class Arrival:
    """Text that the writer adds at a given time."""

    at: float
    text: str


def stalling_writer(rng: random.Random, text: str, per_char_sec: float) -> list[Arrival]:
    """Return `text` in tokens, at a pace of about `per_char_sec`, with stalls of up to 30 s."""
    arrivals: list[Arrival] = []
    at, now = 0, 0.0
    stall_every = rng.choice((200, 1000, 5000))
    while at < len(text):
        size = rng.choice((1, 2, 3, 5, 8, 40))
        arrivals.append(Arrival(now, text[at : at + size]))
        at += size
        now += size * per_char_sec * rng.uniform(0.2, 1.8)
        if rng.random() < size / stall_every:
            now += rng.uniform(0.0, 30.0)
    return arrivals


@dataclass
class VirtualStream:
    """One stream of the service."""

    part: Part
    opened_at: float
    text: str = ""
    ended: bool = False
    text_at: float = 0.0
    spoken: int = 0
    audio_sec: float = 0.0
    over: bool = False


@dataclass
class VirtualService:
    """Service that speaks at `pace` times real time; a character takes `char_sec`, Han 4 times."""

    pace: float
    char_sec: float
    latency_sec: float = 0.3
    deaths: list[str] = field(default_factory=list)
    streams: list[VirtualStream] = field(default_factory=list)

    def send(self, part: Part, text: str, end: bool, now: float) -> None:
        """Accept a text message."""
        stream = self._stream_of(part)
        if stream is None:
            stream = VirtualStream(part, now, text_at=now)
            self.streams.append(stream)
            if sum(not each.over for each in self.streams) > 3:
                self.deaths.append("429: more than 3 streams at once")
        if stream.ended:
            self.deaths.append("400: text after text_end")
        if not text and not end:
            self.deaths.append("an empty text")
        stream.text += text
        stream.ended = stream.ended or end
        stream.text_at = now
        if len(stream.text.encode()) > 5000:
            self.deaths.append("400: more than 5000 bytes")

    def _stream_of(self, part: Part) -> Optional[VirtualStream]:
        for stream in self.streams:
            if stream.part is part and not stream.over:
                return stream
        return None

    def tick(self, now: float) -> list[VirtualStream]:
        """Advance by one tick; return the streams that ended normally in it."""
        done = []
        for stream in self.streams:
            if stream.over:
                continue
            self._speak(stream, now)
            self._kill(stream, now)
            if stream.ended and stream.spoken == len(stream.text):
                stream.over = True
                done.append(stream)
        return done

    def _speak(self, stream: VirtualStream, now: float) -> None:
        if now < stream.opened_at + self.latency_sec:
            return
        ready = len(stream.text) if stream.ended else _last_sentence(stream.text)
        budget = TICK_SEC * self.pace
        while stream.spoken < ready and budget > 0:
            sec = self.char_sec * (4 if stream.text[stream.spoken] >= "\u2e80" else 1)
            stream.spoken += 1
            stream.audio_sec += sec
            budget -= sec
            progress = stream.part.progress
            progress.has_audio, progress.audio_sec, progress.last_audio_at = (
                True,
                stream.audio_sec,
                now,
            )

    def _kill(self, stream: VirtualStream, now: float) -> None:
        age = now - stream.opened_at
        if not stream.ended and now - stream.text_at > 5.2:
            self.deaths.append(f"408: silent writer, part {stream.part.number} at {now:.1f}")
        if not stream.audio_sec and age > 10:
            self.deaths.append(f"408: no audio, part {stream.part.number} at {now:.1f}")
        if age > 11 and stream.audio_sec < 0.8 * age and not _complete(stream):
            self.deaths.append(f"408: audio too slow, part {stream.part.number} at {now:.1f}")
        if stream.audio_sec > 120:
            self.deaths.append(f"413: two minutes, part {stream.part.number}")


def _complete(stream: VirtualStream) -> bool:
    return stream.ended and stream.spoken == len(stream.text)


def _last_sentence(text: str) -> int:
    ends = [found.end() for found in re.finditer(r"[.!?…](?=\s)|[。！？।]", text)]
    return max(ends, default=0)


@dataclass
class Performance:
    """Result: the spoken text of each part (with the unspoken text before it), why streams were
    killed, how long it took, how many streams there were."""

    parts: list[str]
    deaths: list[str]
    sec: float
    requests: int


def perform(
    planner: Planner,
    arrivals: Sequence[Arrival],
    service: VirtualService,
    *,
    listens_sec: float = 1.0,
) -> Performance:
    """Run writer, planner, service and listener to the end.

    `listens_sec`: seconds that the listener takes per second of audio; 0: all at once.
    """
    now, written, playing, free_at = 0.0, 0, 0, 0.0
    limit = arrivals[-1].at + 20_000
    ended = False
    while not planner.is_done:
        while written < len(arrivals) and arrivals[written].at <= now:
            planner.add(arrivals[written].text, now)
            written += 1
        if written == len(arrivals) and not ended:
            ended = True
            planner.finish()
        for send in planner.decide(now):
            service.send(send.part, send.text, send.end, now)
        for stream in service.tick(now):
            planner.part_over(stream.part)
        while playing < len(service.streams) and service.streams[playing].over and now >= free_at:
            free_at = now + service.streams[playing].audio_sec * listens_sec
            playing += 1
            planner.part_played()
        now += TICK_SEC
        assert now < limit, "the speech does not end"
        if service.deaths:
            break
    texts = [stream.part.lead + stream.text for stream in service.streams]
    return Performance(texts, service.deaths, now, len(service.streams))
