"""TLS in front of a plain server, for any number of connections, on one asyncio thread."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
import threading

# generous, for a loaded machine
START_SEC = 30.0


class TlsFront:
    """TLS proxy on loopback that forwards everything to `port` until the `with` block ends."""

    def __init__(self, port: int, context: ssl.SSLContext) -> None:
        self._to, self._context = port, context
        self.port = 0
        self.connections = 0
        self._ready = threading.Event()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run, name="tls-front")

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        with contextlib.suppress(asyncio.CancelledError):
            self._loop.run_until_complete(self._serve())
        self._loop.close()

    async def _serve(self) -> None:
        self._main = asyncio.current_task()
        server = await asyncio.start_server(self._forward, "127.0.0.1", 0, ssl=self._context)
        self.port = server.sockets[0].getsockname()[1]
        self._ready.set()
        try:
            await asyncio.Event().wait()
        finally:
            server.close()
            others = [task for task in asyncio.all_tasks() if task is not self._main]
            for task in others:
                task.cancel()
            await asyncio.gather(*others, return_exceptions=True)

    async def _forward(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        inner_reader, inner_writer = await asyncio.open_connection("127.0.0.1", self._to)
        try:
            ways = (_pump(reader, inner_writer), _pump(inner_reader, writer))
            await asyncio.gather(*ways)
        finally:
            writer.close()
            inner_writer.close()

    def __enter__(self) -> TlsFront:
        self._thread.start()
        assert self._ready.wait(START_SEC)
        return self

    def __exit__(self, *exc_info: object) -> None:
        assert self._main is not None
        self._loop.call_soon_threadsafe(self._main.cancel)
        self._thread.join()


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Forward one direction until its end, then close the other side."""
    try:
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
    except OSError:
        pass  # one side was cut off: close the other
    finally:
        writer.close()
