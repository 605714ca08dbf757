"""The same loads with the asynchronous classes of the ``soniox`` package, in one event loop."""

from __future__ import annotations

import asyncio
import contextlib
import math
import time
from typing import Any, AsyncContextManager, AsyncIterator, Awaitable, Callable, Dict, List

from tests.bench.capacity.loads import SENTENCE, STREAMS_A_CONNECTION
from tests.bench.capacity.meter import AUDIO_BYTES, START_SEC, Ear, Window, all_started, paced
from tests.bench.clients.official import stt_config, tts_config

Load = Callable[[int, Ear, asyncio.Event], Awaitable[None]]


def measure(
    name: str,
    url: str,
    count: int,
    warm_sec: float,
    seconds: float,
    others_cpu: Callable[[], float],
) -> Dict[str, float]:
    """Run the load ``name`` in ``count`` tasks; see `meter.threaded`."""
    ears = [Ear() for _ in range(count)]
    window = Window(ears, others_cpu)

    async def run() -> Dict[str, float]:
        from soniox import AsyncSonioxClient

        client = AsyncSonioxClient(
            api_key="bench", websocket_base_url=url, tts_websocket_base_url=url
        )
        async with _LOADS[name](client, count) as load:
            ending = asyncio.Event()
            tasks = [asyncio.ensure_future(load(i, ears[i], ending)) for i in range(count)]
            waits = asyncio.ensure_future(_measured(window, ears, warm_sec, seconds))
            # an error of one of them ends the wait; none of them ends by itself
            await asyncio.wait([waits, *tasks], return_when=asyncio.FIRST_COMPLETED)
            ending.set()
            await asyncio.gather(*tasks)
            return await waits

    return asyncio.run(run())


async def _measured(
    window: Window, ears: List[Ear], warm_sec: float, seconds: float
) -> Dict[str, float]:
    deadline = time.monotonic() + START_SEC
    while not all_started(ears):
        if time.monotonic() > deadline:
            raise RuntimeError("not all of them have begun")
        await asyncio.sleep(0.05)
    await asyncio.sleep(warm_sec)
    window.start()
    await asyncio.sleep(seconds)
    return window.end()


@contextlib.asynccontextmanager
async def _sessions(client: Any, count: int) -> AsyncIterator[Load]:
    audio = bytes(range(256)) * (AUDIO_BYTES // 256)

    async def send(session: Any, index: int, ending: asyncio.Event) -> None:
        for due in paced(index, count):
            await asyncio.sleep(max(0.0, due - time.monotonic()))
            if ending.is_set():
                break
            await session.send_byte_chunk(audio)
        await session.finish()

    async def work(index: int, ear: Ear, ending: asyncio.Event) -> None:
        async with client.realtime.stt.connect(config=stt_config()) as session:
            sender = asyncio.ensure_future(send(session, index, ending))
            async for event in session.receive_events():
                ear.tokens(event.tokens)
            await sender

    yield work


async def _heard(ear: Ear, started_ns: int, chunks: AsyncIterator[bytes]) -> None:
    is_first = True
    async for chunk in chunks:
        if is_first and chunk:
            ear.firsts_ns.append(time.monotonic_ns() - started_ns)
            is_first = False
        ear.audio(chunk)


@contextlib.asynccontextmanager
async def _streams(client: Any, count: int) -> AsyncIterator[Load]:
    async def work(index: int, ear: Ear, ending: asyncio.Event) -> None:
        while not ending.is_set():
            started_ns = time.monotonic_ns()
            async with client.realtime.tts.connect(config=tts_config("b0")) as stream:
                await stream.send_text_chunk(SENTENCE, text_end=True)
                await _heard(ear, started_ns, stream.receive_audio_chunks())

    yield work


@contextlib.asynccontextmanager
async def _shared(client: Any, count: int) -> AsyncIterator[Load]:
    async with contextlib.AsyncExitStack() as stack:
        needed = math.ceil(count / STREAMS_A_CONNECTION)
        connect = client.realtime.tts.connect_multi_stream
        connections = [await stack.enter_async_context(connect()) for _ in range(needed)]

        async def work(index: int, ear: Ear, ending: asyncio.Event) -> None:
            connection, number = connections[index // STREAMS_A_CONNECTION], 0
            while not ending.is_set():
                started_ns = time.monotonic_ns()
                number += 1
                config = tts_config(f"{index}-{number}")
                stream = await connection.open_stream(config=config)
                await stream.send_text_chunk(SENTENCE, text_end=True)
                await _heard(ear, started_ns, stream.receive_audio_chunks())

        yield work


_LOADS: Dict[str, Callable[[Any, int], AsyncContextManager[Load]]] = {
    "stt": _sessions,
    "tts": _streams,
    "pool": _shared,
}
