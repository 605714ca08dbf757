"""Options that several commands have, and options with numbers."""

from __future__ import annotations

import argparse
import math
from typing import Any, Callable

from .._support.checks import MAX_SECONDS
from .parser import COMMON

__all__ = ["add_common", "add_patience", "fill_defaults", "number", "patience_of"]

_DEFAULTS = {
    "sandbox": False,
    "no_cache": False,
    "gateway": None,
    "world_part": None,
    "region": None,
    "api_key_env": None,
    "provider_key_env": None,
    "trace": None,
    "trace_audio": False,
    "json": False,
}
# One counter per level: argparse lets the counter of a command override that of the program.
_VERBOSE = ("verbose_before", "verbose_after", "verbose_action")


def add_common(parser: argparse.ArgumentParser, level: int, *, gateway: bool) -> None:
    """Add the common options, and those of gateways.

    `level`: 0 for the program, 1 for its commands, 2 for the actions of a command. `gateway`: the
    command supports gateways; elsewhere their options are not shown, and are refused later, by
    name.
    """
    # no defaults: those of a command would override the options before its name
    nothing: dict[str, Any] = {"default": argparse.SUPPRESS}
    shown = parser.add_argument_group("through a gateway") if gateway else parser

    def text(help: str) -> str:
        return help if gateway else argparse.SUPPRESS

    shown.add_argument(
        "--gateway",
        choices=("slng",),
        help=text(
            "use this gateway, with the key in SLNG_API_KEY; --region: us-east, eu-west, ..."
        ),
        **nothing,
    )
    shown.add_argument(
        "--world-part",
        metavar="NAME",
        help=text("zone that serves the request: eu, na, ap, ..."),
        **nothing,
    )
    shown.add_argument(
        "--provider-key-env",
        metavar="NAME",
        help=text("environment variable with your key for the service behind it"),
        **nothing,
    )
    group = parser.add_argument_group(COMMON)
    switch: dict[str, Any] = {"action": "store_true", **nothing}
    group.add_argument("--sandbox", help="use a local sandbox; needs no key", **switch)
    group.add_argument("--no-cache", help="do not share speech with other sandboxes", **switch)
    group.add_argument("--region", metavar="NAME", help="us, eu, jp or in", **nothing)
    group.add_argument(
        "--api-key-env", metavar="NAME", help="environment variable with the API key", **nothing
    )
    group.add_argument("--json", help="results and errors as JSON", **switch)
    group.add_argument(
        "-v",
        dest=_VERBOSE[level],
        action="count",
        default=0,
        help="log to stderr; -vv also logs messages and tracebacks",
    )
    group.add_argument(
        "--trace", metavar="FILE", help="append all messages to FILE, without keys", **nothing
    )
    group.add_argument("--trace-audio", help="with --trace, also the audio", **switch)


def fill_defaults(args: argparse.Namespace) -> argparse.Namespace:
    """Set the common options that were not given; `verbose` is the number of all -v."""
    for name, value in _DEFAULTS.items():
        if not hasattr(args, name):
            setattr(args, name, value)
    args.verbose = sum(getattr(args, name, 0) for name in _VERBOSE)
    return args


# option, keyword of the library, kind, metavar, help
_PATIENCE: tuple[tuple[str, str, Any, str, str], ...] = (
    (
        "--give-up-after",
        "give_up_after_sec",
        float,
        "SEC",
        "give up after this long (default: 60)",
    ),
    (
        "--max-reconnect-attempts",
        "max_reconnect_attempts",
        int,
        "N",
        "give up after N attempts (default: no limit)",
    ),
    (
        "--reconnect-base-delay",
        "reconnect_base_delay_sec",
        float,
        "SEC",
        "delay before the second attempt, doubled before each later one (default: 1)",
    ),
    (
        "--max-reconnect-delay",
        "max_reconnect_delay_sec",
        float,
        "SEC",
        "longest of these delays (default: 30)",
    ),
    (
        "--stable-after",
        "stable_after_sec",
        float,
        "SEC",
        "start counting anew once a connection has lasted this long (default: 10)",
    ),
)


def add_patience(parser: argparse.ArgumentParser) -> None:
    """Add the options for how long a command waits for a service that cannot be reached."""
    group = parser.add_argument_group("when the service cannot be reached")
    for option, name, kind, metavar, text in _PATIENCE:
        high = MAX_SECONDS if kind is float else math.inf
        group.add_argument(
            option, dest=name, type=number(kind, 0, high), metavar=metavar, help=text
        )


def patience_of(args: argparse.Namespace) -> dict[str, Any]:
    """Return those of these options that were given, as keywords of the library."""
    values = {name: getattr(args, name) for _, name, *_ in _PATIENCE}
    return {name: value for name, value in values.items() if value is not None}


def number(kind: Callable[[str], Any], low: float, high: float = math.inf) -> Callable[[str], Any]:
    """Return the `type=` of an option: an int or a finite float from `low` to `high`."""
    what = "a whole number" if kind is int else "a number"
    bounds = f"of at least {low}" if high == math.inf else f"from {low} to {high}"

    def read(text: str) -> Any:
        try:
            value = kind(text)
        except ValueError:
            value = math.nan
        if not low <= value <= high or value == math.inf:  # nan is in no range
            raise argparse.ArgumentTypeError(f"expected {what} {bounds}, got {text!r}")
        return value

    return read
