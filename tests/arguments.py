"""Tables of public entry points, and the one check that each must pass.

Wrong arguments have one outcome everywhere, and one form of message.
"""

from __future__ import annotations

import inspect
import io
import math
import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Callable

import pytest

from soniox_sync import ConfigurationError, SonioxClient
from soniox_sync.config import keywords as config_keywords
from soniox_sync.errors import InputTypeError
from soniox_sync.rest import keywords as rest_keywords
from soniox_sync.transcript import keywords as transcript_keywords

NAN, INF = math.nan, math.inf

TYPE, VALUE = InputTypeError, ConfigurationError
Probe = tuple[Any, type[ConfigurationError]]


def wrong(types: list[Any], values: Iterable[Any] = ()) -> tuple[Probe, ...]:
    """Return values of the wrong type and wrong values, each with the error that it must raise."""
    return (*((each, TYPE) for each in types), *((each, VALUE) for each in values))


HUGE = 10**400  # neither a float nor an int of 64 bits can hold it
HALF = "\ud800"  # half of a surrogate pair: it cannot be sent

NUMBER = wrong(["0.5", b"1", True, [1.0]], [NAN, INF, -INF, -7, -7.5, HUGE])
STR = wrong([5, True, NAN, INF, -7, b"x", ["x"]], [HALF])

# kind of an option -> what it must refuse
KINDS: Mapping[str, tuple[Probe, ...]] = {
    "int": wrong(["3", b"3", 1.5, NAN, INF, True, [3]], [-7, HUGE]),
    "number": NUMBER,
    "seconds": (*NUMBER, *wrong([], [0, 1e10])),
    "limit": (*NUMBER, *wrong([], [1e10])),  # time limit: 0 is legal, `None` is no limit
    "pace": wrong(["0.5", b"1", [1.0]], [NAN, INF, -INF, -7, HUGE]),  # True: real time
    "str": STR,
    "name": (*STR, *wrong([], [""])),
    "choice": (*STR, *wrong([], ["", "no such word"])),
    "bool": wrong([0, 1, "yes", NAN, INF, -7, []]),
    "callable": wrong([5, "x", True, NAN, -7]),
    "list": wrong(["x", b"x", 5, True, NAN, -7, {"a": 1}, [5]], [[HALF]]),
    "mapping": wrong(["x", 5, True, NAN, -7, [("a", 1)]]),
    "extra": wrong(
        ["x", 5, True, NAN, -7, [("a", 1)], {"a": object()}, {"a": b"x"}, {5: "x"}],
        [{"a": NAN}, {"a": [INF]}, {"a": HALF}],
    ),
    "exception": wrong([5, 0, "", "x", True, NAN, ValueError]),
    "secret": wrong([5, True, NAN, -7, b"x"]),
    "time": wrong([5, True, NAN, INF, -7, b"x"], ["", "yesterday"]),
    "output": wrong([5, None, NAN, -7, b"x.wav", io.StringIO()], [HALF, "a\0b"]),
    "trace": wrong([5, True, NAN, -7, b"x", [1]], [HALF, "a\0b"]),
    "chunks": wrong([b"x", bytearray(b"x"), "x", 5, None, True, NAN]),
    "texts": wrong([b"x", bytearray(b"x"), 5, None, True, NAN]),
    "input": wrong([5, None, NAN, True, ["x"], io.StringIO("x")]),
    "keys": wrong([5, "speaker", True, NAN, 7], [["no such key"]]),
    "object": wrong([5, "x", True, NAN, -7, [1]]),  # of some protocol or class
    "cancel": wrong([5, "x", True, NAN, -7, print]),
}


@dataclass(frozen=True)
class Entry:
    """One public entry point: how to reach it, what a call needs, and the kinds of its options.

    `others`: parameters with a test of their own. `shown_as`: the name of
    an option in errors, where it differs.
    """

    name: str
    find: Callable[[Any], Callable[..., Any]]
    options: Mapping[str, str]
    needs: Mapping[str, Any] = field(default_factory=dict)
    others: tuple[str, ...] = ()
    shown_as: Mapping[str, str] = field(default_factory=dict)


def entry(path: str, options: Mapping[str, str], **more: Any) -> Entry:
    """Return an entry for a method of a client, or of a set of objects, by its path."""

    def find(world: Any) -> Callable[..., Any]:
        found = world
        for name in path.split("."):
            found = getattr(found, name)
        return found  # type: ignore[no-any-return]

    return Entry(path, find, options, **more)


def made(cls: Callable[..., Any], options: Mapping[str, str], **more: Any) -> Entry:
    """Return an entry for a class or function."""
    return Entry(cls.__name__, lambda _: cls, options, **more)


# -- fields of configurations ---------------------------------------------------------------------

TIMES = {
    "connect_timeout_sec": "seconds",
    "keepalive_interval_sec": "seconds",
    "ping_interval_sec": "seconds",
    "ping_timeout_sec": "seconds",
}
SPEECH = {
    "model": "name",
    "language": "name",
    "voice": "name",
    "audio_format": "name",
    "sample_rate": "int",
    "bitrate": "int",
    "speed": "number",
    "reduce_silence": "bool",
    "client_reference_id": "str",
}
STREAM = {**SPEECH, "return_timestamps": "bool", "stream_id": "name", "extra": "extra"}
CONVERSATION = {
    "barge_in": "bool",
    "min_barge_in_words": "int",
    "backchannels": "list",
    "false_interruption_sec": "limit",
    "duplex": "choice",
    "turn_end": "choice",
    "patience_sec": "limit",
    "max_turn_sec": "seconds",
    "user_silence_sec": "seconds",
    "agent_silence_sec": "seconds",
}
SAY = {"language": "en", "voice": "Adrian", "audio_format": "wav"}
TRANSCRIPTION = {
    "model": "name",
    "audio_format": "name",
    "sample_rate": "int",
    "num_channels": "int",
    "language_hints": "list",
    "language_hints_strict": "bool",
    "enable_speaker_diarization": "bool",
    "enable_language_identification": "bool",
    "enable_endpoint_detection": "bool",
    "max_endpoint_delay_ms": "int",
    "endpoint_sensitivity": "number",
    "endpoint_latency_adjustment_level": "int",
    "enable_agent_text_input": "bool",
    "client_reference_id": "str",
    "extra": "extra",
}


# -- the check ------------------------------------------------------------------------------------

# the keywords behind `**keywords: Unpack[...]`, by name
KEYWORDS = {**vars(config_keywords), **vars(rest_keywords), **vars(transcript_keywords)}


@contextmanager
def unreachable_client() -> Iterator[SonioxClient]:
    """Provide a client whose requests would fail: nothing listens on its ports."""
    http, ws = "http://127.0.0.1:1", "ws://127.0.0.1:1"
    with SonioxClient(
        "a-key", api_url=http, tts_api_url=http, stt_ws_url=ws, tts_ws_url=ws, max_retries=0
    ) as client:
        yield client


def options_of(entries: Iterable[Entry]) -> list[Any]:
    """Return a test case for each option of each entry point."""
    return [
        pytest.param(each, name, id=f"{each.name}-{name}")
        for each in entries
        for name in each.options
    ]


def check_refusals(world: Any, where: Entry, name: str) -> None:
    """Assert that a wrong type is an `InputTypeError`, a wrong value another
    `ConfigurationError`, each by name."""
    call = where.find(world)
    message = re.compile(rf"{where.shown_as.get(name, name)}(\[\d+\])?: expected .+, got .+")
    for value, error in KINDS[where.options[name]]:
        with pytest.raises(ConfigurationError) as caught:
            call(**{**where.needs, name: value})
        assert type(caught.value) is error, f"{value!r} raised {caught.value!r}"
        assert message.fullmatch(str(caught.value)), f"{value!r} raised {caught.value!r}"


def check_complete(world: Any, where: Entry) -> None:
    """Assert that every parameter of an entry point is in its row."""
    names: set[str] = set()
    for each in inspect.signature(where.find(world)).parameters.values():
        shown = re.fullmatch(r"Unpack\[(\w+)\]", str(each.annotation))
        if shown:
            names |= set(KEYWORDS[shown[1]].__annotations__)
        elif each.kind not in (each.VAR_KEYWORD, each.VAR_POSITIONAL):
            names.add(each.name)
    assert names - {*where.options, *where.others} == set()
