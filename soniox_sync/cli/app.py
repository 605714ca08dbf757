"""Parses the command line, runs one command and turns its exceptions into an exit code.

A command is a module in `commands` with `HELP`, `USAGE`, `add_arguments(parser)` and
`run(args, console) -> None`; its docstring is the text of its `--help`, with examples. To add a
command, write the module and add its name to `COMMANDS`. A command that supports gateways sets
`SUPPORTS_GATEWAY`; one whose arguments may also follow options sets `MORE` to their name.
"""

from __future__ import annotations

import argparse
import logging
import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib import import_module
from typing import Any, Optional

from .._version import __version__
from ..config import resolve_connection_config
from ..service import ENV_TRACE
from .completion import complete, is_asked
from .console import Console, OutputClosed, OutputFailed, UsageError
from .interrupt import Interrupts
from .options import add_common, fill_defaults
from .parser import Parser
from .reports import INTERRUPTED, OK, PROGRAM, USAGE, exit_code, report

__all__ = ["COMMANDS", "build_parser", "run"]

# Modules of `commands`, in the order of the help.
COMMANDS = (
    "demo",
    "speak",
    "transcribe",
    "converse",
    "jobs",
    "files",
    "voices",
    "models",
    "temp-key",
    "usage",
    "doctor",
    "sandbox",
)

_DESCRIPTION = """\
Convert speech to text and text to speech with the Soniox speech service.

  soniox-sync demo
  soniox-sync transcribe meeting.wav
  soniox-sync speak "Good morning." -o morning.wav
"""

_EPILOG = """\
Run a command with --help for its options and examples. The common options may be given before or
after the command.

The API key is read from SONIOX_API_KEY. Without a key, try the demo command, or --sandbox with any
other. Results go to stdout, progress and errors to stderr.

Exit codes: 0 success, 1 error of the service, the network or a device, or of some of several
files, 2 usage error, 130 interrupted by Ctrl-C, 143 ended by SIGTERM. What was transcribed before
an error or an interruption is still printed.
"""


def run(argv: Optional[Sequence[str]] = None) -> int:
    """Run one command and return its exit code."""
    console = Console()
    try:
        args = parse(argv)
    except SystemExit as stop:  # argparse has printed the help or the version
        return stop.code if isinstance(stop.code, int) else USAGE
    except OutputClosed:
        _discard_stdout()
        return OK
    except (OutputFailed, UsageError) as error:
        if isinstance(error, OutputFailed):
            _discard_stdout()
        as_json = "--json" in (sys.argv[1:] if argv is None else argv)
        report(error, console, interrupted=False, verbose=0, as_json=as_json)
        return exit_code(error, interrupted=False)
    with _logging(args.verbose, console), Interrupts() as interrupts:
        console.interrupts = interrupts
        try:
            module = _module(args.command)
            _check_gateway(args, module)
            _check_region(args)
            _check_trace(args)
            module.run(args, console)
            console.flush()
        except OutputClosed:
            _discard_stdout()
        except BaseException as error:  # noqa: BLE001 - top of the program: each has an exit code
            if isinstance(error, OutputFailed):
                _discard_stdout()
            interrupted = interrupts.interrupted
            report(error, console, interrupted=interrupted, verbose=args.verbose, as_json=args.json)
            return exit_code(error, interrupted=interrupted)
        return INTERRUPTED if interrupts.interrupted else OK


def parse(argv: Optional[Sequence[str]] = None) -> argparse.Namespace:
    """Parse arguments. The common options may be given before or after the command.

    Raises
        ParseError: the arguments do not fit.
        SystemExit: the help or the version was asked for, and printed.
        OutputClosed, OutputFailed: it was asked for, and could not be printed.
    """
    parser = build_parser()
    if argv is None and is_asked():
        complete(parser)
    return fill_defaults(parser.parse(argv))


def build_parser() -> Parser:
    """Return the parser of the whole command line."""
    parser = Parser(
        prog=PROGRAM,
        usage="%(prog)s [options] COMMAND [options]",
        description=_DESCRIPTION,
        epilog=_EPILOG,
    )
    parser.add_argument(
        "--version",
        action="version",
        version=f"{PROGRAM} {__version__}",
        help="show the version",
    )
    add_common(parser, 0, gateway=False)
    commands = parser.add_subparsers(
        dest="command",
        metavar="COMMAND",
        required=True,
        title="commands",
        prog=parser.prog,
        parser_class=Parser,
    )
    for name in COMMANDS:
        module = _module(name)
        command = commands.add_parser(
            name,
            help=module.HELP,
            description=module.__doc__,
            usage=f"%(prog)s [options] {module.USAGE}".rstrip(),
            more=getattr(module, "MORE", None),
        )
        module.add_arguments(command)
        add_common(command, 1, gateway=_has_gateway(module))
    return parser


def _has_gateway(module: Any) -> bool:
    return getattr(module, "SUPPORTS_GATEWAY", False)


def _check_gateway(args: argparse.Namespace, module: Any) -> None:
    """Refuse a gateway for commands that do not support one, and its options without one."""
    if args.gateway and not _has_gateway(module):
        *others, last = [name for name in COMMANDS if _has_gateway(_module(name))]
        able = f"{', '.join(others)} and {last}"
        raise UsageError(f"--gateway works with {able}, not with {args.command}")
    for name in ("world_part", "provider_key_env"):
        if getattr(args, name) and not args.gateway:
            raise UsageError(f"--{name.replace('_', '-')} needs --gateway slng")


def _check_region(args: argparse.Namespace) -> None:
    """Refuse an unknown region of the service before anything is opened or written.

    The doctor has a check of its own for it, and a gateway regions of its own.
    """
    if args.region is not None and not args.gateway and args.command != "doctor":
        resolve_connection_config({"region": args.region})
    if args.command == "sandbox" and (args.region or args.api_key_env):
        raise UsageError("the sandbox needs no key and no region: leave out the other option")


def _check_trace(args: argparse.Namespace) -> None:
    """Refuse options of a trace where nothing would be recorded."""
    if args.command == "sandbox" and (args.trace or args.trace_audio):
        raise UsageError(
            "--trace records what a client sends and receives: give it to the command that "
            "connects to the sandbox"
        )
    if args.trace == "":
        raise UsageError("--trace needs the name of a file")
    if args.trace_audio and not (args.trace or os.environ.get(ENV_TRACE)):
        raise UsageError("--trace-audio needs --trace FILE")


def _module(name: str) -> Any:
    return import_module(f".commands.{name.replace('-', '_')}", __package__)


@contextmanager
def _logging(verbose: int, console: Console) -> Iterator[None]:
    """Show the library's log for one command, then restore the logging set-up."""
    if not verbose:
        yield
        return
    logger = logging.getLogger("soniox_sync")
    level, handler = logger.level, _ConsoleHandler(console)
    handler.setFormatter(logging.Formatter("%(name)s %(threadName)s %(message)s"))
    logger.addHandler(handler)
    logger.setLevel(logging.DEBUG if verbose > 1 else logging.INFO)
    try:
        yield
    finally:
        logger.removeHandler(handler)
        logger.setLevel(level)


class _ConsoleHandler(logging.Handler):
    """Handler that writes records to stderr, above what is drawn on the terminal."""

    def __init__(self, console: Console) -> None:
        super().__init__()
        self._console = console

    def emit(self, record: logging.LogRecord) -> None:
        """Write one record."""
        self._console.write_error(self.format(record))


def _discard_stdout() -> None:
    """Redirect what is still buffered to the null device, or the flush at exit would fail again."""
    try:
        descriptor = sys.stdout.fileno()
    except (AttributeError, OSError, ValueError):
        return  # no descriptor: nothing is flushed at exit
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, descriptor)
    os.close(null)
