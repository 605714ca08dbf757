"""`--term` and `--context`: what the audio is about, to help the recogniser."""

from __future__ import annotations

import argparse
import json
import os
from typing import Any, Optional

from ..config import Context
from ..errors import ConfigurationError
from .console import UsageError

__all__ = ["add_context", "context_of"]


def add_context(parser: argparse.ArgumentParser) -> None:
    """Add the options."""
    parser.add_argument(
        "--term",
        action="append",
        metavar="TEXT",
        help="name or word as it is to be spelled; repeatable",
    )
    parser.add_argument(
        "--context",
        metavar="FILE",
        help="what the audio is about: a text file, or JSON with general, text, terms, "
        "translation_terms",
    )


def context_of(args: argparse.Namespace) -> Optional[dict[str, Any]]:
    """Return the context in the service's form, `None` without these options.

    Raises
        UsageError: the file cannot be read, or is not what it should be.
    """
    if args.context is None and not args.term:
        return None
    try:
        context = Context(**({} if args.context is None else _read(args.context))).to_wire()
        terms = [*context.get("terms", ()), *(args.term or ())]
        return Context(**{**context, "terms": terms}).to_wire() if args.term else context
    except ConfigurationError as error:
        where = "--term" if args.context is None else f"--context {args.context}"
        message = str(error).replace("a list of str", "a list of texts")
        raise UsageError(f"{where}: {message}") from error


_FIELDS = ("general", "text", "terms", "translation_terms")


def _read(path: str) -> dict[str, Any]:
    try:
        with open(path, encoding="utf-8-sig") as file:
            text = file.read()
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "it is not UTF-8 text"
        raise UsageError(f"cannot read {path}: {reason}") from error
    if os.path.splitext(path)[1].lower() != ".json":
        if not text.strip():
            raise UsageError(f"--context {path}: the file is empty")
        return {"text": text}
    try:
        fields = json.loads(text)
    except ValueError as error:
        raise UsageError(f"--context {path}: not JSON: {error}") from error
    if not isinstance(fields, dict) or not set(fields) <= set(_FIELDS):
        raise UsageError(f"--context {path}: expected an object with {', '.join(_FIELDS)}")
    return fields
