"""The parts of a recording, and what can be asked of it at any time."""

from __future__ import annotations

import random
from collections import deque
from typing import Callable, Optional, Union

from ..config.recording import RecordingOptions
from ..protocol.tokens import SttEvent
from . import actions
from .actions import Notice, RecorderContext, RecordingState
from .events import EventMerger
from .finalizing import FinalizeRequests
from .holding import Holding
from .lifecycle import Lifecycle
from .restarting import ContainerRestart
from .retry import Retry
from .rotation import Rotation, TranslationWatchdog
from .sessions import Sessions
from .settled import Settled
from .uplink import Uplink


class RecorderParts:
    """Base of `Recorder`, which changes these parts: none of them knows when to do what.

    `Lifecycle` (state, end), `Sessions`, `Uplink` (outgoing audio), `EventMerger` (incoming
    results), `Retry`, `Rotation`, `FinalizeRequests`, `Holding`.
    """

    def __init__(
        self,
        options: RecordingOptions,
        context: RecorderContext,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        self._options = options
        self._context = context
        self._lifecycle = Lifecycle()
        self._uplink = Uplink(options, can_wait=context.can_wait)
        self._sessions = Sessions()
        self._events = EventMerger()
        self._merger = self._events.merger
        self._finalizing = FinalizeRequests()
        patience_sec = context.finish_timeout_sec
        self._holding = Holding(self._uplink, self._merger, self._finalizing, patience_sec)
        self._retry = Retry(options, context.new_key_possible, jitter)
        self._restart = ContainerRestart(self._uplink, self._merger, is_live=not context.can_wait)
        self._rotation = Rotation(options.rotate_after_sec)
        self._watchdog = TranslationWatchdog(options.translation_watchdog)
        # decided already; done before anything else
        self._actions: deque[actions.Action] = deque()
        parts = (self._lifecycle, self._sessions, self._uplink, self._finalizing, self._holding)
        settled = Settled(*parts, self._rotation, self._watchdog, self._actions)
        # both are called for each event: one call less
        self.is_settled: Callable[[], bool] = settled.holds
        # returns the events and notices for the user that are new since the last call, in order
        self.take_notices: Callable[[], list[Union[SttEvent, Notice]]] = (
            self._lifecycle.take_notices
        )
        # where the audio of the next session starts; `None` before the first session
        self._resume_from_ms: Optional[int] = None

    @property
    def state(self) -> RecordingState:
        """Current state."""
        return self._lifecycle.state

    @property
    def is_paused(self) -> bool:
        """Whether captured audio is discarded."""
        return self._lifecycle.is_paused

    @property
    def has_audio(self) -> bool:
        """Whether any audio was captured."""
        return self._uplink.end > 0

    @property
    def must_wait(self) -> bool:
        """Whether a source that can wait has to, before it delivers more audio."""
        return self.is_paused or self._holding.must_wait

    @property
    def held_bytes(self) -> int:
        """Bytes of audio kept in memory."""
        return self._uplink.held_bytes

    @property
    def lost_ms(self) -> int:
        """Milliseconds of audio that had to be dropped."""
        return self._uplink.lost_ms
