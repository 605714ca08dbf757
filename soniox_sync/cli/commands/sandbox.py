"""Run a local stand-in for the Soniox service until Ctrl-C.

  soniox-sync sandbox
  soniox-sync sandbox --port 8123 --engines tones
  soniox-sync sandbox --replay trace.jsonl

Prints its URLs; shell commands that make programs connect to it, if they use this library (also
SlngClient and --gateway slng) or the official JavaScript SDK; and two lines of code for each of the
official SDKs, as the one for Python reads no URL from the environment. The exit code is 130, as for
every command that Ctrl-C ends.

With --replay it plays the service's side of a trace that was recorded with --trace or trace=, once:
each message when the client has sent what came before it. A difference is a line on stderr, and an
error for the client. What was not played is written to stderr at the end. SONIOX_SYNC_TRACE must
not be set where the client runs: it would append to the trace.

It recognises what other commands have spoken with --sandbox. That is kept in your cache folder, or
in the folder that SONIOX_SYNC_CACHE names (if empty, nowhere): at most 64 MiB, for 30 days.
--no-cache turns this off, --clear-cache forgets what was kept.
"""

from __future__ import annotations

import argparse
import json
import os
import shlex
import threading
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Union

from ...sandbox.engines.copies.folder import ENV_CACHE, SpeechFolder, default_folder
from ...service import ENV_TRACE
from ...transport.deadline import Deadline, wait_for
from ..console import Console, UsageError
from ..logs import differences_shown
from ..options import number
from ..services import open_sandbox

if TYPE_CHECKING:
    from ...sandbox import Sandbox

USAGE = ""
HELP = "run a local stand-in for the service"

# value of --replay-speed
_MAX_SPEED = "max"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of this command."""
    parser.add_argument(
        "--host", default="127.0.0.1", help="loopback address to listen on (default: %(default)s)"
    )
    parser.add_argument(
        "--port",
        type=number(int, 0, 65_535),
        default=0,
        help="port to listen on (default: any free port)",
    )
    parser.add_argument(
        "--engines",
        choices=("auto", "speech", "tones"),
        default="auto",
        help="speech needs the extra sandbox, tones need nothing (default: speech if installed)",
    )
    parser.add_argument(
        "--allow-origin",
        action="append",
        default=[],
        metavar="URL",
        help="let web pages of this origin use it, such as https://app.example.org; repeatable "
        "(default: only pages of this machine)",
    )
    parser.add_argument(
        "--clear-cache",
        action="store_true",
        help="forget what commands have spoken with --sandbox, and exit",
    )
    parser.add_argument(
        "--replay", metavar="FILE", help="play the service's side of a recorded trace"
    )
    parser.add_argument(
        "--replay-speed",
        metavar="N",
        type=_speed,
        help="how many times as fast as it was recorded; max does not wait (default: 1)",
    )


def run(args: argparse.Namespace, console: Console) -> None:
    """Serve until interrupted."""
    if args.clear_cache:
        _clear_cache(console)
        return
    sandbox = _open(args)
    try:
        sandbox.start()
    except OSError as error:
        raise UsageError(f"cannot listen on {args.host}:{args.port}: {error.strerror}") from error
    stopped = threading.Event()
    # the sandbox is closed inside: a client that it still has is a difference, too
    with differences_shown(console), sandbox, console.interrupts.graceful(stopped.set):
        for note in _notes(args, sandbox):
            console.write_error(f"soniox-sync: {note}")
        if args.json:
            console.write_json(_as_json(sandbox))
        else:
            console.write(_as_text(sandbox))
        console.note("serving until Ctrl-C")
        wait_for(stopped, Deadline(None))
    for each in sandbox.replay.remaining if args.replay else ():
        console.write_error(f"soniox-sync: {args.replay}: not played: {each}")


def _clear_cache(console: Console) -> None:
    folder = default_folder()
    if folder is None:
        raise UsageError(f"there is no cache: {ENV_CACHE} is empty")
    try:
        count = SpeechFolder(folder).clear()
    except OSError as error:
        raise UsageError(f"cannot clear {folder}: {error.strerror}") from error
    console.write(f"{count} {'sentence' if count == 1 else 'sentences'} removed from {folder}\n")


def _open(args: argparse.Namespace) -> Sandbox:
    options: dict[str, Any] = {
        "host": args.host,
        "port": args.port,
        "engines": args.engines,
        "allow_origins": args.allow_origin,
    }
    if args.replay is None:
        if args.replay_speed is not None:
            raise UsageError("--replay-speed needs --replay FILE")
        return open_sandbox(args, **options)
    speed = 1.0 if args.replay_speed is None else args.replay_speed
    try:
        return open_sandbox(
            args,
            **options,
            replay=args.replay,
            replay_speed=None if speed == _MAX_SPEED else speed,
        )
    except OSError as error:
        raise UsageError(f"cannot read {args.replay}: {error.strerror}") from error


def _notes(args: argparse.Namespace, sandbox: Sandbox) -> list[str]:
    """Return what is to be known before a replay."""
    if args.replay is None:
        return []
    notes = list(sandbox.replay.notes)
    with suppress(OSError):  # there is no such file
        if os.path.samefile(args.replay, os.environ.get(ENV_TRACE, "")):
            notes.append(
                f"{ENV_TRACE} names the trace that is replayed, {args.replay}: unset it where the "
                "client runs, which would append to it"
            )
    return notes


def _speed(text: str) -> Union[float, str]:
    return text if text == _MAX_SPEED else number(float, 0.001, 1_000)(text)


def _host(sandbox: Sandbox) -> str:
    """Return the REST URL without its path, which all clients but the official Python SDK add."""
    scheme, _, rest = sandbox.urls.api.partition("://")
    return f"{scheme}://{rest.partition('/')[0]}"


def _environment(sandbox: Sandbox) -> dict[str, str]:
    urls = sandbox.urls
    return {
        "SONIOX_API_KEY": sandbox.api_key,
        # without /v1: the official JavaScript SDK adds it, and so does this library
        "SONIOX_API_BASE_URL": _host(sandbox),
        "SONIOX_WS_URL": urls.stt,
        "SONIOX_TTS_API_URL": urls.tts_api,
        "SONIOX_TTS_WS_URL": urls.tts,
    }


def _gateway_environment(sandbox: Sandbox) -> dict[str, str]:
    return {"SLNG_API_KEY": sandbox.api_key, "SLNG_BASE_URL": sandbox.urls.slng}


def _python_code(sandbox: Sandbox) -> list[str]:
    urls = sandbox.urls
    options = {
        "api_key": sandbox.api_key,
        "api_base_url": urls.api,
        "websocket_base_url": urls.stt,
        "tts_api_base_url": urls.tts_api,
        "tts_websocket_base_url": urls.tts,
    }
    arguments = ", ".join(f"{name}={json.dumps(value)}" for name, value in options.items())
    return ["from soniox import SonioxClient", f"client = SonioxClient({arguments})"]


def _javascript_code(sandbox: Sandbox) -> list[str]:
    urls = sandbox.urls
    options = {
        "api_key": sandbox.api_key,
        "base_url": _host(sandbox),
        "tts_api_url": urls.tts_api,
        "realtime": {"ws_base_url": urls.stt, "tts_ws_url": urls.tts},
    }
    return [
        'import { SonioxNodeClient } from "@soniox/node";',
        f"const client = new SonioxNodeClient({json.dumps(options)});",
    ]


def _as_json(sandbox: Sandbox) -> str:
    urls = {name: getattr(sandbox.urls, name) for name in ("api", "stt", "tts_api", "tts", "slng")}
    code = {"python": _python_code(sandbox), "javascript": _javascript_code(sandbox)}
    env = {**_environment(sandbox), **_gateway_environment(sandbox)}
    return json.dumps({"urls": urls, "env": env, "code": code})


def _as_text(sandbox: Sandbox) -> str:
    urls = sandbox.urls
    service, gateway = (
        [f"export {name}={shlex.quote(v)}" for name, v in variables.items()]
        for variables in (_environment(sandbox), _gateway_environment(sandbox))
    )
    # comments, so that all of it can be pasted into a shell
    python, javascript = (
        [f"#   {line}" for line in code]
        for code in (_python_code(sandbox), _javascript_code(sandbox))
    )
    lines = [
        f"# transcription  {urls.stt}",
        f"# speech         {urls.tts}",
        f"# speech, HTTP   {urls.tts_api}/tts",
        f"# REST           {urls.api}",
        f"# gateway        {urls.slng}",
        "# for this library and the official JavaScript SDK:",
        *service,
        "# for SlngClient and --gateway slng:",
        *gateway,
        "# for the official Python SDK (soniox), which reads no URLs from the environment:",
        *python,
        "# for the official JavaScript SDK (@soniox/node), without the variables:",
        *javascript,
    ]
    return "\n".join(lines) + "\n"
