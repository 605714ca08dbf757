"""Schedules of a storm, drawn from a seed: audio, options, faults, and what the user does."""

from __future__ import annotations

import itertools
import random
from dataclasses import dataclass, field
from typing import Any, Callable, Optional

from soniox_sync.sandbox import Sandbox
from tests import muxers
from tests.muxers import Muxed

# numbers of words that are spoken while the recording is paused
_LEFT_OUT = 5000
# what a session may be lost to, besides the socket; 408 is an outage only after results
_LOSSES = (
    *("service_unavailable", "internal_error", "limit_exceeded", "max_duration_reached"),
    "max_concurrent_connections_reached",
)
# what no new session can fix -> status code
FATAL = {
    "invalid_request": 400,
    "unauthenticated": 401,
    "organization_balance_exhausted": 402,
    "permission_denied": 403,
    "not_found": 404,
}
_MUXERS: dict[str, Callable[[bytes, int], Muxed]] = {
    "flac": lambda pcm, rate: muxers.flac(pcm, rate, 576),
    "flac, streamed": lambda pcm, rate: muxers.flac(pcm, rate, 4096, known=False),
    "ogg": lambda pcm, rate: muxers.ogg(pcm, rate, 320, per_page=9),
    "webm": lambda pcm, rate: muxers.webm(pcm, rate, 320, cluster_ms=1000),
    "webm, live": lambda pcm, rate: muxers.webm(pcm, rate, 960, live=True, start_ms=70_000),
}


@dataclass
class Speech:
    """Numbered words: all samples of word n are n + 1, those between words are 0."""

    rate: int
    words: list[tuple[int, int, int]]  # number, start_ms, end_ms
    pcm: bytes = field(repr=False)

    @classmethod
    def random(cls, rng: random.Random, rate: int, seconds: float, first: int = 0) -> Speech:
        """Speak words of 40 to 500 ms with short gaps, and with pauses now and then."""
        words: list[tuple[int, int, int]] = []
        pieces: list[bytes] = []
        at = 0

        def add(ms: int, value: int) -> None:
            nonlocal at
            samples = (at + ms) * rate // 1000 - at * rate // 1000
            pieces.append(value.to_bytes(2, "little") * samples)
            at += ms

        add(rng.randint(0, 500), 0)
        for number in itertools.count(first):
            words.append((number, at, at + (length := rng.randint(40, 500))))
            add(length, number + 1)
            add(rng.randint(500, 1500) if rng.random() < 0.12 else rng.randint(20, 120), 0)
            if at >= seconds * 1000:
                return cls(rate, words, b"".join(pieces))
        raise AssertionError("unreachable")

    def gaps(self, least_ms: int = 20) -> list[int]:
        """Return the middles of the gaps between words, in ms."""
        ends = [(before[2], after[1]) for before, after in zip(self.words, self.words[1:])]
        return [(a + b) // 2 for a, b in ends if b - a >= least_ms]

    def position(self, ms: int) -> int:
        """Return the position of a time, in bytes."""
        return 2 * (ms * self.rate // 1000)


@dataclass
class Downtime:
    """The service cannot be reached for a while, from the connection of this number on."""

    attempt: int
    sec: float
    outcome: str  # of `tests.network.Network`


@dataclass
class Step:
    """What a source does next: `what` is "data", or something that the user does in between."""

    what: str
    data: bytes = field(default=b"", repr=False)


Fault = Callable[[Sandbox], Any]


@dataclass
class Plan:
    """Everything about one schedule."""

    seed: int
    way: str
    speech: Speech = field(repr=False)
    mux: Optional[str] = None
    muxed: Optional[Muxed] = field(default=None, repr=False)
    options: dict[str, Any] = field(default_factory=dict)
    faults: list[tuple[str, Fault]] = field(default_factory=list)
    fatal: Optional[int] = None  # status code of a fault that no new session can fix
    downtimes: list[Downtime] = field(default_factory=list)
    steps: list[Step] = field(default_factory=list)
    speed: Optional[float] = None
    final_lag_ms: int = 400
    is_held: bool = False  # the source, back: the window is small, or it would be a loss
    loses: bool = False  # the window is too small for an outage
    gives_up: bool = False  # patience may end
    ends_by_stop: bool = False
    reconnects_at: list[float] = field(default_factory=list)

    @property
    def translates(self) -> bool:
        """Whether every word is to be translated."""
        return "translation" in self.options

    def describe(self) -> str:
        """Return one line that says what happens."""
        faults = [name for name, _ in self.faults]
        did = [step.what for step in self.steps if step.what != "data"]
        return (
            f"{self.way} {self.mux or self.speech.rate} speed {self.speed} {self.options} "
            f"lag {self.final_lag_ms} faults {faults} down {self.downtimes} did {did} "
            f"reconnects at {self.reconnects_at} stop {self.ends_by_stop}"
        )


def make_plan(seed: int) -> Plan:
    """Return the schedule of a seed, always the same one."""
    rng = random.Random(seed)
    way = rng.choice(("bytes", "iterable", "wav", "source", "live", "live"))
    muxed = way in ("bytes", "iterable", "source", "live") and rng.random() < 0.4
    rate = 8000 if muxed else rng.choice((8000, 16000, 16000, 44100))
    plan = Plan(seed, way, Speech.random(rng, rate, rng.uniform(3, 9)))
    if muxed:
        plan.mux = rng.choice(list(_MUXERS))
        plan.muxed = _MUXERS[plan.mux](plan.speech.pcm, rate)
    plan.final_lag_ms = rng.choice((0, 100, 400, 1200))
    plan.speed = rng.choice((4.0, 8.0, 16.0, None)) if way != "live" else rng.choice((4.0, 10.0))
    _choose_options(rng, plan)
    _choose_faults(rng, plan)
    _choose_downtimes(rng, plan)
    _choose_steps(rng, plan)
    return plan


def _choose_options(rng: random.Random, plan: Plan) -> None:
    plan.options = options = {
        "catch_up_speed": rng.choice((None, None, 8.0)),
        "catch_up_burst_sec": 2.0,
        "reconnect_base_delay_sec": 0.05,
        "max_reconnect_delay_sec": 0.5,
        "max_reconnect_attempts": None,
        "give_up_after_sec": 50.0,
        "rotate_after_sec": rng.choice((None, None, 1.0, 2.5)),
        "stable_after_sec": rng.choice((0.0, 10.0)),
    }
    if rng.random() < 0.3:
        options["translation"] = {"type": "one_way", "target_language": "es"}
    if rng.random() < 0.3:
        options.update(enable_endpoint_detection=True, max_endpoint_delay_ms=500)
    plan.is_held = plan.way != "live" and rng.random() < 0.2
    if plan.is_held:
        options["replay_window_sec"] = 3.0
        options.pop("translation", None)  # of a word that a finalize cuts there are two
    plan.loses = plan.way == "live" and plan.mux is None and rng.random() < 0.3
    if plan.loses:
        options["replay_window_sec"] = rng.choice((1.0, 2.0))
        options.pop("translation", None)  # what is lost has none
    plan.ends_by_stop = plan.way == "live" and rng.random() < 0.3


def _choose_faults(rng: random.Random, plan: Plan) -> None:
    """Draw one fault for each of the first connections that reach the service."""
    many = rng.choice((0, 1, 2, 3, 5))
    plan.faults = [fault for number in range(many) for fault in _faults_of(rng, number, plan)]
    if rng.random() < 0.08:
        error_type, plan.fatal = rng.choice(list(FATAL.items()))
        status = plan.fatal
        if rng.random() < 0.5:
            plan.faults.append(
                (f"fatal HTTP {status}", lambda box: box.faults.refuse(status, skip=many))
            )
        else:
            after = _moment(rng, plan)
            plan.faults.append(
                (
                    f"fatal {error_type} {after}",
                    lambda box: box.faults.error_frame(error_type, skip=many, **after),
                )
            )


def _moment(rng: random.Random, plan: Plan) -> dict[str, Any]:
    name = rng.choice(("audio_ms", "bytes_in", "bytes_out", "frames_in", "frames_out", "sec"))
    most = {
        "audio_ms": plan.speech.words[-1][2],
        "bytes_in": len(plan.speech.pcm),
        "bytes_out": 30_000,
        "frames_in": 60,
        "frames_out": 60,
        "sec": 2,
    }[name]
    value = rng.uniform(0, most)
    return {f"after_{name}": round(value, 3) if name == "sec" else int(value)}


def _faults_of(rng: random.Random, skip: int, plan: Plan) -> list[tuple[str, Fault]]:
    """Draw what ends connection `skip`, and at times what it suffers before."""
    found = []
    if rng.random() < 0.4:
        kind, args = rng.choice(
            (
                ("delay", {"sec": round(rng.uniform(0.01, 0.4), 3)}),
                ("split", {"size": rng.choice((1, 7, 100)), "pause_sec": 0.0}),
                ("split", {"size": 50, "pause_sec": 0.001}),
                ("fragment", {"size": rng.choice((1, 20, 200))}),
                ("slow_reader", {"bytes_per_sec": rng.choice((60_000, 200_000))}),
            )
        )
        found.append(_fault(kind, skip, **args))
    if rng.random() < 0.25:
        found.append(_refusal(rng, skip))
        return found
    kind = rng.choice(
        ("drop", "drop", "fin", "half_open", "stall", "close", "error_frame", "408", "inject")
    )
    when = _moment(rng, plan)
    args: dict[str, Any] = {}
    if kind == "close":
        args = {"code": rng.choice((1000, 1001, 1011, 1012))}
    elif kind == "inject":
        args = {"data": b"\xff\xff\xff\xff"}
    elif kind == "error_frame":
        args = {"error_type": rng.choice(_LOSSES)}
    elif kind == "408":
        kind, args, when = "error_frame", {"error_type": "request_timeout"}, {}
        when["after_audio_ms"] = rng.randint(2500, 4000)
    found.append(_fault(kind, skip, **args, **when))
    return found


def _refusal(rng: random.Random, skip: int) -> tuple[str, Fault]:
    if rng.random() < 0.2:
        return _fault("hang", skip)
    status = rng.choice((429, 429, 500, 502, 503, 504))
    headers = {}
    if status == 429 and rng.random() < 0.6:
        headers = {"Retry-After": rng.choice(("0", "0.2", "0.7", "soon"))}
    return _fault("refuse", skip, status=status, headers=headers)


def _fault(kind: str, skip: int, **args: Any) -> tuple[str, Fault]:
    def schedule(box: Sandbox) -> Any:
        return getattr(box.faults, kind)(kind="stt", skip=skip, **args)

    return f"{skip}: {kind} {args or ''}".strip(), schedule


def _choose_downtimes(rng: random.Random, plan: Plan) -> None:
    outcomes = ("refused", "refused", "dns", "cut", "hang")
    for _ in range(rng.choice((0, 0, 1, 2))):
        down = Downtime(rng.randint(0, 4), round(rng.uniform(0.1, 1.5), 2), rng.choice(outcomes))
        plan.downtimes.append(down)
    if plan.loses:
        plan.faults.insert(0, _fault("drop", 0, after_audio_ms=rng.randint(200, 2000)))
        plan.downtimes.append(Downtime(1, round(rng.uniform(0.5, 1.5), 2), "refused"))
    if rng.random() < 0.05 and plan.fatal is None:
        plan.gives_up = True
        plan.downtimes.append(Downtime(rng.randint(0, 1), 30.0, rng.choice(outcomes)))
        if rng.random() < 0.5:
            plan.options["give_up_after_sec"] = 0.5
        else:
            plan.options["max_reconnect_attempts"] = 3


def _choose_steps(rng: random.Random, plan: Plan) -> None:
    """Cut the audio into chunks, with what the user does between two of them."""
    if rng.random() < 0.25:
        plan.reconnects_at = [round(rng.uniform(0, 2), 2) for _ in range(rng.randint(1, 3))]
    speech = plan.speech
    if plan.muxed is not None:
        data = plan.muxed.data
        plan.steps = list(
            _chunks(rng, data, len(data) * 1000 // (len(speech.pcm) * 500 // speech.rate))
        )
        return
    places = [0, len(speech.pcm)]
    acts: dict[int, list[Step]] = {}
    if plan.way in ("source", "live"):
        gaps = speech.gaps()
        for ms in rng.sample(gaps, min(len(gaps), rng.choice((0, 1, 3)))):
            place = speech.position(ms)
            places.append(place)
            acts[place] = _deeds(rng, plan)
    places.sort()
    bytes_per_sec = 2 * speech.rate
    for begin, end in zip(places, places[1:]):
        plan.steps += acts.get(begin, [])
        plan.steps += _chunks(rng, speech.pcm[begin:end], bytes_per_sec)


def _deeds(rng: random.Random, plan: Plan) -> list[Step]:
    what = rng.choice(("pause", "pause", "finalize", "mute", "reconnect"))
    if what != "pause":
        return [Step(what), *([Step("unmute")] if what == "mute" else [])]
    left_out = Speech.random(rng, plan.speech.rate, rng.uniform(0.2, 2), _LEFT_OUT)
    said = list(_chunks(rng, left_out.pcm, 2 * plan.speech.rate)) if plan.way == "live" else []
    return [Step("pause"), *said, Step("resume")]


def _chunks(rng: random.Random, data: bytes, bytes_per_sec: int) -> Any:
    ms = rng.choice((20, 60, 120, 250))
    size = max(2, bytes_per_sec * ms // 1000 // 2 * 2)
    odd = rng.random() < 0.2  # chunks that cut samples in two
    for at in range(0, len(data), size + odd):
        yield Step("data", data[at : at + size + odd])
