"""A talk spoken by the sandbox, with the true time of every word, to check captions against.

Two independent truths:

- `Talk.words`: where the voice began and ended each word, according to the timestamps that come
  with the audio (`timestamps=True`): the voice's own word events.
- `Talk.stretches`: where the audio is loud, found by its energy alone, without any text. Each
  stretch begins with a word's first sound and ends with a word's last.

The sandbox recognises its own speech by its samples, but takes the words from those same events.
So agreement with `words` proves the way from recognition through tokens to captions, and agreement
with `stretches` proves that the times are those of the sound.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import cycle
from typing import Any

from soniox_sync.protocol.tokens import SttEvent
from soniox_sync.transcript import Transcript

RATE = 16000
FORMAT = {"audio_format": "pcm_s16le", "sample_rate": RATE, "num_channels": 1}
# 120 ms, as a live source sends
CHUNK = 3840
_WINDOW_MS = 10
# -63 dB of full scale, 45 below the voice: what is quieter cannot be heard next to it. From -58 dB
# up, the fading end of some words is lost, up to 130 ms of it
_LOUD = 32768 * 10 ** (-63 / 20)
# a pause this long is between words; closures of p, t and k inside a word are shorter
PAUSE_MS = 120

SENTENCES = """\
Good morning, and welcome to the harbour office.
The ferry to the northern islands leaves at half past nine.
Please have your tickets ready before you reach the gate.
Yesterday's storm has passed, but the sea is still rough.
Children under twelve travel free when they sit with a grown-up.
Nobody likes to wait; still, it's better than swimming.
Why does the old lighthouse carry two lamps?
One shows the channel, the other one warns of the rocks.
Captain Moreno has sailed this route for thirty-one years.
She says the fog is worse than any wind!
Yes.
No, thank you.
Our kitchen serves fish soup, brown bread, and strong coffee.
The recipe is older than the ship, and nobody will tell you what is in it.
If you feel ill, look at the horizon and breathe slowly.
Wheelchairs are kept beside the second staircase.
Last autumn a whale followed us for almost an hour.
It rolled on its side, waved a fin, and sank without a sound.
Scientists aboard counted 14 dolphins and 3 seals that week.
Their notebook is on the shelf, next to the radio.
What would you have done?
We turned the engine off and simply listened.
Remember that the tide decides, not the timetable.
At low water the smaller pier can't be used at all.
In that case a rowing boat brings you ashore, four people at a time.
Dogs are welcome; parrots, less so.
The museum opens at eleven and closes whenever the keeper gets hungry.
Inside there are maps, ropes, a broken compass, and one enormous anchor.
Someone painted it yellow.
I have never found out who, although I have a suspicion.
Further up the hill you'll see a chapel with a wooden tower.
Its bell came from a wreck and sounds slightly flat.
Take the left-hand path, because the right one ends in a bog.
Bring water, a hat, and something against the mosquitoes.
From the top the whole archipelago lies before you like a handful of crumbs.
On clear days even the mainland appears, thin and blue.
Well, that is nearly everything.
The last boat home sails at a quarter to seven, sharp.
Those who miss it may sleep in the schoolhouse, on the floor.
Have a wonderful day, everybody!"""

_DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday")
_WHO = ("the gardener", "a young violinist", "my neighbour", "the baker's daughter")
_DID = ("repaired", "borrowed", "described", "carefully measured", "lost", "photographed", "sold")
_WHAT = ("an umbrella", "the garden gate", "seven clocks", "a wheelbarrow", "the old bridge",
         "a map of the valley", "his grandmother's piano", "somebody else's bicycle",
         "two loaves of bread")  # fmt: skip
_THEN = ("and went home.", "before it began to rain.", "which surprised us all.", "didn't they?",
         "without saying why.", "for the second time this year!", "so we had to laugh.",
         "although the shop was closed.", "while everybody slept.", "and wrote a letter about it.",
         "as usual.")  # fmt: skip


def talk_text(words: int) -> str:
    """Return text of at least `words` words, without two equal sentences."""
    sentences = iter(_sentences())
    text, length = "", 0
    while length < words:
        sentence = next(sentences)
        text += sentence + " "
        length += len(sentence.split())
    return text.strip()


def _sentences() -> Iterator[str]:
    yield from SENTENCES.splitlines()
    # the lengths have no common divisor: it takes thousands of sentences until one is repeated
    for day, who, did, what, then in zip(*map(cycle, (_DAYS, _WHO, _DID, _WHAT, _THEN))):
        yield f"On {day} {who} {did} {what}, {then}"


@dataclass(frozen=True)
class Span:
    """Piece of the talk, from `start_ms` to `end_ms`."""

    text: str
    start_ms: float
    end_ms: float


@dataclass(frozen=True)
class Talk:
    """Audio (s16le, mono, `RATE`) and the truth about it."""

    audio: bytes
    words: list[Span]
    stretches: list[tuple[float, float]]

    @property
    def audio_sec(self) -> float:
        """Length of the audio, in seconds."""
        return len(self.audio) / 2 / RATE


def speak_talk(client: Any, text: str) -> Talk:
    """Speak a text and record the true times."""
    audio = bytearray()
    characters: list[str] = []
    starts: list[float] = []
    ends: list[float] = []
    voice = {"voice": "Nina", "language": "en", "audio_format": "pcm_s16le", "sample_rate": RATE}
    with client.realtime.speak(text, timestamps=True, **voice) as speech:
        for chunk in speech.events():
            audio += chunk.audio
            if chunk.timestamps is not None:
                characters += chunk.timestamps.characters
                starts += chunk.timestamps.character_start_times_seconds
                ends += chunk.timestamps.character_end_times_seconds
    words = list(spoken_words(text, characters, starts, ends))
    return Talk(bytes(audio), words, loud_stretches(bytes(audio)))


def spoken_words(
    text: str, characters: list[str], starts: list[float], ends: list[float]
) -> Iterator[Span]:
    """Yield the words of a text, each from its first letter to its last.

    The space between two streams of a long speech has no time of its own (PROTOCOL 3.2).
    """
    timed = [each for each in zip(characters, starts, ends) if not each[0].isspace()]
    for word in text.split():
        spoken, timed = timed[: len(word)], timed[len(word) :]
        assert "".join([character for character, _, _ in spoken]) == word
        letters = [each for each in spoken if each[0].isalnum()]
        yield Span(word, letters[0][1] * 1000, letters[-1][2] * 1000)
    assert not timed


def loud_stretches(audio: bytes) -> list[tuple[float, float]]:
    """Return where the audio is loud, in milliseconds, split at pauses of at least `PAUSE_MS`."""
    import numpy as np

    size = RATE * _WINDOW_MS // 1000
    samples = np.frombuffer(audio, "<i2").astype(np.float64)
    levels = np.sqrt((samples[: len(samples) // size * size].reshape(-1, size) ** 2).mean(axis=1))
    loud = np.flatnonzero(levels > _LOUD)
    breaks = np.flatnonzero(np.diff(loud) > PAUSE_MS // _WINDOW_MS)
    firsts = loud[np.concatenate(([0], breaks + 1))]
    lasts = loud[np.concatenate((breaks, [len(loud) - 1]))] + 1
    return [(first * _WINDOW_MS, last * _WINDOW_MS) for first, last in zip(firsts, lasts)]


def transcribe_talk(client: Any, audio: bytes) -> list[SttEvent]:
    """Transcribe the audio at full speed; return all events."""
    chunks = [audio[at : at + CHUNK] for at in range(0, len(audio), CHUNK)]
    with client.realtime.stt(enable_endpoint_detection=True, **FORMAT) as session:
        session.start_sending(chunks, finish=True)
        return list(session)


def words_of(transcript: Transcript) -> list[Span]:
    """Join the final tokens into words, with the times of their first and last token."""
    words: list[Span] = []
    for token in transcript.final_tokens:
        start, end = float(token.start_ms or 0), float(token.end_ms or 0)
        if token.text.startswith(" ") or not words:
            words.append(Span(token.text.strip(), start, end))
        else:
            words[-1] = Span(words[-1].text + token.text, words[-1].start_ms, end)
    return words
