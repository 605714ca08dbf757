"""The sandbox as a user holds it."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import TYPE_CHECKING, Any, Optional, Union

from .faults import Faults
from .keys import ApiKeys
from .limits import Limits
from .log import TrafficLog
from .rest import build_routes
from .scripted import Script, ScriptedRecognizer
from .server import Server
from .world import World

if TYPE_CHECKING:
    from soniox_sync.client import SonioxClient
    from soniox_sync.slng import SlngClient

    from .engines.base import Engines, HeardWord, Recognizer

__all__ = ["Sandbox", "Urls"]


@dataclass(frozen=True)
class Urls:
    """Holds the addresses of one sandbox, as a client's options want them."""

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
    """Serves the whole Soniox service on loopback, offline, with its limits and its faults.

    `port=0` picks a free port. `engines`: `"auto"` speaks and hears when the extra `sandbox` is
    installed, else plays tones and hears a script; `"speech"` insists (`ConfigurationError` when
    missing); `"tones"` never loads anything; or an `Engines` object. `limits`: `Limits`, or a
    mapping of overrides. `api_keys`: `None` accepts every non-empty key that does not begin with
    `invalid`; a list accepts those; a mapping says what each may do (`KeyRule` or a mapping of its
    fields).

    A context manager; `start()` and `close()` do the same by hand. `faults` schedules what goes
    wrong, `log` keeps what was received and sent. All methods are thread-safe. Raises
    `ConfigurationError` for a host that is not loopback, `OSError` when the port is taken.
    """

    def __init__(
        self,
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        engines: Union[str, Engines] = "auto",
        limits: Optional[Union[Limits, Mapping[str, Any]]] = None,
        api_keys: ApiKeys = None,
    ) -> None:
        self._world = World(Limits.of(limits), api_keys, engines)
        self._must_load = engines == "speech"
        self._server = Server(self._world, build_routes(), host, port)
        self._host = host
        # Guards _port: one start only.
        self._lock = threading.Lock()
        self._port: Optional[int] = None

    @property
    def faults(self) -> Faults:
        """Give the plan of faults."""
        return self._world.faults

    @property
    def log(self) -> TrafficLog:
        """Give the record of the traffic."""
        return self._world.traffic

    @property
    def limits(self) -> Limits:
        """Give the limits in force."""
        return self._world.limits

    @property
    def engines(self) -> Engines:
        """Give the voice and the ear, loading them if need be."""
        return self._world.engines

    @property
    def api_key(self) -> str:
        """Give a key that this sandbox accepts."""
        return self._world.keys.any_key

    @property
    def port(self) -> int:
        """Give the port; starts the sandbox if it was not started."""
        return self.start()._port or 0

    @property
    def urls(self) -> Urls:
        """Give the addresses; starts the sandbox if it was not started."""
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
        """Listen; does nothing when it already does."""
        with self._lock:
            if self._port is None:
                if self._must_load:
                    _ = self._world.engines
                self._port = self._server.start()
        return self

    def close(self) -> None:
        """Cut every connection, end every thread, free the port; idempotent, bounded."""
        self._server.close()
        self._world.jobs.close()
        self._world.clock.close()

    def client(self, **options: Any) -> SonioxClient:
        """Make a `SonioxClient` that talks to this sandbox; `options` win over its settings."""
        from soniox_sync.client import SonioxClient

        urls = self.urls
        settings: dict[str, Any] = {
            "api_key": self.api_key,
            "api_url": urls.api,
            "stt_ws_url": urls.stt,
            "tts_api_url": urls.tts_api,
            "tts_ws_url": urls.tts,
        }
        return SonioxClient(**{**settings, **options})

    def slng_client(self, **options: Any) -> SlngClient:
        """Make a `SlngClient` that talks to this sandbox's gateway routes; `options` win."""
        from soniox_sync.slng import SlngClient

        settings = {"api_key": self.api_key, "base_url": self.urls.slng}
        return SlngClient(**{**settings, **options})

    def script(
        self,
        words: Optional[Union[Script, str, Iterable[Union[str, HeardWord]]]] = None,
        **options: Any,
    ) -> Script:
        """Let sessions that start from now on hear this, whatever the audio.

        `words`: a `Script`, a text, or a list of `str` and `HeardWord`; `options` are those of
        `Script`. Gives the script that is in force.
        """
        script = words if isinstance(words, Script) else Script(words, **options)
        self._world.set_recognizer(ScriptedRecognizer(script))
        return script

    def hear_with(self, recognizer: Optional[Recognizer]) -> None:
        """Let sessions that start from now on be heard by this; `None` = the engines again.

        `NumberedRecognizer` hears audio made by `numbered_audio`: see `sandbox.numbered`.
        """
        self._world.set_recognizer(recognizer)

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
        where = "closed" if self._port is None else f"on {self._host}:{self._port}"
        return f"<Sandbox {where}>"
