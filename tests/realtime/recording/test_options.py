"""The options of a recording are checked in the call that gets them."""

from __future__ import annotations

import inspect
import math
import re
from dataclasses import fields
from typing import Any

import pytest

from soniox_sync import SonioxClient
from soniox_sync.config.patience import PATIENT, Patience
from soniox_sync.config.recording import CHECKS, RecordingOptions
from soniox_sync.errors import ConfigurationError, InputTypeError, StateError
from soniox_sync.realtime.facade import Realtime
from soniox_sync.realtime.recording import setup
from soniox_sync.realtime.speech.opening import split_patience
from soniox_sync.sources import IterableSource

COUNTS = ("max_reconnect_attempts", "buffer_queue_size")
NUMBERS = (
    "reconnect_base_delay_sec",
    "max_reconnect_delay_sec",
    "give_up_after_sec",
    "stable_after_sec",
    "replay_window_sec",
    "rotate_after_sec",
    "catch_up_speed",
    "catch_up_burst_sec",
)
# `None` switches these off
OPTIONAL = ("max_reconnect_attempts", "give_up_after_sec", "rotate_after_sec", "catch_up_speed")
FLAGS = ("auto_reconnect", "reset_transcript_on_reconnect", "translation_watchdog")


def defaults_in(call: Any) -> dict[str, str]:
    """Return the defaults that a docstring states, by option."""
    return dict(re.findall(r"`(\w+)` \(([\w.]+)\)", call.__doc__))


def record(**keywords: Any) -> None:
    """Start a recording that is expected to be refused before anything is opened."""
    client = SonioxClient("key", stt_ws_url="ws://127.0.0.1:9")
    client.realtime.record(source=IterableSource([b"\0\0"]), **keywords)


def test_every_option_has_a_check() -> None:
    """Every option has a check."""
    assert set(CHECKS) == {field.name for field in fields(RecordingOptions)}
    assert set(CHECKS) == {*COUNTS, *NUMBERS, *FLAGS}


@pytest.mark.parametrize("name", NUMBERS)
@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, -1, 1e10])
def test_numbers_out_of_range_are_refused_at_the_call(name: str, value: float) -> None:
    """A number that is not finite, negative, or too long to wait for is named with its value."""
    if name == "catch_up_speed" and value == 1e10:
        return  # means no limit
    with pytest.raises(ConfigurationError, match=rf"^{name}: expected .*, got ") as caught:
        record(**{name: value})
    assert not isinstance(caught.value, InputTypeError)


@pytest.mark.parametrize("name", [*NUMBERS, *COUNTS])
@pytest.mark.parametrize("value", ["3", True, [3]])
def test_numbers_of_the_wrong_type_are_refused_at_the_call(name: str, value: object) -> None:
    """For every option, a number written as text is a wrong type."""
    with pytest.raises(InputTypeError, match=rf"^{name}: expected .*, got {type(value).__name__}"):
        record(**{name: value})


@pytest.mark.parametrize("name", FLAGS)
def test_switches_accept_only_true_and_false(name: str) -> None:
    """`0`, `"false"` and the like are refused."""
    for value in (0, "false", None):
        with pytest.raises(InputTypeError, match=rf"^{name}: expected True or False"):
            record(**{name: value})


@pytest.mark.parametrize("name", [*COUNTS, *NUMBERS])
def test_none_switches_off_what_can_be_off(name: str) -> None:
    """`None` switches rotation and three limits off; other options refuse it."""
    if name in OPTIONAL:
        assert getattr(RecordingOptions(**{name: None}), name) is None
    else:
        with pytest.raises(InputTypeError, match=rf"^{name}: expected .*, got None"):
            RecordingOptions(**{name: None})


@pytest.mark.parametrize(
    ("given", "meant"),
    [("auto_recconect", "auto_reconnect"), ("rotate_after_secs", "rotate_after_sec")],
)
def test_a_misspelled_option_gets_a_suggestion(given: str, meant: str) -> None:
    """The nearest name is suggested among the options as well as the config's fields."""
    with pytest.raises(ConfigurationError, match=f"{given}.*did you mean '{meant}'"):
        record(**{given: 1})


def test_a_misspelled_option_is_refused_beside_a_session_config() -> None:
    """With a separate config misspelled options are refused, too."""
    with pytest.raises(ConfigurationError, match="auto_reconnect"):
        record(session_config={"audio_format": "auto"}, auto_recconect=True)


def test_the_documented_defaults_are_correct() -> None:
    """The defaults in the docstring of record() are those of the options."""
    documented = defaults_in(Realtime.record)
    real = {field.name: str(field.default) for field in fields(RecordingOptions)}
    real.pop("buffer_queue_size")  # the client's
    assert documented == {**real, "auto_reconnect": "False"}
    assert inspect.signature(Realtime.transcribe).parameters["auto_reconnect"].default is True


def options_of(monkeypatch: pytest.MonkeyPatch, call: str, **keywords: Any) -> RecordingOptions:
    """Return the options that a call makes its recording with."""
    made: list[RecordingOptions] = []

    def make_recording(*arguments: Any) -> None:
        made.append(arguments[-1])
        raise StateError("no recording in this test")

    monkeypatch.setattr(setup, "make_recording", make_recording)
    with pytest.raises(StateError):
        getattr(SonioxClient("key").realtime, call)(**keywords)
    return made[0]


def test_record_makes_three_attempts_and_has_no_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    """`record()` has the defaults of `Patience`, which its docstring states."""
    options = options_of(monkeypatch, "record")
    assert (options.max_reconnect_attempts, options.give_up_after_sec) == (3, None)
    assert (options.reconnect_base_delay_sec, options.max_reconnect_delay_sec) == (1.0, 30.0)
    assert options.stable_after_sec == 10.0
    assert vars(Patience()).items() <= vars(options).items()


def test_transcribe_tries_for_a_minute(monkeypatch: pytest.MonkeyPatch) -> None:
    """`transcribe()` limits the time, not the number; either can be set, without the other."""
    options = options_of(monkeypatch, "transcribe", source=b"\0\0")
    assert (options.max_reconnect_attempts, options.give_up_after_sec) == (None, 60.0)
    stated = Realtime.transcribe.__doc__ or ""
    assert all(f"`{name}` is" in stated for name in PATIENT)
    limited = options_of(monkeypatch, "transcribe", source=b"\0\0", max_reconnect_attempts=2)
    assert (limited.max_reconnect_attempts, limited.give_up_after_sec) == (2, 60.0)
    endless = options_of(monkeypatch, "transcribe", source=b"\0\0", give_up_after_sec=None)
    assert (endless.max_reconnect_attempts, endless.give_up_after_sec) == (None, None)


def test_speak_tries_for_a_minute() -> None:
    """`speak()` has the same patience as `transcribe()`, and states it."""
    patience, rest = split_patience({"voice": "Adrian", "stable_after_sec": 2.0})
    assert patience == Patience(**PATIENT, stable_after_sec=2.0)
    assert rest == {"voice": "Adrian"}
    stated = {name: str(value) for name, value in vars(Patience(**PATIENT)).items()}
    assert defaults_in(Realtime.speak) == stated
