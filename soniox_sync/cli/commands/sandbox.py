"""Serve a local stand-in for the Soniox service, until Ctrl-C.

  soniox-sync sandbox
  soniox-sync sandbox --port 8123 --engines tones

It prints its addresses, and lines for a shell that make every program of this library, and of the
official SDKs, use it. It ends with 130, as everything that Ctrl-C ends.
"""

from __future__ import annotations

import argparse
import json
import shlex
import threading
from typing import TYPE_CHECKING

from ...transport.deadline import Deadline, wait_for
from ..console import Console, UsageError
from ..options import number
from ..services import open_sandbox

if TYPE_CHECKING:
    from ...sandbox import Sandbox

HELP = "serve a local stand-in for the service"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of this command."""
    parser.add_argument("--host", default="127.0.0.1", help="a loopback address (%(default)s)")
    parser.add_argument(
        "--port", type=number(int, 0, 65_535), default=0, help="0 takes a free one (%(default)s)"
    )
    parser.add_argument(
        "--engines",
        choices=("auto", "speech", "tones"),
        default="auto",
        help="speech needs the extra soniox-sync[sandbox]; tones need nothing (%(default)s)",
    )


def run(args: argparse.Namespace, console: Console) -> None:
    """Serve until interrupted."""
    try:
        sandbox = open_sandbox(host=args.host, port=args.port, engines=args.engines).start()
    except OSError as error:
        raise UsageError(f"cannot listen on {args.host}:{args.port}: {error.strerror}") from error
    stopped = threading.Event()
    with sandbox, console.interrupts.graceful(stopped.set):
        if args.json:
            console.write_json(_as_json(sandbox))
        else:
            console.write(_as_text(sandbox))
        console.note("serving until Ctrl-C")
        wait_for(stopped, Deadline(None))


def _environment(sandbox: Sandbox) -> dict[str, str]:
    urls = sandbox.urls
    return {
        "SONIOX_API_KEY": sandbox.api_key,
        "SONIOX_API_BASE_URL": urls.api,
        "SONIOX_WS_URL": urls.stt,
        "SONIOX_TTS_API_URL": urls.tts_api,
        "SONIOX_TTS_WS_URL": urls.tts,
    }


def _as_json(sandbox: Sandbox) -> str:
    urls = {name: getattr(sandbox.urls, name) for name in ("api", "stt", "tts_api", "tts", "slng")}
    return json.dumps({"urls": urls, "env": _environment(sandbox)})


def _as_text(sandbox: Sandbox) -> str:
    urls = sandbox.urls
    exports = "".join(
        f"export {name}={shlex.quote(value)}\n" for name, value in _environment(sandbox).items()
    )
    return (
        f"# transcription  {urls.stt}\n"
        f"# speech         {urls.tts}\n"
        f"# speech, HTTP   {urls.tts_api}/tts\n"
        f"# REST           {urls.api}\n"
        f"# gateway        {urls.slng}\n"
        f"{exports}"
    )
