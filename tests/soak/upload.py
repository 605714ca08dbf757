"""Uploads one file of 1 GiB and measures the memory of the sending process.

    python tests/soak/upload.py [--mib 1024]

The server is another process, which counts and discards the bytes. Fails if the sending process
grows by more than 32 MiB, or if the file is not received exactly once.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import resource
import socket
import sys
import tempfile
import time
from multiprocessing.connection import Connection
from typing import Any

from soniox_sync import SonioxClient

MAX_GROWTH_KIB = 32 * 1024
_ANSWER = json.dumps(
    {"id": "f1", "filename": "x", "size": 1, "created_at": "2026-01-01T00:00:00Z"}
).encode()


def serve_uploads(report: Connection) -> None:
    """Read each upload to its end, respond, and report the number of bytes."""
    listener = socket.create_server(("127.0.0.1", 0))
    report.send(listener.getsockname()[1])
    while True:
        sock, _ = listener.accept()
        with sock, sock.makefile("rb") as file:
            while _serve(sock, file, report):
                continue


def _serve(sock: socket.socket, file: Any, report: Connection) -> bool:
    size = 0
    line = file.readline()
    if not line:
        return False
    while line.strip():
        name, _, value = line.partition(b":")
        if name.lower() == b"content-length":
            size = int(value)
        line = file.readline()
    left = size
    while left:
        left -= len(file.read(min(left, 1 << 20))) or left
    sock.sendall(b"HTTP/1.1 201 Created\r\nContent-Length: %d\r\n\r\n%b" % (len(_ANSWER), _ANSWER))
    report.send(size)
    return True


def peak_kib() -> int:
    """Return the peak memory of this process."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak // 1024 if sys.platform == "darwin" else peak


def main() -> int:
    """Run the upload and return the exit code."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--mib", type=int, default=1024, help="size of the file (default: 1024)")
    size = parser.parse_args().mib * 1024 * 1024
    ours, theirs = multiprocessing.Pipe()
    server = multiprocessing.get_context("spawn").Process(
        target=serve_uploads, args=(theirs,), daemon=True
    )
    server.start()
    port = ours.recv()
    with tempfile.NamedTemporaryFile(delete=False) as file:
        file.truncate(size)
    steps: list[int] = []
    try:
        with SonioxClient("key", api_url=f"http://127.0.0.1:{port}/v1") as client:
            client.files.upload(b"warm-up")
            ours.recv()
            before, started = peak_kib(), time.monotonic()
            client.files.upload(file.name, on_progress=lambda sent, total: steps.append(sent))
            took, grown = time.monotonic() - started, peak_kib() - before
            received = ours.recv()
    finally:
        os.unlink(file.name)
        server.terminate()
        server.join()
    once = not ours.poll()
    print(
        f"{size / 2**20:.0f} MiB in {took:.1f} s ({size / 2**20 / took:.0f} MiB/s), "
        f"memory grew by {grown} KiB, {len(steps)} steps of progress, {received} bytes received"
    )
    complete = steps[-1] == size and size < received < size + 1024
    return 0 if complete and once and grown <= MAX_GROWTH_KIB else 1


if __name__ == "__main__":
    sys.exit(main())
