"""`speak()`: speech of any text, however long it is and however slowly it arrives.

The service ends streams for many reasons (PROTOCOL 3.4, 3.5). `planner` stays within these limits,
without clock or I/O; `engine` is the thread that carries out its plan; `Speech` is the user's
object.
"""

from __future__ import annotations

from .opening import open_speech
from .speech import Speech, SpeechMetrics

__all__ = ["Speech", "SpeechMetrics", "open_speech"]
