"""What the commands ask of the library, in one place: a client, speech, a transcription."""

from __future__ import annotations

import argparse
import logging
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Optional, Union

from ..errors import ConfigurationError
from ..protocol.tokens import SttEvent
from .console import UsageError

if TYPE_CHECKING:
    from ..client import SonioxClient
    from ..sandbox import Sandbox
    from ..slng import SlngClient

    Client = Union[SonioxClient, SlngClient]

log = logging.getLogger("soniox_sync.cli")

__all__ = ["open_client", "open_realtime", "open_sandbox", "speak", "transcribe"]


@contextmanager
def open_realtime(args: argparse.Namespace) -> Iterator[Client]:
    """Give what speaks and transcribes: the client, or that of `--gateway`; as `open_client`."""
    if not args.gateway:
        with open_client(args) as client:
            yield client
    elif args.sandbox:
        _refuse_beside_sandbox(args)
        with open_sandbox() as sandbox, sandbox.slng_client(world_part=args.world_part) as gateway:
            yield gateway
    else:
        from ..slng import SlngClient

        key = service_key(args)
        with SlngClient(key, world_part=args.world_part, region=args.region) as gateway:
            yield gateway


@contextmanager
def open_client(args: argparse.Namespace) -> Iterator[SonioxClient]:
    """Give the client that the common options ask for, with a sandbox around it if need be.

    Raises:
        UsageError: options that exclude each other. ConfigurationError: no key, unknown region.
    """
    if not args.sandbox:
        with _service_client(args) as client:
            yield client
        return
    _refuse_beside_sandbox(args)
    with open_sandbox() as sandbox, sandbox.client() as client:
        yield client


def _refuse_beside_sandbox(args: argparse.Namespace) -> None:
    if args.region or args.api_key_env:
        raise UsageError("--sandbox needs neither --region nor --api-key-env")


def _service_client(args: argparse.Namespace) -> SonioxClient:
    from ..client import SonioxClient

    return SonioxClient(service_key(args), region=args.region)


def service_key(args: argparse.Namespace) -> Optional[str]:
    """Give the key of `--api-key-env`, `None` to let the client look in its own variable."""
    if args.api_key_env is None:
        return None
    key = os.environ.get(args.api_key_env)
    if not key:
        raise ConfigurationError(f"the environment variable {args.api_key_env} holds no key")
    return key


def open_sandbox(**options: Any) -> Sandbox:
    """Make a sandbox, to be started by `with`."""
    from ..sandbox import Sandbox

    return Sandbox(**options)


def transcribe(client: Client, audio: Iterable[bytes], **config: Any) -> Iterator[SttEvent]:
    """Transcribe `audio` to its end, giving events as they come; closing it early cancels."""
    log.info("transcribing with %r, %s", client, config)
    with client.realtime.stt(**config) as session:
        session.start_sending(audio, finish=True)
        yield from session


def speak(client: Client, texts: Iterable[str], **config: Any) -> Iterator[bytes]:
    """Speak each text (at most 5000 bytes), one after the other; closing it early cancels.

    A stream of its own for each keeps clear of the limits of text and of audio per stream
    (PROTOCOL 3.4); one connection carries them all.
    """
    log.info("speaking with %r, %s", client, config)
    with client.realtime.tts.multi_stream() as connection:
        for text in texts:
            with connection.stream(**config) as stream:
                stream.send_text(text, end=True)
                yield from stream
