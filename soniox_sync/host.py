"""What the real-time services need of the client that they belong to."""

from __future__ import annotations

from typing import TYPE_CHECKING, Optional, Protocol

if TYPE_CHECKING:
    from .cancel import CancelToken
    from .config import ResolvedConnectionConfig, SttConfig, SttSessionOptions
    from .protocol.dialects import TtsDialect
    from .recording_setup import RecordingOptions
    from .sources import PermissionResolver
    from .stt import SessionObserver, SttSession
    from .transport.connect import Target

__all__ = ["RealtimeHost"]


class RealtimeHost(Protocol):
    """Is a client as `Realtime` sees it: it says where to, with which key, in which dialect."""

    _session_options: SttSessionOptions
    _buffer_queue_size: int
    _timeout: float
    _permissions: Optional[PermissionResolver]

    @property
    def _makes_new_keys(self) -> bool:
        """Tell whether another connection may get another key."""

    @property
    def _tts_dialect(self) -> TtsDialect:
        """Give the dialect of the speech service."""

    def _addresses(self, usage: str) -> ResolvedConnectionConfig:
        """Give addresses and defaults without asking for a key."""

    def _key_for(self, resolved: ResolvedConnectionConfig) -> str:
        """Ask for the key of one connection."""

    def _resolve(self, usage: str) -> tuple[ResolvedConnectionConfig, str]:
        """Give addresses, defaults and key for one connection."""

    def _target(self, url: str, key: str) -> Target:
        """Give what a connection to `url` needs."""

    def _message_key(self, key: str) -> Optional[str]:
        """Give the key if it travels in messages."""

    def _session(
        self,
        config: SttConfig,
        options: SttSessionOptions,
        cancel: Optional[CancelToken],
        observer: Optional[SessionObserver] = None,
        resolution: Optional[tuple[ResolvedConnectionConfig, str]] = None,
    ) -> SttSession:
        """Make a transcription session, not yet connected."""

    def _recording_options(self, options: RecordingOptions, config: SttConfig) -> RecordingOptions:
        """Fit the options of a recording to what the service can do. May raise."""
