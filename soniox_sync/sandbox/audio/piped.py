"""Encoding by a program of this machine: AAC by ffmpeg."""

from __future__ import annotations

import io
import shutil
import subprocess
import threading
from collections.abc import Sequence
from typing import IO, Optional

from ..._support.locks import new_lock
from ..problems import Problem, bad_request

__all__ = ["PipedEncoder", "aac_command"]

_PROGRAM = "ffmpeg"
# for the rest of a stream, which takes milliseconds: longer only if the program hangs
_END_SEC = 10.0
# from the end of its pipes to the end of the program
_EXIT_SEC = 1.0
_CHUNK = 64 * 1024


def aac_command(sample_rate: int, bitrate: int) -> list[str]:
    """Return the command that encodes s16le mono on its stdin, as AAC in ADTS frames.

    Raises
        Problem: 400 if the program is not installed.
    """
    program = shutil.which(_PROGRAM)
    if program is None:
        raise bad_request(
            f"The sandbox needs {_PROGRAM} to write aac: install it so that it is found in PATH. "
            "wav and pcm_* need nothing."
        )
    source = ["-f", "s16le", "-ar", str(sample_rate), "-ac", "1", "-i", "pipe:0"]
    target = ["-c:a", "aac", "-b:a", str(bitrate), "-flush_packets", "1", "-f", "adts", "pipe:1"]
    return [program, "-hide_banner", "-loglevel", "error", *source, *target]


class PipedEncoder:
    """Encoder that is a program with pipes, started with the first samples. Not thread-safe.

    A thread of its own takes the output, or both pipes would fill up and both sides wait.
    """

    def __init__(self, command: Sequence[str]) -> None:
        self._command = command
        self._process: Optional[subprocess.Popen[bytes]] = None
        self._reader: Optional[threading.Thread] = None
        # Guards _ready. Leaf.
        self._lock = new_lock()
        self._ready = bytearray()

    def feed(self, pcm: bytes) -> bytes:
        """Encode samples; return what the program has written by now.

        Raises
            Problem: 500 if the program has failed.
        """
        if pcm:
            process = self._process or self._start()
            try:
                _input(process).write(pcm)
                _input(process).flush()
            except OSError:
                raise self._failure(process) from None
        return self._take()

    def finish(self) -> bytes:
        """Return the rest, once the program has ended.

        Raises
            Problem: 500 if the program has failed.
        """
        process = self._process
        if process is None:  # there were no samples
            return b""
        try:
            _input(process).close()
            failed = process.wait(_END_SEC) != 0
        except (OSError, subprocess.TimeoutExpired):
            failed = True
        if failed:
            raise self._failure(process)
        if self._reader is not None:
            self._reader.join()
        return self._take()

    def close(self) -> None:
        """End the program, if it still runs. Idempotent."""
        process = self._process
        if process is None:
            return
        process.kill()
        process.wait()
        if self._reader is not None:
            self._reader.join()
        for pipe in (process.stdin, process.stdout, process.stderr):
            try:
                if pipe is not None:
                    pipe.close()
            except OSError:
                continue  # samples that the program did not take

    def _start(self) -> subprocess.Popen[bytes]:
        pipe = subprocess.PIPE
        try:
            process = subprocess.Popen(self._command, stdin=pipe, stdout=pipe, stderr=pipe)
        except OSError as error:
            raise Problem("internal_error", f"{_PROGRAM} cannot be run: {error}") from error
        self._process = process
        self._reader = threading.Thread(
            target=self._read_all,
            args=(process.stdout,),
            name="soniox-sandbox-encoder",
            daemon=True,
        )
        self._reader.start()
        return process

    def _read_all(self, output: io.BufferedReader) -> None:
        while data := output.read1(_CHUNK):
            with self._lock:
                self._ready += data

    def _take(self) -> bytes:
        with self._lock:
            data = bytes(self._ready)
            self._ready.clear()
        return data

    def _failure(self, process: subprocess.Popen[bytes]) -> Problem:
        try:
            code = process.wait(_EXIT_SEC)  # closed pipes are seen before the end
        except subprocess.TimeoutExpired:
            process.kill()
            code = process.wait()
        said = b"" if process.stderr is None else process.stderr.read()
        lines = said.decode("utf-8", "replace").split("\n")
        reason = next((line for line in reversed(lines) if line.strip()), f"exit code {code}")
        return Problem("internal_error", f"{_PROGRAM} failed: {reason.strip()[:200]}")


def _input(process: subprocess.Popen[bytes]) -> IO[bytes]:
    if process.stdin is None:
        raise OSError("closed")
    return process.stdin
