"""The decisions of a replay, without I/O: however a client cuts and mixes, it gets everything."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from soniox_sync.sandbox.replay.content import Audio
from soniox_sync.sandbox.replay.script import Script
from soniox_sync.sandbox.replay.trace import read_trace
from tests.sandbox.client import start, text
from tests.sandbox.replay.lines import STT, TTS, Trace

TEXTS = st.text("ab ", min_size=1, max_size=6)


def script_of(trace: Trace) -> Script:
    """Return the script of the first connection of a trace."""
    return Script(read_trace(trace.lines).connections[0])


def play(script: Script) -> list[Any]:
    """Play what is due; return the messages."""
    played: list[Any] = []
    while ready := [cue for cue in script.heads() if cue.ready]:
        for cue in ready:
            if cue.act == "send":
                played.append(script.message(cue))
            script.played(cue)
    return played


def cut(data: st.DataObject, size: int) -> list[int]:
    """Return sizes of pieces that make up `size`."""
    sizes = []
    while size:
        sizes.append(data.draw(st.integers(1, size)))
        size -= sizes[-1]
    return sizes


@given(st.data())
def test_audio_may_be_cut_anywhere(data: st.DataObject) -> None:
    """Each result comes with the byte of audio after which it came in the trace, not before."""
    trace = Trace()
    socket = trace.socket(STT).sent({"model": "m"})
    marks = []
    for number in range(data.draw(st.integers(1, 5))):
        marks.append(data.draw(st.integers(1, 50)))
        socket.sent(bytes(marks[-1])).received({"result": number})
    socket.sent("").received({"finished": True}).close("received")
    script = script_of(trace)
    script.take({"model": "m"})
    sent, got = 0, play(script)
    for size in cut(data, sum(marks)):
        sent += size
        script.take(Audio(size, ""))
        got += play(script)
        assert len(got) == sum(sum(marks[: n + 1]) <= sent for n in range(len(marks)))
    script.take("")
    assert [*got, *play(script)][-1] == {"finished": True}
    assert script.heads() == []


@given(st.data())
def test_streams_may_be_mixed_anyhow(data: st.DataObject) -> None:
    """Streams whose messages are cut and mixed otherwise get their own messages, in order."""
    texts = [f"{data.draw(TEXTS)}{number}." for number in range(data.draw(st.integers(1, 4)))]
    trace = Trace()
    socket = trace.socket(TTS)
    voices = [data.draw(st.sampled_from(["A", "B"])) for _ in texts]
    for number, said in enumerate(texts):
        name = f"trace{number}"
        socket.sent(
            start(name, voice=voices[number]), text(name, said, end=data.draw(st.booleans()))
        )
    for number in range(len(texts)):
        name = f"trace{number}"
        socket.received({"stream_id": name, "of": number}, {"stream_id": name, "terminated": True})
    script = script_of(trace)
    ends = {each["stream_id"]: each["text_end"] for each in sent_texts(trace)}
    waiting = {
        number: [start(f"live{number}", voice=voices[number]), *pieces(data, number, said, ends)]
        for number, said in enumerate(texts)
    }
    got: list[Any] = []
    while waiting:
        number = data.draw(st.sampled_from(sorted(waiting)))
        script.take(waiting[number].pop(0))
        got += play(script)
        if not waiting[number]:
            del waiting[number]
    for number in range(len(texts)):
        name = f"live{number}"
        own = [each for each in got if each["stream_id"] == name]
        assert own == [{"stream_id": name, "of": number}, {"stream_id": name, "terminated": True}]


def sent_texts(trace: Trace) -> list[dict[str, Any]]:
    """Return the text messages in a trace."""
    found = [line.get("json") for line in trace.lines if line.get("direction") == "sent"]
    return [each for each in found if each and "text" in each]


def pieces(data: st.DataObject, number: int, said: str, ends: dict[str, bool]) -> list[Any]:
    """Return the text of a stream in pieces; the end of the text may be one of its own."""
    messages, at = [], 0
    for size in cut(data, len(said)):
        messages.append(text(f"live{number}", said[at : at + size], end=False))
        at += size
    if ends[f"trace{number}"]:
        if data.draw(st.booleans()):
            messages[-1]["text_end"] = True
        else:
            messages.append(text(f"live{number}", "", end=True))
    return messages
