"""`POST /tts`: speech as one chunked body (PROTOCOL 4)."""

from __future__ import annotations

import itertools
import time
from collections.abc import Generator, Iterator
from typing import Any, Callable, Optional

from ..audio.encoders import Encoder, open_encoder
from ..limits import Limits
from ..problems import bad_request
from ..server.routes import Answer, Request
from ..usage import StreamUsage
from ..world import World
from .config import TtsConfig, read_config, text_too_long
from .narrate import Frame, Narrator

__all__ = ["generate_speech"]

WaitGone = Callable[[Optional[float]], bool]


def generate_speech(world: World, request: Request) -> Answer:
    """Check a request, then speak while the body is sent.

    Raises
        Problem: a wrong key or field, an exceeded limit, or the engine fails on the first words.
    """
    accepted = world.keys.check(request.key, "tts")
    body = request.json()
    config = read_config(body, world.cloned_voices)
    text = _read_text(body, world.limits)
    world.keys.use(accepted)
    release_quota = world.quota.begin_stream("tts")
    reference = accepted.rule.client_reference_id or body.get("client_reference_id")
    usage = world.usage.begin_stream("tts", config.model, reference)

    def release() -> None:
        usage.end()
        release_quota()

    try:
        audio = _speak(world, config, text, usage, release, request.wait_gone)
        # the first chunk comes before the status: an immediate failure is still an error response
        first = next(audio)
    except BaseException:
        release()
        raise
    headers = {"X-Request-Id": request.request_id}
    return Answer(200, _Body(first, audio, release), config.row.content_type, headers)


def _read_text(body: dict[str, Any], limits: Limits) -> str:
    text = body.get("text")
    if text is None or text == "":
        raise bad_request("Missing required field: text")
    if not isinstance(text, str):
        raise bad_request("Invalid message format")
    limit = limits.tts_max_text_bytes
    if limit is not None and len(text.encode("utf-8", "surrogatepass")) > limit:
        raise text_too_long(limit)
    return text


def _speak(
    world: World,
    config: TtsConfig,
    text: str,
    usage: StreamUsage,
    release: Callable[[], None],
    wait_gone: WaitGone,
) -> Generator[bytes, None, None]:
    """Yield encoded audio at the sandbox's pace; truncate it silently at the limit of a stream."""
    limits = world.limits
    encoder = open_encoder(config.audio_format, config.sample_rate, config.bitrate)
    narrator = Narrator(
        world.engines.synthesizer,
        config,
        frame_ms=limits.tts_chunk_ms,
        limit_sec=limits.tts_max_audio_sec,
    )
    try:
        yield from _paced(narrator.say(text), encoder, limits, wait_gone)
        yield encoder.finish()
        usage.charge(output_audio_ms=round(narrator.audio_sec * 1000), input_chars=len(text))
    finally:
        encoder.close()
        release()


def _paced(
    frames: Iterator[Frame], encoder: Encoder, limits: Limits, wait_gone: WaitGone
) -> Iterator[bytes]:
    """Yield audio no faster than the sandbox's pace, until the client or the sandbox is gone."""
    delay = limits.tts_first_audio_delay_sec
    if delay and wait_gone(delay):
        return
    due = 0.0
    for frame in frames:
        now = time.monotonic()
        if limits.tts_pace is not None:
            if due > now and wait_gone(due - now):
                return
            due = max(due, now) + frame.sec / limits.tts_pace
        data = encoder.feed(frame.pcm)
        if data:
            yield data


class _Body:
    """Body of the response; releases the account's quota, however it ends."""

    def __init__(
        self, first: bytes, rest: Generator[bytes, None, None], release: Callable[[], None]
    ) -> None:
        self._rest = rest
        # an empty chunk would end a chunked body
        self._chunks = filter(None, itertools.chain([first], rest))
        self._release = release

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        return next(self._chunks)

    def close(self) -> None:
        """Stop speaking."""
        self._rest.close()
        self._release()
