"""`RecordingOptions`: how a recording reconnects, rotates and catches up. Not sent."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Optional

from .._support.checks import MAX_SECONDS, Check, boolean, integer, number, run_checks
from .patience import PATIENCE_CHECKS, UNLIMITED, Patience


@dataclass(frozen=True, eq=False, repr=False)
class RecordingOptions(Patience):
    """Options of `record()` and `transcribe()`, besides the source and the transcription config.

    See `client.realtime.record()` for each; defaults and checks are only here.

    Raises
        ConfigurationError: a value out of range or not finite.
        InputTypeError: a value of the wrong type; `None` only where it means "off".
    """

    auto_reconnect: bool = False
    reset_transcript_on_reconnect: bool = False
    replay_window_sec: float = 120.0
    rotate_after_sec: Optional[float] = 270 * 60.0
    translation_watchdog: bool = False
    catch_up_speed: Optional[float] = 2.0
    catch_up_burst_sec: float = 10.0
    buffer_queue_size: int = 1000

    def __post_init__(self) -> None:
        off = {"rotate_after_sec", "catch_up_speed"}
        run_checks(vars(self), CHECKS, required=set(CHECKS) - UNLIMITED - off)


CHECKS: Mapping[str, Check] = {
    **PATIENCE_CHECKS,
    "auto_reconnect": boolean,
    "reset_transcript_on_reconnect": boolean,
    # shorter than a few messages of a quarter of a second, audio would be dropped before it is sent
    "replay_window_sec": number(1, MAX_SECONDS, "seconds"),
    "rotate_after_sec": number(1, MAX_SECONDS, "seconds"),
    "translation_watchdog": boolean,
    # below real time a recording would never catch up
    "catch_up_speed": number(1),
    # one message: with less, nothing could ever be sent
    "catch_up_burst_sec": number(0.25, MAX_SECONDS, "seconds"),
    "buffer_queue_size": integer(1),
}
