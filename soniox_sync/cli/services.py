"""What the commands ask of the library, in one place: a client, or a sandbox and its client."""

from __future__ import annotations

import argparse
import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Optional, Union

from ..errors import ConfigurationError
from .console import Console, UsageError

if TYPE_CHECKING:
    from ..client import SonioxClient
    from ..sandbox import Sandbox
    from ..slng import SlngClient

    Client = Union[SonioxClient, SlngClient]

__all__ = [
    "NO_SPEECH",
    "open_client",
    "open_realtime",
    "open_sandbox",
    "tells_times",
    "warn_of_tones",
]

NO_SPEECH = (
    "the sandbox has no speech engines here, so it plays tones and makes the words up. For real "
    'speech: python -m pip install "soniox-sync[sandbox]"'
)


@contextmanager
def open_realtime(args: argparse.Namespace) -> Iterator[Client]:
    """Give what speaks and transcribes: the client, or that of `--gateway`; as `open_client`."""
    if not args.gateway:
        with open_client(args) as client:
            yield client
    elif args.sandbox:
        if args.api_key_env:
            raise UsageError("--sandbox needs no --api-key-env")
        with open_sandbox() as sandbox, sandbox.slng_client(**_gateway_options(args)) as gateway:
            yield gateway
    else:
        from ..slng import SlngClient

        with SlngClient(service_key(args), **_gateway_options(args)) as gateway:
            yield gateway


def _gateway_options(args: argparse.Namespace) -> dict[str, Any]:
    """Give the gateway's own options; the model of speech belongs to the route."""
    options: dict[str, Any] = {"world_part": args.world_part, "region": args.region}
    if args.provider_key_env is not None:
        options["provider_key"] = _key_of(args.provider_key_env)
    if args.command == "speak" and args.model:
        options["tts_defaults"] = {"model": args.model}
    return options


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
    return _key_of(args.api_key_env)


def _key_of(variable: str) -> str:
    key = os.environ.get(variable)
    if not key:
        raise ConfigurationError(f"the environment variable {variable} holds no key")
    return key


def open_sandbox(**options: Any) -> Sandbox:
    """Make a sandbox, to be started by `with`."""
    from ..sandbox import Sandbox

    return Sandbox(**options)


def warn_of_tones(args: argparse.Namespace, console: Console) -> None:
    """Say it when `--sandbox` can neither speak nor hear, lest its words be taken for real."""
    if args.sandbox:
        from ..sandbox.engines import available

        if not available():
            console.say(f"soniox-sync: {NO_SPEECH}")


def tells_times(args: argparse.Namespace) -> bool:
    """Tell whether a lost line can be replaced: the service must say what it has heard."""
    if not args.gateway:
        return True
    from ..slng import tells_times

    return tells_times(args.model)
