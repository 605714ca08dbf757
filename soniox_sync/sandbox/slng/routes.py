"""Routes of the SLNG gateway, and its checks at the upgrade (PROTOCOL 8).

Unlike the service, the gateway refuses a bad key at the upgrade, with an explanation as text. A
provider key that starts with `invalid` is refused by the service behind it, with an error frame.
"""

from __future__ import annotations

import re
from functools import partial
from typing import Any, Optional

from ..dialects import Dialect
from ..problems import Problem, bad_request
from ..schedule import Refusal
from ..server.routes import Handshake, Routes, UpgradeCheck
from ..server.ws import WsPeer
from ..stt.session import SttService
from ..tts.connection import TtsService
from ..world import World
from .bridge import BRIDGE, BridgeSpeech, speak_whole
from .dialects import PASSED_STT, PASSED_STT_V5, SPEECH, Transcripts

__all__ = ["add_gateway_routes"]

_POLICY_VIOLATION = 1008
# ids of the user's for the gateway's reports (PROTOCOL 8.1)
_TRACKING = ("x-slng-agent-id", "x-slng-session-id")
_TRACKING_ID = re.compile(r"[^,\x00-\x1f\x7f]{1,128}")


def add_gateway_routes(routes: Routes, world: World) -> None:
    """Add the gateway's endpoints to the service's own."""
    _add_speech(routes, world)
    check = _upgrade_check(world, "stt")
    for variant, factory in (
        ("rt-v3", WrappedTranscription),
        ("rt-v4", PassedTranscription),
        ("rt-v5", UntypedTranscription),
    ):
        path = f"/v1/stt/soniox/speech-ai:{variant}"
        routes.add_socket(path, "stt", partial(factory, world), check)
        path = f"{BRIDGE}/stt/soniox/speech-ai:{variant}"
        routes.add_socket(path, "stt", partial(BridgedTranscription, world), check)


def _add_speech(routes: Routes, world: World) -> None:
    passed = "/v1/tts/soniox/tts-rt:v1"
    check = _upgrade_check(world, "tts")
    routes.add_socket(passed, "tts", partial(GatewaySpeech, world), check)
    routes.add("POST", passed, partial(speak_whole, world))
    for path in (
        "/v1/tts/soniox/tts-rt:v2",
        f"{BRIDGE}/tts/soniox/tts-rt:v1",
        f"{BRIDGE}/tts/soniox/tts-rt:v2",
    ):
        routes.add_socket(path, "tts", partial(BridgedSpeech, world), check)
        routes.add("POST", path, partial(speak_whole, world))


def _upgrade_check(world: World, service: str) -> UpgradeCheck:
    """Return the check for an upgrade: the key, and the ids for reports.

    Every zone is served: the lists in the documents differ.
    """

    def check(handshake: Handshake) -> Optional[Refusal]:
        key = handshake.key if handshake.key_source == "header" else None
        try:
            world.keys.check(key, service)
        except Problem as problem:
            return _refusal(problem.code, problem.message)
        for name in _TRACKING:
            given = handshake.headers.get(name)
            if given is not None and not _TRACKING_ID.fullmatch(given):
                return _refusal(400, f"{name}: expected 1 to 128 characters without commas.")
        return None

    return check


def _refusal(status: int, message: str) -> Refusal:
    return Refusal(status, body=f"SLNG gateway: {message}".encode())


_BACKEND_FAILED = {
    "type": "error",
    "code": "backend_connection_failed",
    "message": "Could not connect to the provider.",
}


def _open_backend(peer: WsPeer, handshake: Handshake) -> bool:
    """Return whether the service behind the gateway accepts the provider key; if not, close."""
    if not (handshake.provider_key or "").startswith("invalid"):
        return True
    peer.send(_BACKEND_FAILED)
    peer.close(1000)
    return False


class GatewaySpeech(TtsService):
    """Serves speech; sends `ready` first, as the gateway sometimes does."""

    def __init__(self, world: World, peer: WsPeer, handshake: Handshake) -> None:
        super().__init__(world, peer, handshake, SPEECH)

    def opened(self) -> None:
        """Start, unless the service behind refuses its key."""
        super().opened()
        if _open_backend(self.peer, self.handshake):
            self.peer.send({"type": "ready", "session_id": self.handshake.request_id})


class BridgedSpeech(BridgeSpeech):
    """Serves speech over the bridge; `ready` answers its `init`."""

    def opened(self) -> None:
        """Start, unless the service behind refuses its key."""
        super().opened()
        _open_backend(self.peer, self.handshake)


class _Transcription(SttService):
    """Serves transcription behind a provider key."""

    def opened(self) -> None:
        """Start, unless the service behind refuses its key."""
        super().opened()
        _open_backend(self.peer, self.handshake)


class PassedTranscription(_Transcription):
    """Passes the service's protocol through, except that start and end have a type."""

    def __init__(self, world: World, peer: WsPeer, handshake: Handshake) -> None:
        super().__init__(world, peer, handshake, PASSED_STT)

    def text(self, text: str) -> None:
        """Handle a message; an empty one ends audio at the service, but not on this route."""
        if text:
            super().text(text)
        else:
            self.fail(bad_request("The gateway ends a stream with a message of empty type."))


class UntypedTranscription(_Transcription):
    """Passes the service's protocol through unchanged; a type in the start is refused."""

    def __init__(self, world: World, peer: WsPeer, handshake: Handshake) -> None:
        super().__init__(world, peer, handshake, PASSED_STT_V5)


class BridgedTranscription(_Transcription):
    """Implements the gateway's own protocol, with binary audio and ends of utterances."""

    utterance_ends = True

    def __init__(self, world: World, peer: WsPeer, handshake: Handshake) -> None:
        transcripts = Transcripts(utterance_ends=self.utterance_ends)
        super().__init__(
            world, peer, handshake, Dialect("slng typed", transcripts.decode, transcripts.encode)
        )

    def start(self, message: Any) -> None:
        """Start the session and send `ready`."""
        super().start(message)
        self.peer.send({"type": "ready", "session_id": self.handshake.request_id})

    def take_audio(self, data: bytes) -> None:
        """Accept audio; before `ready` it is a policy violation."""
        if self.worker is None:
            self.peer.close(_POLICY_VIOLATION, "audio before ready")
        else:
            super().take_audio(data)


class WrappedTranscription(BridgedTranscription):
    """Implements the gateway's own protocol, with base64 audio and without ends of utterances."""

    utterance_ends = False

    def binary(self, data: bytes) -> None:
        """Refuse it: audio is wrapped in JSON here."""
        self.fail(bad_request("Audio must be sent as messages of type audio."))
