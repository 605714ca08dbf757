"""Clients for commands: for the service, a gateway, or a sandbox started for the command."""

from __future__ import annotations

import argparse
import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, NoReturn, Optional, Union

from ..errors import ConfigurationError
from .console import Console, UsageError

if TYPE_CHECKING:
    from ..client import SonioxClient
    from ..sandbox import Sandbox
    from ..slng import SlngClient

    Client = Union[SonioxClient, SlngClient]

__all__ = [
    "report_missing_engines",
    "has_token_times",
    "open_client",
    "open_realtime",
    "open_realtime_with_sandbox",
    "open_sandbox",
    "trace_options",
    "warn_missing_engines",
]

NO_SPEECH = (
    "the sandbox has no speech engines installed: it plays tones and makes up the words. For "
    'speech: python -m pip install "soniox-sync[sandbox]"'
)


@contextmanager
def open_realtime(args: argparse.Namespace) -> Iterator[Client]:
    """Open the client for real-time commands: like `open_client`, but with `--gateway`."""
    with open_realtime_with_sandbox(args) as (client, _):
        yield client


@contextmanager
def open_realtime_with_sandbox(
    args: argparse.Namespace,
) -> Iterator[tuple[Client, Optional[Sandbox]]]:
    """Open the same client; yield it with the sandbox of `--sandbox`, `None` without one."""
    if args.sandbox:
        if args.api_key_env or (args.region and not args.gateway):
            _refuse_key(args)
        with open_sandbox(args) as sandbox:
            if args.gateway:
                with sandbox.slng_client(**_gateway_options(args)) as gateway:
                    yield gateway, sandbox
            else:
                with sandbox.client(**trace_options(args)) as client:
                    yield client, sandbox
    elif args.gateway:
        from ..slng import SlngClient

        with SlngClient(service_key(args), **_gateway_options(args)) as gateway:
            yield gateway, None
    else:
        with open_client(args) as client:
            yield client, None


def _refuse_key(args: argparse.Namespace) -> NoReturn:
    if args.gateway:
        raise UsageError("--sandbox needs no key: leave out --api-key-env")
    raise UsageError("--sandbox needs no key and no region: leave out the other option")


def _gateway_options(args: argparse.Namespace) -> dict[str, Any]:
    """Return the options of the gateway's client; the speech model selects the route."""
    options: dict[str, Any] = {"world_part": args.world_part, "region": args.region}
    options.update(trace_options(args))
    if args.provider_key_env is not None:
        options["provider_key"] = _key_of(args.provider_key_env)
    if args.command == "speak" and args.model:
        options["tts_defaults"] = {"model": args.model}
    return options


@contextmanager
def open_client(args: argparse.Namespace) -> Iterator[SonioxClient]:
    """Open a client according to the common options; with `--sandbox` also start a sandbox.

    Raises
        UsageError: options that exclude each other.
        ConfigurationError: no key, or an unknown region.
    """
    if not args.sandbox:
        from ..client import SonioxClient

        with SonioxClient(service_key(args), region=args.region, **trace_options(args)) as client:
            yield client
        return
    if args.region or args.api_key_env:
        _refuse_key(args)
    with open_sandbox(args) as sandbox, sandbox.client(**trace_options(args)) as client:
        yield client


def trace_options(args: argparse.Namespace) -> dict[str, Any]:
    """Return the options of a client that `--trace` and `--trace-audio` set."""
    return {"trace": args.trace, "trace_audio": args.trace_audio}


def service_key(args: argparse.Namespace) -> Optional[str]:
    """Return the key from the variable in `--api-key-env`; without one `None`, the default key."""
    if args.api_key_env is None:
        return None
    return _key_of(args.api_key_env)


def _key_of(variable: str) -> str:
    if not variable:
        raise UsageError("--api-key-env needs the name of an environment variable")
    key = os.environ.get(variable)
    if not key:
        raise ConfigurationError(f"no key: the environment variable {variable} is not set")
    return key


def open_sandbox(args: argparse.Namespace, **options: Any) -> Sandbox:
    """Return a sandbox, to be started by `with` or `start()`.

    Unless `--no-cache` is given, it shares what it speaks with the sandboxes of other commands.
    """
    from ..sandbox import Sandbox
    from ..sandbox.engines.copies.folder import default_folder

    folder = None if args.no_cache else default_folder()
    return Sandbox(speech_cache=folder, **options)


def report_missing_engines(console: Console, *, speech: bool, recognition: bool) -> None:
    """Name the missing engines among those that a command uses."""
    from ..sandbox import engines

    if not engines.available():
        console.write_error(f"soniox-sync: {NO_SPEECH}")
        return
    used = {engines.SYNTHESIZER: speech, engines.RECOGNIZER: recognition}
    for package in engines.missing():
        if used.get(package):
            console.write_error(f"soniox-sync: {engines.explain_missing(package)}")


def warn_missing_engines(
    args: argparse.Namespace, console: Console, *, speech: bool = False, recognition: bool = False
) -> None:
    """Warn about engines missing from the sandbox of `--sandbox`: its words may be wrong."""
    if args.sandbox:
        report_missing_engines(console, speech=speech, recognition=recognition)


def has_token_times(args: argparse.Namespace) -> bool:
    """Return whether the service sends times, which captions and reconnecting need."""
    if not args.gateway:
        return True
    from ..slng.routes import has_times

    return has_times(args.model)
