"""Child processes: the fake server, and one worker for each client."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path
from types import TracebackType
from typing import Any, Dict, List, Optional, Type

_ROOT = Path(__file__).resolve().parents[2]
# the slowest row, 150 MB read by the slowest client after a pause, takes a tenth of this
_JOB_TIMEOUT_SEC = 120.0


class ClientFailure(Exception):
    """A client failed; the message says why."""


class Child:
    """A Python process with JSON lines on its standard streams; it ends when they close."""

    def __init__(self, module: str, *arguments: str) -> None:
        command = [sys.executable, "-m", module, *arguments]
        environment = {**os.environ, "PYTHONPATH": str(_ROOT)}
        self._process = subprocess.Popen(
            command,
            cwd=_ROOT,
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def write(self, message: Dict[str, Any]) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(message) + "\n")
        self._process.stdin.flush()

    def read(self) -> Dict[str, Any]:
        assert self._process.stdout is not None
        watchdog = threading.Timer(_JOB_TIMEOUT_SEC, self._process.kill)
        watchdog.start()
        line = self._process.stdout.readline()
        watchdog.cancel()
        if not line:
            code = self._process.wait()
            raise ClientFailure(f"its process ended ({_exit_reason(code)})")
        message: Dict[str, Any] = json.loads(line)
        return message

    @property
    def pid(self) -> int:
        """Number of the process."""
        return self._process.pid

    def close(self) -> None:
        assert self._process.stdin is not None and self._process.stdout is not None
        self._process.stdin.close()
        self._process.stdout.close()
        try:
            self._process.wait(timeout=2.0)  # threads that a client leaves running may hold it up
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()


def _exit_reason(code: int) -> str:
    return f"status {code}" if code >= 0 else signal.Signals(-code).name


class Server(Child):
    """The fake server."""

    def __init__(self, certificate: str) -> None:
        super().__init__("tests.bench.server", "--certificate", certificate)
        self._ports = self.read()

    def url(self, scheme: str, path: str) -> str:
        """Return the URL of a scenario."""
        return f"{scheme}://127.0.0.1:{self._ports[scheme]}{path}"


class Worker(Child):
    """Process of one client.

    Raises
        ClientFailure: the client cannot be imported.
    """

    def __init__(self, name: str, cafile: str, module: str = "tests.bench.worker") -> None:
        super().__init__(module, "--client", name, "--cafile", cafile)
        hello = self.read()
        if "error" in hello:
            self.close()
            raise ClientFailure(hello["error"])

    def run(self, work: str, options: Dict[str, Any]) -> Dict[str, float]:
        """Run one workload.

        Raises
            ClientFailure: the workload failed.
        """
        self.write({"work": work, "options": options})
        answer = self.read()
        if "error" in answer:
            raise ClientFailure(answer["error"])
        numbers: Dict[str, float] = answer["numbers"]
        return numbers


class Fleet:
    """The server, and a long-lived worker for each client that can be imported."""

    def __init__(self, names: List[str], certificate: str, cafile: str) -> None:
        self._cafile = cafile
        self.server = Server(certificate)
        self.workers: Dict[str, Worker] = {}
        self.missing: Dict[str, str] = {}
        for name in names:
            self._start(name)

    def _start(self, name: str) -> None:
        try:
            self.workers[name] = Worker(name, self._cafile)
        except ClientFailure as exc:
            self.missing[name] = str(exc)

    def run(self, name: str, work: str, options: Dict[str, Any], fresh: bool) -> Dict[str, float]:
        """Run one workload in one client, in a new process if ``fresh``.

        Raises
            ClientFailure: the workload failed; the client's process is replaced.
        """
        if fresh:
            worker = Worker(name, self._cafile)
            try:
                return worker.run(work, options)
            finally:
                worker.close()
        try:
            return self.workers[name].run(work, options)
        except ClientFailure:
            self.workers.pop(name).close()
            self._start(name)
            raise

    def __enter__(self) -> Fleet:
        return self

    def __exit__(
        self,
        kind: Optional[Type[BaseException]],
        error: Optional[BaseException],
        trace: Optional[TracebackType],
    ) -> None:
        for worker in self.workers.values():
            worker.close()
        self.server.close()
