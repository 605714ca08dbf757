"""Parse the command line, run one command, turn what it raises into an exit code.

A command is a module in `commands` with `HELP`, `add_arguments(parser)` and
`run(args, console) -> None`. To add one, write the module and name it in `COMMANDS`.
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
from .console import Console, OutputClosed, OutputFailed, UsageError
from .interrupt import Interrupts
from .options import common_options, settle
from .reports import INTERRUPTED, OK, PROGRAM, USAGE, exit_code, report

__all__ = ["COMMANDS", "build_parser", "run"]

# in the order of the help; each is a module of `commands`
COMMANDS = (
    "demo",
    "speak",
    "transcribe",
    "jobs",
    "files",
    "voices",
    "models",
    "temp-key",
    "usage",
    "sandbox",
)


_EPILOG = """\
Each command tells its options and examples with --help.

The key is read from SONIOX_API_KEY (with --gateway slng from SLNG_API_KEY). Without one, try
--sandbox or demo. Results go to stdout, progress and errors to stderr.

Exit codes: 0 done, 1 the service, the network or a device failed, 2 wrong usage, 130 interrupted
by Ctrl-C, 143 ended by SIGTERM. What was transcribed until then is printed.
"""


def run(argv: Optional[Sequence[str]] = None) -> int:
    """Run one command and give its exit code."""
    try:
        args = parse(argv)
    except SystemExit as stop:  # argparse has printed help, version or what is wrong
        return stop.code if isinstance(stop.code, int) else USAGE
    console = Console()
    with _logging(args.verbose, console), Interrupts() as interrupts:
        console.interrupts = interrupts
        try:
            _run_command(args, console)
        except OutputClosed:
            _silence_stdout()
        except BaseException as error:  # noqa: BLE001 - the program's top: every one has its code
            if isinstance(error, OutputFailed):
                _silence_stdout()
            interrupted = interrupts.interrupted
            report(error, console, interrupted=interrupted, verbose=args.verbose, as_json=args.json)
            return exit_code(error, interrupted=interrupted)
        return INTERRUPTED if interrupts.interrupted else OK


def _run_command(args: argparse.Namespace, console: Console) -> None:
    module = _module(args.command)
    _check_gateway(args, module)
    module.run(args, console)
    console.flush()


def parse(argv: Optional[Sequence[str]] = None) -> argparse.Namespace:
    """Parse arguments; the common options are found before and after the command."""
    return settle(build_parser().parse_args(argv))


def build_parser() -> argparse.ArgumentParser:
    """Build the parser of the whole command line."""
    parser = argparse.ArgumentParser(
        prog=PROGRAM,
        description="Speak and transcribe with the Soniox speech service.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        parents=[common_options(0)],
        allow_abbrev=False,
    )
    parser.add_argument("--version", action="version", version=f"{PROGRAM} {__version__}")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    for name in COMMANDS:
        module = _module(name)
        command = commands.add_parser(
            name,
            help=module.HELP,
            description=module.__doc__,
            formatter_class=argparse.RawDescriptionHelpFormatter,
            parents=[common_options(1)],
            allow_abbrev=False,
        )
        module.add_arguments(command)
    return parser


def _check_gateway(args: argparse.Namespace, module: Any) -> None:
    """Refuse what a gateway cannot do. A command that can says so with `TAKES_GATEWAY`."""
    if args.gateway and not getattr(module, "TAKES_GATEWAY", False):
        raise UsageError(f"--gateway is for speak and transcribe, not for {args.command}")
    for name in ("world_part", "provider_key_env"):
        if getattr(args, name) and not args.gateway:
            raise UsageError(f"--{name.replace('_', '-')} needs --gateway slng")


def _module(name: str) -> Any:
    return import_module(f".commands.{name.replace('-', '_')}", __package__)


@contextmanager
def _logging(verbose: int, console: Console) -> Iterator[None]:
    """Show the library's log for one command; a program that calls `main` keeps its own set-up."""
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
    """Logs above what is drawn on the terminal."""

    def __init__(self, console: Console) -> None:
        super().__init__()
        self._console = console

    def emit(self, record: logging.LogRecord) -> None:
        """Write a record."""
        self._console.say(self.format(record))


def _silence_stdout() -> None:
    """Let the interpreter flush into nothing at exit: nobody takes our output any more."""
    try:
        descriptor = sys.stdout.fileno()
    except (AttributeError, OSError, ValueError):
        return  # not a real file, so nothing is flushed
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, descriptor)
    os.close(nowhere)
