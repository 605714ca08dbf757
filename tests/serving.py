"""Runs servers of `examples/` in their own process, with a sandbox as their service."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Optional

from soniox_sync.sandbox import Sandbox

EXAMPLES = Path(__file__).parent.parent / "examples"
# Imports are slow on a loaded machine; a server that takes longer hangs.
START_SEC = 60.0
# A server that takes longer to end is killed; workers need seconds on a loaded machine.
END_SEC = 30.0


def service_environment(sandbox: Sandbox) -> dict[str, str]:
    """Return the environment of a program that uses `sandbox`; no key is inherited."""
    urls = sandbox.urls
    environment = {k: v for k, v in os.environ.items() if not k.startswith("SONIOX_")}
    environment.update(
        SONIOX_API_KEY=sandbox.api_key,
        SONIOX_API_BASE_URL=urls.api,
        SONIOX_WS_URL=urls.stt,
        SONIOX_TTS_API_URL=urls.tts_api,
        SONIOX_TTS_WS_URL=urls.tts,
        PYTHONUNBUFFERED="1",
        PYTHONIOENCODING="utf-8",
        PYTHONDONTWRITEBYTECODE="1",
        PYTHONWARNINGS="default",
    )
    return environment


class ServerProcess:
    """`python arguments...`, run until the `with` block ends; its output is kept.

    `ready` matches a line that it prints once it serves; the group in it, if any, is its port.
    """

    def __init__(
        self,
        arguments: Sequence[str],
        environment: Mapping[str, str],
        *,
        ready: str = r"Running on http://127\.0\.0\.1:(\d+)",
        where: Optional[Path] = None,
    ) -> None:
        self._ready = re.compile(ready)
        self._started = threading.Event()
        # Appended to by the reading thread only.
        self.lines: list[str] = []
        # Guards the wait for a line.
        self._printed = threading.Condition()
        self._port: Optional[str] = None
        self.was_killed = False  # it did not end after the signal
        self._process = subprocess.Popen(
            [sys.executable, *arguments],
            cwd=where,
            env=dict(environment),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            encoding="utf-8",
            errors="replace",
        )
        self._reader = threading.Thread(target=self._read, name="server-output")
        self._reader.start()

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            with self._printed:
                self.lines.append(line.rstrip())
                self._printed.notify_all()
            found = self._ready.search(line)
            if found and not self._started.is_set():
                self._port = found[1] if found.groups() else None
                self._started.set()
        self._started.set()  # it ended: stop waiting

    @property
    def pid(self) -> int:
        """Process id."""
        return self._process.pid

    @property
    def output(self) -> str:
        """Output so far."""
        return "\n".join(self.lines)

    @property
    def url(self) -> str:
        """URL of the server."""
        return f"http://127.0.0.1:{self._port}"

    def wait_for(self, part: str, timeout_sec: float = START_SEC, *, times: int = 1) -> None:
        """Wait until the output contains `part`, so many times."""
        with self._printed:
            if not self._printed.wait_for(lambda: self.output.count(part) >= times, timeout_sec):
                raise AssertionError(f"it never printed {part!r}:\n{self.output}")

    def close(self, sign: signal.Signals = signal.SIGTERM) -> None:
        """End the process and read the rest of its output."""
        self._process.send_signal(sign)
        try:
            self._process.wait(END_SEC)
        except subprocess.TimeoutExpired:
            self.was_killed = True
            self._process.kill()
            self._process.wait()
        self._reader.join()
        if self._process.stdout is not None:
            self._process.stdout.close()

    def __enter__(self) -> ServerProcess:
        self._started.wait(START_SEC)
        if self._process.poll() is not None or not self._started.is_set():
            self.close()
            raise AssertionError(f"it does not serve:\n{self.output}")
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()
