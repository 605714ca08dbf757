"""`speak()`: speech of any text, however long and however slowly it comes.

The service ends streams for many reasons (PROTOCOL 3.4, 3.5). `planner` keeps below them, without
clock or I/O; `engine` is the thread that does what it says; `Speech` is what users hold.
"""

from __future__ import annotations

from .opening import open_speech
from .speech import Speech, SpeechMetrics

__all__ = ["Speech", "SpeechMetrics", "open_speech"]
