"""What a recording requests before it starts: its config and the microphone's permission."""

from __future__ import annotations

import sys
from typing import Any, Optional

import pytest

from soniox_sync import SonioxClient
from soniox_sync.errors import AudioPermissionError, AudioUnavailableError, InputTypeError
from soniox_sync.sandbox import Sandbox
from soniox_sync.sources import IterableSource, PermissionResult, PermissionStatus

RAW = {"audio_format": "pcm_s16le", "sample_rate": 16000, "num_channels": 1}


def test_the_config_callable_is_called_once_per_session() -> None:
    """A recording of two sessions calls for its configuration twice, and for two keys."""
    with Sandbox(engines="tones") as sandbox:
        asked: list[str] = []
        keys: list[str] = []

        def key() -> str:
            keys.append(f"key-{len(keys)}")
            return keys[-1]

        def config(context: Any) -> dict[str, Any]:
            asked.append(context.usage)
            return {"stt_ws_url": sandbox.urls.stt, "api_key": key}

        sandbox.faults.drop(kind="stt", after_audio_ms=1000)
        client = SonioxClient(config=config)
        source = IterableSource([bytes(3200)] * 30)
        with client.realtime.record(
            source=source, auto_reconnect=True, reconnect_base_delay_sec=0.01, **RAW
        ) as recording:
            for _ in recording:
                pass
        assert asked == ["transcribe_websocket"] * 2
        assert len(keys) == 2


@pytest.mark.parametrize("given", [0, "", [], False, lambda resolved: None])
def test_session_config_of_a_wrong_type_is_refused(given: Any) -> None:
    """An empty value of another type, and a callable that returns nothing, are no configuration."""
    client = SonioxClient(api_key="key", config={"stt_ws_url": "ws://127.0.0.1:1"})
    with pytest.raises(InputTypeError, match="session_config"):
        client.realtime.record(source=IterableSource([]), session_config=given, **RAW).start()


def test_a_session_config_that_has_to_be_awaited_is_refused_with_advice() -> None:
    """What a plain function returns is looked at, too: a coroutine is closed, and named."""

    async def asked() -> dict[str, str]:
        return {}

    client = SonioxClient(api_key="key", config={"stt_ws_url": "ws://127.0.0.1:1"})
    coroutine: Any = asked()
    with pytest.raises(InputTypeError, match=r"session_config: .*there is no event loop here"):
        client.realtime.record(
            source=IterableSource([]), session_config=lambda resolved: coroutine, **RAW
        ).start()
    assert coroutine.cr_frame is None


class Resolver:
    """Resolver with prepared answers, which records its calls."""

    def __init__(self, check: tuple[str, bool], request: Optional[str] = None) -> None:
        self.asked: list[str] = []
        self._check = check
        self._request = request

    def check(self, name: str) -> PermissionResult:
        """Return the state of the permission."""
        self.asked.append(f"check {name}")
        return PermissionResult(PermissionStatus(self._check[0]), self._check[1])

    def request(self, name: str) -> PermissionResult:
        """Ask for the permission."""
        self.asked.append(f"request {name}")
        return PermissionResult(PermissionStatus(self._request or self._check[0]), False)


@pytest.mark.parametrize(
    ("resolver", "error", "asked"),
    [
        (Resolver(("denied", False)), AudioPermissionError, ["check microphone"]),
        (
            Resolver(("prompt", True), "denied"),
            AudioPermissionError,
            ["check microphone", "request microphone"],
        ),
        (Resolver(("unavailable", False)), AudioUnavailableError, ["check microphone"]),
    ],
)
def test_a_refused_microphone_is_not_opened(
    resolver: Resolver, error: type[Exception], asked: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The client's resolver is asked first; without its consent nothing is imported or opened."""
    monkeypatch.setitem(sys.modules, "sounddevice", None)
    client = SonioxClient("key", permissions=resolver, stt_ws_url="ws://127.0.0.1:9")
    with pytest.raises(error, match="permissions="):
        client.realtime.record()
    assert resolver.asked == asked


def test_other_sources_need_no_permission() -> None:
    """A recording of another source does not ask the resolver."""
    resolver = Resolver(("denied", False))
    with Sandbox(engines="tones") as sandbox:
        client = sandbox.client(permissions=resolver)
        source = IterableSource([bytes(3200)] * 3)
        with client.realtime.record(source=source, **RAW) as recording:
            assert [event.kind for event in recording][-1] == "finished"
    assert resolver.asked == []
