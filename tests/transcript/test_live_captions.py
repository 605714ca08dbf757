"""Captions cut live are those cut afterwards, over random transcriptions with translation."""

from __future__ import annotations

import io
from typing import Any, NamedTuple, Optional

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from soniox_sync.protocol.tokens import Result, SttEvent
from soniox_sync.transcript import CaptionWriter, Transcript, cues_to_vtt
from soniox_sync.transcript.captions import build_cues
from tests.transcript.helpers import final, result, translated


class Step(NamedTuple):
    """What the service does next: says or translates a word, or ends an utterance or a response."""

    kind: str
    text: str
    speaker: Optional[str]
    silence_ms: int  # before a word, or at the end of a response
    status: str


steps = st.lists(
    st.builds(
        Step,
        kind=st.sampled_from(["say", "say", "translate", "translate", "respond", "end"]),
        text=st.sampled_from(
            [" one", " seventeen", "ty", " two.", ' "ten!"', " Yes. No", " -", "."]
        ),
        speaker=st.sampled_from([None, "1", "2"]),
        silence_ms=st.sampled_from([0, 0, 100, 600, 900, 1600, 4000]),
        status=st.sampled_from(["original", "original", "original", "none"]),
    ),
    max_size=60,
)


def play(steps: list[Step]) -> list[SttEvent]:
    """Return the events of a service that transcribes in order, and translates when it likes."""
    events: list[SttEvent] = []
    tokens: list[Any] = []
    ms = 0
    for step in [*steps, Step("respond", "", None, 0, "")]:
        if step.kind == "say":
            start = ms + step.silence_ms
            ms = start + 60 * len(step.text)
            fields = {"speaker": step.speaker, "translation_status": step.status}
            tokens.append(final(step.text, start, ms, language="en", **fields))
        elif step.kind == "translate":
            fields = {"speaker": step.speaker, "source_language": "en"}
            tokens.append(translated(step.text.upper(), "de", **fields))
        else:
            ms += step.silence_ms
            events.append(SttEvent("result", result(*tokens, proc=ms)))
            tokens = []
            if step.kind == "end":
                events.append(SttEvent("endpoint", Result()))
    return events


def written_live(events: list[SttEvent], format: str, options: dict[str, Any]) -> str:
    """Return the captions that are written while the events arrive."""
    file = io.StringIO()
    with CaptionWriter(file, format=format, options=options) as writer:
        for event in events:
            if event.kind == "endpoint":
                writer.mark_endpoint()
            else:
                writer.add(event.result)
    return file.getvalue()


@pytest.mark.parametrize("format", ["srt", "vtt"])
@settings(max_examples=300)
@given(steps, st.sampled_from([42, 9]), st.sampled_from([1500, 300]))
def test_live_captions_are_those_of_the_whole(
    format: str, played: list[Step], width: int, gap_ms: int
) -> None:
    """Whenever translations come, live captions equal those written afterwards."""
    events = play(played)
    options = {"show": "translation", "max_line_length": width, "max_gap_ms": gap_ms}
    transcript = Transcript()
    for event in events:
        transcript.add_event(event)
    write = transcript.to_srt if format == "srt" else transcript.to_vtt
    assert written_live(events, format, options) == write(options)
    if format == "vtt" and not any(event.kind == "endpoint" for event in events):
        assert cues_to_vtt(build_cues(transcript.final_tokens, options)) == write(options)
