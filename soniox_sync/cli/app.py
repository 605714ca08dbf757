"""Parse the command line, run one command, turn what it raises into an exit code.

A command is a module in `commands` with `HELP`, `add_arguments(parser)` and
`run(args, console) -> None`. To add one, write the module and name it in `COMMANDS`.
"""

from __future__ import annotations

import argparse
import logging
import os
import sys
import traceback
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib import import_module
from typing import Any, Optional

from .._version import __version__
from ..errors import ConfigurationError, SonioxError
from .console import Console, OutputClosed, UsageError
from .interrupt import Interrupts

__all__ = ["COMMANDS", "build_parser", "run"]

PROGRAM = "soniox-sync"
OK, FAILED, USAGE, INTERRUPTED = 0, 1, 2, 130

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

_DEFAULTS = {
    "sandbox": False,
    "gateway": None,
    "world_part": None,
    "region": None,
    "api_key_env": None,
    "json": False,
}


def run(argv: Optional[Sequence[str]] = None) -> int:
    """Run one command and give its exit code. Never raises, but for errors in argparse's use."""
    try:
        args = parse(argv)
    except SystemExit as stop:  # argparse has printed help, version or what is wrong
        return stop.code if isinstance(stop.code, int) else USAGE
    console = Console()
    with _logging(args.verbose, console), Interrupts() as interrupts:
        console.interrupts = interrupts
        try:
            module = _module(args.command)
            _check_gateway(args, module)
            module.run(args, console)
            console.flush()
        except OutputClosed:
            _silence_stdout()
        except BaseException as error:  # noqa: BLE001 - the program's top: every one has its code
            return _report(error, args.verbose, console)
        return INTERRUPTED if interrupts.interrupted else OK


def parse(argv: Optional[Sequence[str]] = None) -> argparse.Namespace:
    """Parse arguments; the common options are found before and after the command."""
    args = build_parser().parse_args(argv)
    for name, value in _DEFAULTS.items():
        if not hasattr(args, name):
            setattr(args, name, value)
    args.verbose = getattr(args, "verbose_before", 0) + getattr(args, "verbose_after", 0)
    return args


def build_parser() -> argparse.ArgumentParser:
    """Build the parser of the whole command line."""
    parser = argparse.ArgumentParser(
        prog=PROGRAM,
        description="Speak and transcribe with the Soniox speech service.",
        epilog="The key is read from SONIOX_API_KEY (with --gateway slng from SLNG_API_KEY). "
        "Without one, try --sandbox or demo.",
        parents=[_common_options("verbose_before")],
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
            parents=[_common_options("verbose_after")],
            allow_abbrev=False,
        )
        module.add_arguments(command)
    return parser


def _common_options(verbose: str) -> argparse.ArgumentParser:
    # without defaults: those of a command would override what was said before it
    common = argparse.ArgumentParser(add_help=False, argument_default=argparse.SUPPRESS)
    group = common.add_argument_group("common options")
    group.add_argument("--sandbox", action="store_true", help="use a local stand-in, without a key")
    group.add_argument("--gateway", choices=("slng",), help="go through this gateway")
    group.add_argument("--world-part", metavar="NAME", help="where the gateway serves: eu, na, ap")
    group.add_argument(
        "--region", metavar="NAME", help="us, eu, jp or in; with --gateway one of its datacenters"
    )
    group.add_argument(
        "--api-key-env", metavar="VARIABLE", help="environment variable that holds the key"
    )
    group.add_argument("--json", action="store_true", help="write results as lines of JSON")
    group.add_argument(
        "-v",
        dest=verbose,
        action="count",
        default=0,
        help="say what is done on stderr; -vv adds the wire's log and tracebacks",
    )
    return common


def _check_gateway(args: argparse.Namespace, module: Any) -> None:
    """Refuse what a gateway cannot do. A command that can says so with `TAKES_GATEWAY`."""
    if args.gateway and not getattr(module, "TAKES_GATEWAY", False):
        raise UsageError(f"--gateway is for speak and transcribe, not for {args.command}")
    if args.world_part and not args.gateway:
        raise UsageError("--world-part needs --gateway slng")


def _module(name: str) -> Any:
    return import_module(f".commands.{name.replace('-', '_')}", __package__)


@contextmanager
def _logging(verbose: int, console: Console) -> Iterator[None]:
    """Show the library's log for one command; a program that calls `main` keeps its own set-up."""
    if not verbose:
        yield
        return
    logger = logging.getLogger("soniox_sync")
    level, handler = logger.level, logging.StreamHandler(console.stderr)
    handler.setFormatter(logging.Formatter("%(name)s %(threadName)s %(message)s"))
    logger.addHandler(handler)
    logger.setLevel(logging.DEBUG if verbose > 1 else logging.INFO)
    try:
        yield
    finally:
        logger.removeHandler(handler)
        logger.setLevel(level)


def _report(error: BaseException, verbose: int, console: Console) -> int:
    """Say in one line what went wrong, and give the exit code."""
    if verbose > 1:
        console.say("".join(traceback.format_exception(type(error), error, error.__traceback__)))
    if isinstance(error, KeyboardInterrupt):
        console.note("interrupted")
        return INTERRUPTED
    if isinstance(error, (UsageError, ConfigurationError)):
        console.say(f"{PROGRAM}: {_one_line(error)}")
        return USAGE
    if isinstance(error, (SonioxError, OSError)):
        console.say(f"{PROGRAM}: {_one_line(error)}")
        return FAILED
    hint = "" if verbose > 1 else " (run again with -vv and report it)"
    console.say(f"{PROGRAM}: internal error: {type(error).__name__}: {_one_line(error)}{hint}")
    return FAILED


def _one_line(error: BaseException) -> str:
    return " ".join(str(error).split()) or type(error).__name__


def _silence_stdout() -> None:
    """Let the interpreter flush into nothing at exit: whoever read our output has gone."""
    try:
        descriptor = sys.stdout.fileno()
    except (AttributeError, OSError, ValueError):
        return  # not a real file, so nothing is flushed
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, descriptor)
    os.close(nowhere)
