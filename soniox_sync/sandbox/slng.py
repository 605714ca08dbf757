"""The routes of the SLNG gateway: its door, and its way of speaking to our services (PROTOCOL 8).

Unlike the service the gateway refuses a bad key at the upgrade, with a text that says why. A
provider key that begins with `invalid` is refused by the service behind it: an error frame.
"""

from __future__ import annotations

from typing import Any, Optional

from .dialects import Dialect
from .problems import Problem, bad_request
from .routes import Doorkeeper, Handshake, Routes, Turndown
from .slng_bridge import BridgeSpeech, speak_whole
from .slng_dialects import PASSED_STT, PASSED_STT_V5, SPEECH, Transcripts
from .stt import SttService
from .tts import TtsService
from .world import World
from .ws import WsPeer

__all__ = ["add_gateway_routes"]

_POLICY_VIOLATION = 1008
# the bridge of the gateway knows many models; those of the service are served here
_BRIDGE = "/v1/bridges/unmute"


def add_gateway_routes(routes: Routes) -> None:
    """Serve the gateway's endpoints beside the service's own."""
    _add_speech(routes)
    for variant, factory, parts in (
        ("rt-v3", TypedTranscription, ("eu", "na")),
        ("rt-v4", PassedTranscription, ("ap", "eu", "na")),
        ("rt-v5", UntypedTranscription, ("ap", "eu", "na")),
    ):
        path = f"/v1/stt/soniox/speech-ai:{variant}"
        routes.add_socket(path, "stt", factory, _door("stt", path, *parts))
    for variant in ("rt-v3", "rt-v4", "rt-v5"):
        path = f"{_BRIDGE}/stt/soniox/speech-ai:{variant}"
        routes.add_socket(path, "stt", BridgedTranscription, _door("stt", path, "eu", "na"))


def _add_speech(routes: Routes) -> None:
    passed = "/v1/tts/soniox/tts-rt:v1"
    routes.add_socket(passed, "tts", GatewaySpeech, _door("tts", passed, "na"))
    for path in (
        "/v1/tts/soniox/tts-rt:v2",
        f"{_BRIDGE}/tts/soniox/tts-rt:v1",
        f"{_BRIDGE}/tts/soniox/tts-rt:v2",
    ):
        # where these are served is not documented
        routes.add_socket(path, "tts", BridgedSpeech, _door("tts", path))
        routes.add("POST", path, speak_whole)
    routes.add("POST", passed, speak_whole)


def _door(service: str, path: str, *parts: str) -> Doorkeeper:
    """Make the check of an upgrade: a key, and a zone in which the route is served (none: all)."""

    def check(world: World, handshake: Handshake) -> Optional[Turndown]:
        key = handshake.key if handshake.key_source == "header" else None
        try:
            world.keys.check(key, service)
        except Problem as problem:
            return Turndown(problem.code, f"SLNG gateway: {problem.message}")
        wanted = _wanted(handshake)
        if parts and wanted and not set(wanted) & set(parts):
            served = ", ".join(parts)
            return Turndown(
                400, f"SLNG gateway: {path} is served in {served}, not in {', '.join(wanted)}."
            )
        return None

    return check


def _wanted(handshake: Handshake) -> list[str]:
    """List the zones asked for; a datacenter named exactly wins over them."""
    if handshake.headers.get("x-region-override"):
        return []
    named = handshake.headers.get("x-world-part-override", "")
    return [part.strip() for part in named.split(",") if part.strip()]


def _provider_refuses(handshake: Handshake) -> bool:
    return (handshake.provider_key or "").startswith("invalid")


_BACKEND_FAILED = {
    "type": "error",
    "code": "backend_connection_failed",
    "message": "Could not connect to the provider.",
}


class GatewaySpeech(TtsService):
    """Serves speech; says `ready` first, as the gateway does now and then."""

    def __init__(self, world: World, peer: WsPeer, handshake: Handshake) -> None:
        super().__init__(world, peer, handshake, SPEECH)

    def opened(self) -> None:
        """Begin: the service behind may refuse its key."""
        super().opened()
        if _provider_refuses(self._handshake):
            self._peer.send(_BACKEND_FAILED)
            self._peer.close(1000)
        else:
            self._peer.send({"type": "ready", "session_id": self._handshake.request_id})


class BridgedSpeech(BridgeSpeech):
    """Speaks the bridge's protocol; ready once the voice is known."""

    def opened(self) -> None:
        """Begin: the service behind may refuse its key."""
        super().opened()
        if _provider_refuses(self._handshake):
            self._peer.send(_BACKEND_FAILED)
            self._peer.close(1000)


class _Transcription(SttService):
    """Serves transcription behind a provider key."""

    def opened(self) -> None:
        """Begin: the service behind may refuse its key."""
        super().opened()
        if _provider_refuses(self._handshake):
            self._failed = True
            self._peer.send(_BACKEND_FAILED)
            self._peer.close(1000)


class PassedTranscription(_Transcription):
    """Passes the service's protocol through; the start has a type, and so has the end."""

    def __init__(self, world: World, peer: WsPeer, handshake: Handshake) -> None:
        super().__init__(world, peer, handshake, PASSED_STT)

    def text(self, text: str) -> None:
        """Take a message; an empty one is the service's end, not this route's."""
        if text:
            super().text(text)
        else:
            self.fail(bad_request("The gateway ends a stream with a message of empty type."))


class UntypedTranscription(_Transcription):
    """Passes the service's protocol through as it is; a type in the start is refused."""

    def __init__(self, world: World, peer: WsPeer, handshake: Handshake) -> None:
        super().__init__(world, peer, handshake, PASSED_STT_V5)


class TypedTranscription(_Transcription):
    """Speaks the gateway's own protocol, audio as base64 after `ready`."""

    _utterance_ends = False

    def __init__(self, world: World, peer: WsPeer, handshake: Handshake) -> None:
        transcripts = Transcripts(utterance_ends=self._utterance_ends)
        super().__init__(
            world, peer, handshake, Dialect("slng typed", transcripts.decode, transcripts.encode)
        )

    def binary(self, data: bytes) -> None:
        """Refuse: audio is wrapped in JSON here."""
        self.fail(bad_request("Audio must be sent as messages of type audio."))

    def _start(self, message: Any) -> None:
        super()._start(message)
        self._peer.send({"type": "ready", "session_id": self._handshake.request_id})

    def _take_audio(self, data: bytes) -> None:
        if self._worker is None:
            self._peer.close(_POLICY_VIOLATION, "audio before ready")
        else:
            super()._take_audio(data)


class BridgedTranscription(TypedTranscription):
    """Speaks the bridge's protocol: the same, with binary audio and ends of utterances."""

    _utterance_ends = True

    def binary(self, data: bytes) -> None:
        """Take audio."""
        self._guarded(self._take_audio, data)
