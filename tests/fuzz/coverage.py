"""Which lines of the library an input reached first; 3.12 and newer tell it for next to nothing."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import CodeType
from typing import Any

_PACKAGE = str(Path(__file__).parents[2] / "soniox_sync")


class Coverage:
    """Count of the lines that were reached; each is reported once, so that it costs nothing then.

    Where the interpreter cannot tell (before 3.12), the count stays 0: inputs are then made of the
    corpus alone.
    """

    def __init__(self) -> None:
        self.lines: int = 0

    @contextmanager
    def watching(self) -> Iterator[None]:
        """Count while inside."""
        monitoring: Any = getattr(sys, "monitoring", None)
        if monitoring is None:
            yield
            return
        tool, event = monitoring.COVERAGE_ID, monitoring.events.LINE
        monitoring.use_tool_id(tool, "fuzzing")
        monitoring.register_callback(tool, event, self._line)
        monitoring.restart_events()  # what an earlier run has seen counts again
        monitoring.set_events(tool, event)
        try:
            yield
        finally:
            monitoring.set_events(tool, 0)
            monitoring.register_callback(tool, event, None)
            monitoring.free_tool_id(tool)

    def _line(self, code: CodeType, _number: int) -> Any:
        if code.co_filename.startswith(_PACKAGE):
            self.lines += 1
        return sys.monitoring.DISABLE  # type: ignore[attr-defined,unused-ignore]
