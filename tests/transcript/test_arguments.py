"""Wrong arguments of the transcript tools: one outcome, one form of message."""

from __future__ import annotations

import io
from types import SimpleNamespace

import pytest

from soniox_sync.errors import ConfigurationError
from soniox_sync.transcript import (
    CaptionBuffer,
    CaptionOptions,
    CaptionWriter,
    SegmentBuffer,
    Transcript,
    UtteranceBuffer,
    build_cues,
    segment_tokens,
    tokens_to_srt,
    tokens_to_vtt,
)
from tests.arguments import Entry, check_complete, check_refusals, entry, made, options_of

CAPTIONS = {
    "max_line_length": "int",
    "max_lines": "int",
    "min_duration_ms": "int",
    "max_duration_ms": "int",
    "chars_per_sec": "number",
    "max_gap_ms": "int",
    "show": "choice",
    "prefix_speakers": "bool",
}
BOUNDS = {"group_by": "keys", "final_only": "bool", "max_tokens": "int", "max_ms": "int"}
OPTIONS = {"options": "mapping"}

ENTRIES = [
    made(CaptionOptions, CAPTIONS, others=("speakers",)),
    entry("transcript.to_srt", {**CAPTIONS, **OPTIONS}, others=("speakers",)),
    entry("transcript.to_vtt", {**CAPTIONS, **OPTIONS}, others=("speakers",)),
    entry("transcript.to_json", {"indent": "int"}),
    entry("transcript.to_html", {"title": "str"}, others=("audio", "speakers")),
    made(CaptionBuffer, OPTIONS),
    made(
        CaptionWriter,
        {**OPTIONS, "format": "choice"},
        needs={"file": io.StringIO()},
        others=("file",),
    ),
    made(build_cues, OPTIONS, needs={"tokens": []}, others=("tokens", "ends")),
    made(tokens_to_srt, OPTIONS, needs={"tokens": []}, others=("tokens", "ends")),
    made(tokens_to_vtt, OPTIONS, needs={"tokens": []}, others=("tokens", "ends")),
    made(segment_tokens, {"group_by": "keys"}, needs={"tokens": []}, others=("tokens",)),
    made(SegmentBuffer, BOUNDS),
    made(UtteranceBuffer, BOUNDS),
]
WORLD = SimpleNamespace(transcript=Transcript())


@pytest.mark.parametrize(("where", "name"), options_of(ENTRIES))
def test_wrong_arguments_are_refused(where: Entry, name: str) -> None:
    """A wrong type is an `InputTypeError`, a wrong value another `ConfigurationError`, by name."""
    check_refusals(WORLD, where, name)


@pytest.mark.parametrize("where", ENTRIES, ids=lambda each: each.name)
def test_no_option_is_forgotten(where: Entry) -> None:
    """Every parameter of an entry point has its row in the table."""
    check_complete(WORLD, where)


@pytest.mark.parametrize("name", ["to_srt", "to_vtt"])
def test_a_mistyped_option_is_answered_with_the_nearest(name: str) -> None:
    """An unknown keyword of a writer gets a suggestion, as a keyword and in a mapping."""
    write = getattr(Transcript(), name)
    for call in (lambda: write(max_line_lenght=32), lambda: write({"max_line_lenght": 32})):
        with pytest.raises(ConfigurationError, match="did you mean 'max_line_length'"):
            call()
