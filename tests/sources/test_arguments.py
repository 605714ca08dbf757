"""Wrong arguments of the sources: one outcome, one form of message."""

from __future__ import annotations

import io
from typing import Any

import pytest

from soniox_sync.sources import (
    DevicePermissionResolver,
    FileSource,
    IterableSource,
    MicrophoneSource,
    PipeSource,
    SourceAudio,
    as_source,
)
from tests.arguments import Entry, check_complete, check_refusals, made, options_of

RAW = {"audio_format": "pcm_s16le", "sample_rate": 16000, "num_channels": 1}
AUDIO = {"audio_format": "str", "sample_rate": "int", "num_channels": "int"}
OTHERS = ("pace", "clock")  # `pace` is a number or True: it has tests of its own

ENTRIES = [
    made(
        FileSource,
        {**AUDIO, "chunk_ms": "int", "path": "input"},
        needs={"path": "a.wav", **RAW},
        others=OTHERS,
    ),
    made(IterableSource, {**AUDIO, "chunks": "chunks"}, needs={"chunks": [], **RAW}, others=OTHERS),
    made(
        PipeSource,
        {**AUDIO, "fileobj": "input"},
        needs={"fileobj": io.BytesIO(), **RAW},
        others=OTHERS,
    ),
    made(
        MicrophoneSource,
        {
            "sample_rate": "int",
            "channels": "int",
            "chunk_ms": "int",
            "mute_after_sec": "seconds",
            "stall_sec": "seconds",
        },
        others=("device",),
        shown_as={"channels": "num_channels"},
    ),
    made(SourceAudio, AUDIO, needs=RAW),
    made(as_source, AUDIO, needs={"obj": b"\0\0", **RAW}, others=("obj", "pace")),
    made(DevicePermissionResolver, {}, others=("device", "sample_rate", "channels")),
]


@pytest.mark.parametrize(("where", "name"), options_of(ENTRIES))
def test_wrong_arguments_are_refused(where: Entry, name: str) -> None:
    """A wrong type is an `InputTypeError`, a wrong value another `ConfigurationError`, by name."""
    check_refusals(None, where, name)


@pytest.mark.parametrize("where", ENTRIES, ids=lambda each: each.name)
def test_no_option_is_forgotten(where: Entry) -> None:
    """Every parameter of an entry point is in the table."""
    check_complete(None, where)


@pytest.mark.parametrize("source", [FileSource, IterableSource, PipeSource, as_source])
@pytest.mark.parametrize("pace", ["1", b"1", [1], float("nan"), float("inf"), -1])
def test_a_pace_is_a_number_or_a_choice(source: Any, pace: Any) -> None:
    """Only True, False, `None` and finite numbers from 0 up are a pace."""
    subject = {FileSource: "a.wav", IterableSource: [], PipeSource: io.BytesIO(), as_source: b"x"}
    entry = Entry("", lambda _: lambda **pace: source(subject[source], **pace), {"pace": "number"})
    with pytest.raises(ValueError, match=r"^pace: expected .+, got "):
        entry.find(None)(pace=pace)
