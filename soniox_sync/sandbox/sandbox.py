"""`Sandbox`: the user's object."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import TYPE_CHECKING, Any, Literal, Optional, Union

from .._support import checks as _checks
from .._support.locks import new_rlock
from .._support.reprs import summary
from ..errors import ConfigurationError, StateError
from .access import Access
from .endpoints import add_endpoints
from .engines.scripted import Script, ScriptedRecognizer
from .faults import Faults
from .keys import ApiKeys
from .limits import Limits, read_limits
from .log import TrafficLog
from .replay.stage import ReplayRoutes
from .rest.api import RestApi
from .server.routes import Routes
from .server.server import Server
from .world import World

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from ..client import SonioxClient
    from ..slng import SlngClient
    from .caller.caller import Caller
    from .caller.lines import StepInput
    from .engines.base import Engines, HeardWord, Recognizer
    from .keywords import ClientKeywords, ScriptKeywords, SlngClientKeywords
    from .replay.differences import Replay
    from .replay.trace import TraceInput

__all__ = ["Sandbox", "Urls"]


class _RealTime(float):
    """Default of `replay_speed`: behaves like the float, and is not what a caller passes."""

    __slots__ = ()


_REAL_TIME = _RealTime(1.0)


@dataclass(frozen=True)
class Urls:
    """Addresses of one sandbox, for the options of a client."""

    api: str
    """Base of the REST API, with `/v1`: for `api_url`."""
    stt: str
    """The STT WebSocket: for `stt_ws_url`."""
    tts_api: str
    """Base of `POST {tts_api}/tts`: for `tts_api_url`."""
    tts: str
    """The TTS WebSocket: for `tts_ws_url`."""
    slng: str
    """Base of the gateway's routes: for `base_url` of `SlngClient`."""


class Sandbox:
    """The whole Soniox service on loopback, offline, with its limits, and with faults on demand.

    - `host`: the address on which it listens; only loopback addresses are accepted.
    - `port`: the port on which it listens; 0 picks a free one.
    - `engines`: `"auto"` speaks and recognises speech if the extra `sandbox` is installed, and
      otherwise plays tones and recognises a script; `"speech"` requires the extra; `"tones"` never
      uses it; or an `Engines` object. mp3, flac and opus also need the extra, and aac an installed
      ffmpeg.
    - `limits`: a `Limits`, or a mapping of the fields that differ.
    - `api_keys`: `None` accepts every key that is not empty and does not start with `invalid`; a
      list accepts its keys; a mapping defines what each key may do, as a `KeyRule`, a mapping of
      its fields, or `None` for everything.
    - `allow_origins`: a browser may use the sandbox only from a page of this machine
      (`http://localhost:3000`) and under a name of it. The origins in this list may too
      (`"https://app.example.org"`, `"null"` for local files, `"*"` for all). Programs other than
      browsers send no origin.
    - `speech_cache`: a folder for this purpose only, in which this and other processes remember
      what they speak, so that each recognises the speech of the others. It is created if necessary,
      readable for this user only, and keeps about an hour of speech, for a month at most. `None`:
      what this process speaks is remembered in memory only, so that tests do not depend on earlier
      runs.
    - `replay`: a trace that a client recorded with `trace=`, of which this sandbox plays the
      service's side: a path, a file object, or an iterable of lines or mappings.
    - `replay_speed`: how many times as fast as in the trace it plays; `None` does not wait at all.

    A trace is played once: a second run of the program needs another sandbox. A message of the
    service is played once the client's messages before it have come, counted in bytes of audio and
    characters of text. What a client does differently is recorded in `replay.differences`, and the
    client gets an error that names it. Engines, limits and keys have no part in a replay; faults
    do.

    A context manager; or call `start()` and `close()`. Thread-safe.

    Raises
        ConfigurationError: a host that is not loopback, an option that does not exist or is out
            of its range, a trace that is malformed or of a newer version, or `replay_speed` without
            `replay`.
        InputTypeError: an option of the wrong type.
        OSError: the trace cannot be read.
    """

    def __init__(
        self,
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        engines: Union[Literal["auto", "speech", "tones"], Engines] = "auto",
        limits: Optional[Union[Limits, Mapping[str, Any]]] = None,
        api_keys: ApiKeys = None,
        allow_origins: Sequence[str] = (),
        speech_cache: Optional[Union[str, os.PathLike[str]]] = None,
        replay: Optional[TraceInput] = None,
        replay_speed: Optional[float] = _REAL_TIME,
    ) -> None:
        _checks.integer(0, 65535)("port", port)
        _check_speed(replay_speed, replay)
        self._world = World(
            read_limits(limits),
            api_keys,
            engines,
            Access(allow_origins),
            _read_folder(speech_cache),
        )
        self._must_load = engines == "speech" and replay is None
        self._faults = Faults(self._world.faults)
        self._log = TrafficLog(self._world.traffic)
        self._played: Optional[ReplayRoutes] = None
        self._rest: Optional[RestApi] = None
        if replay is None:
            routes = Routes()
            self._rest = RestApi(self._world, routes)
            add_endpoints(routes, self._world, self._rest)
        else:
            routes = self._played = ReplayRoutes(replay, replay_speed)
        self._server = Server(self._world, routes, host, port)
        self._host = host
        # Guards the fields below: one start only, and none after the end. Reentrant: a signal
        # handler may close what is being started.
        self._lock = new_rlock()
        self._port: Optional[int] = None
        self._closed = False  # set once
        self._pid: Optional[int] = None  # where it was started

    @property
    def faults(self) -> Faults:
        """Faults, to schedule what goes wrong."""
        return self._faults

    @property
    def log(self) -> TrafficLog:
        """Log of what was received and sent."""
        return self._log

    @property
    def limits(self) -> Limits:
        """Limits in force."""
        return self._world.limits

    @property
    def replay(self) -> Replay:
        """What the replay has found.

        Raises
            StateError: this sandbox replays no trace.
        """
        if self._played is None:
            raise StateError("this sandbox replays no trace: pass one as replay=")
        return self._played.replay

    @property
    def engines(self) -> Engines:
        """Engines in use; loads them if necessary.

        Raises
            ConfigurationError: `engines="speech"`, and they cannot be loaded.
        """
        return self._world.engines

    @property
    def api_key(self) -> str:
        """Key that this sandbox accepts: the first of `api_keys`."""
        return self._world.keys.any_key

    @property
    def port(self) -> int:
        """Port; starts the sandbox if necessary, with the errors of `start()`.

        It stays known after `close()`.
        """
        if self._port is None:
            self.start()
        return self._port or 0

    @property
    def urls(self) -> Urls:
        """Addresses; starts the sandbox if necessary, with the errors of `start()`."""
        host = f"[{self._host}]" if ":" in self._host else self._host
        base = f"{host}:{self.port}"
        return Urls(
            api=f"http://{base}/v1",
            stt=f"ws://{base}/transcribe-websocket",
            tts_api=f"http://{base}",
            tts=f"ws://{base}/tts-websocket",
            slng=f"ws://{base}",
        )

    def start(self) -> Sandbox:
        """Start listening, unless it already is, and return this sandbox.

        Raises
            StateError: it was closed.
            OSError: the port is taken.
            ConfigurationError: `engines="speech"`, and they cannot be loaded.
        """
        with self._lock:
            if self._closed:
                raise StateError("the sandbox is closed: make a new one")
            if self._port is None:
                if self._must_load:
                    _ = self._world.engines
                self._pid = os.getpid()
                self._port = self._server.start()
        return self

    def close(self) -> None:
        """Abort every connection, end every thread and free the port. Final and idempotent.

        In a forked child it ends nothing: the sandbox continues in the parent.
        """
        with self._lock:
            self._closed = True
            is_inherited = self._pid not in (None, os.getpid())
        if is_inherited:
            return
        self._server.close()
        if self._rest is not None:
            self._rest.close()
        self._world.clock.close()

    def client(self, **options: Unpack[ClientKeywords]) -> SonioxClient:
        """Return a `SonioxClient` for this sandbox, which is started if necessary.

        `options` are those of `SonioxClient`; they override what the sandbox sets.

        Raises
            ConfigurationError: an option is wrong; or `trace` or `SONIOX_SYNC_TRACE` is the file
                that this sandbox replays.
        """
        from ..client import SonioxClient

        self._keep_replayed(options.get("trace"))
        urls = self.urls
        settings: dict[str, Any] = {
            "api_key": self.api_key,
            "api_url": urls.api,
            "stt_ws_url": urls.stt,
            "tts_api_url": urls.tts_api,
            "tts_ws_url": urls.tts,
        }
        return SonioxClient(**{**settings, **options})

    def slng_client(self, **options: Unpack[SlngClientKeywords]) -> SlngClient:
        """Return a `SlngClient` for this sandbox as a gateway, which is started if necessary.

        `options` are those of `SlngClient`; they override what the sandbox sets.

        Raises
            ConfigurationError: as for `client()`.
        """
        from ..slng import SlngClient

        self._keep_replayed(options.get("trace"))
        settings: dict[str, Any] = {"api_key": self.api_key, "base_url": self.urls.slng}
        return SlngClient(**{**settings, **options})

    def _keep_replayed(self, trace: object) -> None:
        """Refuse a client that would append to the trace that is replayed."""
        from ..service import ENV_TRACE

        name = ENV_TRACE if trace is None else "trace"
        used = os.environ.get(ENV_TRACE) if trace is None else trace
        if self._played is not None and self._played.is_in(used):
            raise ConfigurationError(
                f"{name}: {self._played.replay.name} is the trace that this sandbox replays, and "
                f"the client would append to it; record into another file, or "
                + ("unset the variable" if trace is None else 'pass trace=""')
            )

    def script(
        self,
        words: Optional[Union[Script, str, Iterable[Union[str, HeardWord]]]] = None,
        **options: Unpack[ScriptKeywords],
    ) -> Script:
        """Let sessions from now on recognise a script, whatever their audio; return the script.

        `words`: a `Script`, a text, or a list of `str` and `HeardWord`; `options` are those of
        `Script`.
        """
        script = words if isinstance(words, Script) else Script(words, **options)
        self._world.set_recognizer(ScriptedRecognizer(script))
        return script

    def hear_with(self, recognizer: Optional[Recognizer]) -> None:
        """Let sessions from now on use this recogniser; `None`: the recogniser of the engines.

        `NumberedRecognizer` recognises audio made by `numbered_audio`.
        """
        self._world.set_recognizer(recognizer)

    def caller(
        self,
        lines: Iterable[StepInput],
        *,
        voice: str = "Emma",
        language: str = "en",
        audio_format: str = "pcm_s16le",
        sample_rate: int = 16000,
        speed: float = 1.0,
    ) -> Caller:
        """Return a scripted caller: source and sink of a conversation, without any device.

        `lines`: what it says, as `str` or `Line`, `Key("5")`, `Quiet(sec)` and `HangUp()`. Each
        begins when the agent has answered the line before and has been quiet for 0.6 s, or has said
        nothing for 5 s of real time. After the last one the caller hangs up.

        `voice`, `language`: of the caller. `audio_format`: in both directions, `pcm_s16le`, or
        `mulaw` or `alaw` as on a telephone (with 8000 Hz). `sample_rate`: in Hz, in both directions
        as well. `speed`: how many times as fast as real time its time passes; the agent stays as
        slow as it is, so its pauses seem longer to the caller.

        Raises
            ConfigurationError: a line, the voice, language or rate is wrong; or speech cannot be
                synthesised here: the message names the extra.
            InputTypeError: a value of the wrong type.
        """
        from .caller.setup import make_caller

        return make_caller(self.engines, lines, voice, language, audio_format, sample_rate, speed)

    def __enter__(self) -> Sandbox:
        return self.start()

    def __exit__(
        self,
        kind: Optional[type[BaseException]],
        error: Optional[BaseException],
        trace: Optional[TracebackType],
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        where = "not started" if self._port is None else f"{self._host}:{self._port}"
        plays = "" if self._played is None else f"replays {self._played.replay.name}"
        return summary(self, where, plays, "closed" if self._closed else "")


def _read_folder(value: Any) -> Optional[str]:
    """Return the path of `speech_cache`, absolute: the program may change its folder."""
    if value is None:
        return None
    if not isinstance(value, (str, os.PathLike)):
        raise _checks.wrong_type("speech_cache", "a path, or None", value)
    _checks.path("speech_cache", value)
    return os.path.abspath(os.fsdecode(value))


def _check_speed(value: Any, replay: object) -> None:
    if value is not None:
        _checks.number()("replay_speed", value)
        if value <= 0:
            expected = "a number above 0, or None for no waiting"
            raise _checks.wrong_value("replay_speed", expected, value)
    if replay is None and not isinstance(value, _RealTime):
        raise ConfigurationError("replay_speed needs replay=: pass a trace, or leave it out")
