"""The options that every command takes, before or after its name, and numbers within bounds."""

from __future__ import annotations

import argparse
from typing import Any, Callable

__all__ = ["common_options", "number", "settle"]

_DEFAULTS = {
    "sandbox": False,
    "gateway": None,
    "world_part": None,
    "region": None,
    "api_key_env": None,
    "provider_key_env": None,
    "json": False,
}
# each level counts for itself: argparse has a command's count override what stood before it
_VERBOSE = ("verbose_before", "verbose_after", "verbose_action")


def common_options(level: int) -> argparse.ArgumentParser:
    """Give the common options as a parent parser.

    `level`: 0 for the program, 1 for its commands, 2 for the actions of a command.
    """
    # without defaults: those of a command would override what was said before it
    common = argparse.ArgumentParser(add_help=False, argument_default=argparse.SUPPRESS)
    group = common.add_argument_group("common options")
    group.add_argument("--sandbox", action="store_true", help="use a local stand-in, without a key")
    group.add_argument(
        "--region", metavar="NAME", help="us, eu, jp or in; with --gateway one of its datacenters"
    )
    group.add_argument(
        "--api-key-env", metavar="VARIABLE", help="environment variable that holds the key"
    )
    group.add_argument(
        "--gateway",
        choices=("slng",),
        help="speak and transcribe through this gateway, with the key of SLNG_API_KEY",
    )
    group.add_argument(
        "--world-part", metavar="NAME", help="zone the gateway shall serve in: eu, na, ap, ..."
    )
    group.add_argument(
        "--provider-key-env",
        metavar="VARIABLE",
        help="environment variable that holds your own key of the service behind the gateway",
    )
    group.add_argument(
        "--json", action="store_true", help="write results, and errors on stderr, as lines of JSON"
    )
    group.add_argument(
        "-v",
        dest=_VERBOSE[level],
        action="count",
        default=0,
        help="say what is done on stderr; -vv adds the wire's log and tracebacks",
    )
    return common


def settle(args: argparse.Namespace) -> argparse.Namespace:
    """Fill in the common options that were not given; `verbose` counts every -v."""
    for name, value in _DEFAULTS.items():
        if not hasattr(args, name):
            setattr(args, name, value)
    args.verbose = sum(getattr(args, name, 0) for name in _VERBOSE)
    return args


def number(
    kind: Callable[[str], Any], low: float, high: float = float("inf")
) -> Callable[[str], Any]:
    """Give the `type=` of an option: an int or a float within these bounds."""

    def read(text: str) -> Any:
        try:
            value = kind(text)
        except ValueError:
            raise argparse.ArgumentTypeError(f"{text!r} is not a number") from None
        if not low <= value <= high:
            most = "" if high == float("inf") else f" and at most {high}"
            raise argparse.ArgumentTypeError(f"must be at least {low}{most}")
        return value

    return read
